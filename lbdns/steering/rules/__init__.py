"""Custom rules and pool sets -> a decision table and variants of a load balancer; START HERE: condition_folding.py."""
