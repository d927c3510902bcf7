"""Zones in and out by the field's own protocols: AXFR, IXFR, NOTIFY and UPDATE, and how each zone stands."""
