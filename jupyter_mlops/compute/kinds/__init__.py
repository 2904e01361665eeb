"""The kinds of targets."""
