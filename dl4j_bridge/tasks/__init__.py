"""What a network learns: features, targets, decoding, metrics, baselines. A task is a package here."""
