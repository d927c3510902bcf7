"""A configuration -> the columns of a snapshot. Start with compiler.py."""
