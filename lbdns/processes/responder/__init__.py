"""A responder process. START HERE: responder.py."""
