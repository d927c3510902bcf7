"""Zones as the store keeps them."""
