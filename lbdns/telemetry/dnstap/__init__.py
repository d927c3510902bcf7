"""Queries and replies as dnstap frames, to a collector's socket or a file. START HERE: dnstap_worker.py."""
