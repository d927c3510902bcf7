"""Health: what the bytes of the health table mean, how one follows from another; records of changes and of orders."""
