# The working directory is the notebook's folder, also for what it starts.
# %% file data/values.csv
a,b
1,2
# %%
import os
import subprocess
from pathlib import Path

import pandas as pd

print(Path.cwd().name, sorted(os.listdir()))
pd.read_csv("data/values.csv")
# %%
Path("data/written.txt").write_text("new")
print(subprocess.run(["pwd"], capture_output=True, text=True).stdout.strip() == os.getcwd())
# %%
%pwd
# %%
%cd data
!ls
os.chdir("..")
# %%
Path("~").expanduser() == Path.home(), os.path.abspath("x") == str(Path.cwd() / "x")
# %%
open("missing.txt")
