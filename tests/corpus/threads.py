# Threads print into the cell that started them, also after it has ended.
# %%
import threading
import time
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(4) as pool:
    print(list(pool.map(lambda n: n * n, range(8))))


# %%
def work(name):
    print("from", name, flush=True)


for name in ("one", "two"):
    thread = threading.Thread(target=work, args=(name,))
    thread.start()
    thread.join()
# %%
go = threading.Event()
late = threading.Thread(target=lambda: (go.wait(10), print("late", flush=True)))
late.start()
# %%
go.set()
late.join()
print("after")


# %%
def fails():
    raise ValueError("in a thread")


thread = threading.Thread(target=fails, name="Unlucky")
thread.start()
thread.join()
