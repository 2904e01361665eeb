# Modules that print when they are imported, shown in the cell that imports them.
# kernel: other
# %%
import corpus_prints

# %%
import corpus_prints
import this

# %%
from corpus_prints import WORD as word

word
