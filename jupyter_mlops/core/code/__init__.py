"""Finding the code that a notebook uses."""
