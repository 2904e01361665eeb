# Worker processes that start anew, and memory shared with them.
# %%
import math
import multiprocessing
from multiprocessing import shared_memory

with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.map(math.factorial, range(5)))
with multiprocessing.get_context("forkserver").Pool(1) as pool:
    print(pool.map(math.factorial, range(3)))
# %%
block = shared_memory.SharedMemory(create=True, size=16)
block.buf[:5] = b"hello"
again = shared_memory.SharedMemory(name=block.name)
print(bytes(again.buf[:5]))
again.close()
block.close()
block.unlink()
# %%
multiprocessing.get_start_method(), multiprocessing.get_all_start_methods()


# %%
def local():
    return 1


with multiprocessing.get_context("spawn").Manager() as manager:
    shared = manager.dict(a=1)
    shared["b"] = 2
    print(dict(shared))
