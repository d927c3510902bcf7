"""The slow path: what a datagram is answered with. START HERE: respond.py."""
