"""The stages of a change: slots -> compile -> templates -> canaries -> swap. START HERE: publisher.py."""
