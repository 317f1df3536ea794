"""What the command line shares: options from settings, progress, tables, and printed results."""
