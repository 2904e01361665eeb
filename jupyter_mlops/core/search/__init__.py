"""What a sweep tries: the space and the order in which it is searched."""
