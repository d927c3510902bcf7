"""The supervisor. START HERE: supervisor.py says what runs when."""
