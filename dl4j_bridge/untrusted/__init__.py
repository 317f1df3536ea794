"""Reads files that a stranger may have made: only regular files, bounded sizes, one meaning for each byte."""
