"""Reads the environment when it is imported."""

import os

CHOICE = os.environ.get("CORPUS_CHOICE", "nothing was chosen")
