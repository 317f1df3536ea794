"""Models without a network. A new baseline is a file here and a line in each task that uses it."""
