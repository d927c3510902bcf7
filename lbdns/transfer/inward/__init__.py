"""Zones that come from other servers, and what they are told of."""
