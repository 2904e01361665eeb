"""What is asked of a kernel beside the notebook's cells."""
