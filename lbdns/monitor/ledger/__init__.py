"""The ledger: from results to the states of endpoints, pools and load balancers, written to the health table."""
