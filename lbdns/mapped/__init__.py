"""What processes map in common: control page, health table, counters, snapshot files, and where these lie."""
