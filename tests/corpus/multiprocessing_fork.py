# Worker processes forked from the notebook, with functions that it defines.
# %%
import multiprocessing
from concurrent.futures import ProcessPoolExecutor


def square(number):
    return number * number


fork = multiprocessing.get_context("fork")
with fork.Pool(2) as pool:
    print(pool.map(square, range(5)))
with ProcessPoolExecutor(2, mp_context=fork) as pool:
    print(list(pool.map(square, range(3))))


# %%
def child(queue):
    queue.put((multiprocessing.current_process().name, multiprocessing.parent_process().name))


queue = fork.Queue()
process = fork.Process(target=child, args=(queue,))
process.start()
print(queue.get(timeout=20))
process.join(20)
(
    process.exitcode,
    multiprocessing.current_process().name,
    multiprocessing.parent_process(),
    multiprocessing.active_children(),
)


# %%
def raises(number):
    raise ValueError(number)


with fork.Pool(1) as pool:
    pool.map(raises, [1])
