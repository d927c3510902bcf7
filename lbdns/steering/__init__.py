"""Steering: policies reduce a load balancer to columns at compile time, `decide` runs those columns for a query."""
