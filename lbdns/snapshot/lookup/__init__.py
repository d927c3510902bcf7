"""Names in a snapshot: the hash table, and what stands at one."""
