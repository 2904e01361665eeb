# A kernel that is gone without a word.
# dies: yes
# %%
import os

x = 1
# %%
print("before", flush=True)
import time

time.sleep(0.3)
os._exit(3)
# %%
print("never")
