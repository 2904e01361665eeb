# A file of the notebook's folder has the name of an installed package and comes first.
# %% file tqdm.py
WHOSE = "the notebook's own"
# %%
import tqdm

tqdm.WHOSE
# %%
import numpy, json

json.dumps(int(numpy.arange(3).sum()))
