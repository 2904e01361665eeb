# Imports that fail, each in its own cell.
# kernel: other
# %% [raises-exception]
import corpus_is_nowhere

# %% [raises-exception]
import corpus_fails

# %% [raises-exception]
import corpus_fails

# %% [raises-exception]
from math import nothing_of_that_name

# %%
import sys

"corpus_fails" in sys.modules
# %%
try:
    import corpus_is_nowhere as choice
except ImportError:
    choice = "the other one"
choice
# %%
from corpus_is_nowhere import anything
