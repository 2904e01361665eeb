# What reads the standard input finds its end.
# %%
import os
import subprocess
import sys

print(type(sys.stdin).__module__, type(sys.stdin).__name__, sys.stdin.read(), sys.stdin.fileno())
print(os.read(0, 10), os.isatty(0))
# %%
subprocess.run(["cat"], capture_output=True, timeout=10)
# %%
%%bash
read line || echo nothing to read
# %%
print(sys.stdin.readline())
