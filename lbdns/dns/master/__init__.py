"""Master files -> zones: entries.py scans, reader.py puts records together, zone_checks.py judges."""
