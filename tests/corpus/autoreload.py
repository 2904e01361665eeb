# A module that the notebook itself writes, and writes anew.
# %%
%load_ext autoreload
%autoreload 2
# %%
%%writefile changing.py
VALUE = 1
# %%
import changing

changing.VALUE
# %%
import os, pathlib, time

pathlib.Path("changing.py").write_text("VALUE = 22\n")
os.utime("changing.py", (time.time() + 5, time.time() + 5))
# %%
changing.VALUE
