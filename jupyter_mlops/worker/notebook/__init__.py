"""A notebook executed from its first cell to its result."""
