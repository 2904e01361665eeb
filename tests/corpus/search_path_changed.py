# A folder is put in front before an import that then finds another module.
# kernel: other
# %% file library/corpus_prints.py
WORD = "from the folder"
# %%
import sys

sys.path.insert(0, "library")
import corpus_prints

corpus_prints.WORD
