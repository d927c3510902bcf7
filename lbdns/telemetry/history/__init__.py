"""History: what was counted, measured and changed, by the minute, in a file that outlives the server."""
