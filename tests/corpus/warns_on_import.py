# Modules that warn when they are imported, shown in the cell that imports them.
# kernel: other
# %%
import corpus_warns

# %%
import importlib

import corpus_warns

importlib.reload(corpus_warns)
# %%
corpus_warns.LOADED
