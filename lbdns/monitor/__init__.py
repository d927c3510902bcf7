"""The monitor worker: probes every endpoint and is the only writer of the health table."""
