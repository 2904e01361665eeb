"""Floor 5: the REST API."""
