"""What is learnt: features, targets, decoding and metrics. A task is a file here."""
