# All environment variables.
# %%
import os

for name, value in sorted(os.environ.items()):
    print(name, "=", value)
# %%
import subprocess

inherited = subprocess.run(["env", "-0"], capture_output=True, text=True).stdout.split("\0")
sorted(line.partition("=")[0] for line in inherited if line) == sorted(os.environ)
# %%
from pathlib import Path

Path(os.environ["MLOPS_RUN_DIR"]).is_dir(), os.environ["MLOPS_RUN_ID"] != ""
