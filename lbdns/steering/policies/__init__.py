"""Steering policies, a module each; plan.py is what they read and write, policy_table.py which setting means which."""
