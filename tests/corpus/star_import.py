# Names that come by a star.
# %% file mine.py
__all__ = ["shown"]
shown, hidden = 1, 2
# %%
from math import *
from mine import *

floor(pi), shown
# %%
hidden
