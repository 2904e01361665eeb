"""A kernel: launched, spoken to, ended; its cells executed."""
