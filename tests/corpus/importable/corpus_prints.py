"""Prints when it is imported."""

print("corpus_prints is imported")
WORD = "printed"
