"""Several machines, one configuration, health that survives partitions."""
