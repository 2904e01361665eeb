"""Floor 1: what a sweep is. No I/O and no framework."""
