"""The snapshot: a configuration compiled into flat typed columns that every worker maps and none changes."""
