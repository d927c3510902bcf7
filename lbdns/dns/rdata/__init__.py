"""Record data. record_types.py has a row for each type: how it is laid out and written, and what belongs to it."""
