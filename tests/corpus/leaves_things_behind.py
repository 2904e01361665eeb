# Threads and processes that are still there when the notebook ends.
# %%
import subprocess
import sys
import threading
import time

child = subprocess.Popen(["sleep", "4"])
detached = subprocess.Popen(["sleep", "4"], start_new_session=True)
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
child.poll(), detached.poll()
# %%
import asyncio

forgotten = asyncio.create_task(asyncio.sleep(60))
print(threading.active_count() > 1)
