"""What the server says of itself: counters by name, rates, metrics, health."""
