"""The store's copy of the stream: what goes over the bus, in its order. START HERE: fleet_replica.py."""
