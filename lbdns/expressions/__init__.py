"""The Rules language: a text, a typed tree, and its value; START HERE: parse.py. Knows nothing of load balancers."""
