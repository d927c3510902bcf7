"""Changing a running server: the store, the management API. Nothing here is on the road of a query."""
