"""The topology of a load balancer, drawn. START HERE: topology_ways.py."""
