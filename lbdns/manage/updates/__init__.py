"""Dynamic updates into the store; START HERE: update_queue.py."""
