"""What can be predicted without a network. A baseline is a file here and a line in each task that uses it."""
