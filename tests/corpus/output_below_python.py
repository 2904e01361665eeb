# Output that passes Python by: descriptors, C's printf, children.
# %%
import ctypes
import os
import subprocess
import time

os.write(1, b"to descriptor 1\n")
time.sleep(0.3)
# %%
os.write(2, b"to descriptor 2\n")
time.sleep(0.3)
# %%
libc = ctypes.CDLL(None)
libc.printf(b"from C %d\n", 7)
libc.fflush(None)
time.sleep(0.3)
# %%
subprocess.run(["echo", "from a child"])
time.sleep(0.3)
# %%
# two descriptors are read by two threads, whose order is nobody's to say
status = os.system("echo from the shell; sleep 0.2; echo its error >&2")
time.sleep(0.3)
# %%
import sys

print("between", flush=True)
print("error", file=sys.stderr, flush=True)
print("original", file=sys.__stdout__, flush=True)
time.sleep(0.3)
# %%
sys.stdout.write("no newline")
sys.stdout.buffer.write(b"bytes") if hasattr(sys.stdout, "buffer") else "no buffer"
