"""Dynamic updates (RFC 2136); START HERE: updating.py."""
