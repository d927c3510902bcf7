"""Steering policies, a module each; context.py is what they read, plan.py what they write, policy_table.py has all."""
