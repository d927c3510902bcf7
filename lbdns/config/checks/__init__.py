"""What no field alone can answer for: references, zones, pools and load balancers held against one another."""
