"""Pages of objects: what is alike in all of them. START HERE: object_desk.py."""
