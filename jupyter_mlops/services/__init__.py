"""Floor 3: what is done with sweeps and runs."""
