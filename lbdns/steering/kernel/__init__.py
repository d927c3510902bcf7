"""`decide` and what it calls: plain Python and compiled alike, to the bit."""
