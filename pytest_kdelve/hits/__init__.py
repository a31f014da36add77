"""Recording hits, telling whose they are, and judging expectations; knows nothing of pytest."""
