"""Warns when it is imported."""

import warnings

warnings.warn("corpus_warns is imported", UserWarning, stacklevel=2)
LOADED = True
