"""Master files -> zones: entries.py scans, reader.py makes records, draft.py joins them, zone_checks.py judges."""
