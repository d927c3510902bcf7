"""Records as the store keeps them."""
