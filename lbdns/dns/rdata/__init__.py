"""Record data: wire format, master-file text, and what the management API calls its parts."""
