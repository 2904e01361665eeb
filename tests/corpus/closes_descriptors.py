# The standard descriptors are closed.
# %%
import os

os.close(0)
print("standard input is closed")
# %%
import subprocess

subprocess.run(["true"]).returncode
# %%
open("after.txt", "w").write("files are opened as before")
