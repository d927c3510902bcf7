"""Health in shared memory: the table, what its bytes mean, and the pure functions that derive one from another."""
