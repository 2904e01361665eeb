# Handlers that are called when the kernel ends, last registered first.
# %%
import atexit
import os
import threading

log = open("order.txt", "w")
atexit.register(lambda: (log.write("registered first\n"), log.close()))
atexit.register(log.write, "registered second\n")
first = os.getpid()
atexit.register(lambda: log.write(f"same process: {os.getpid() == first}\n"))


@atexit.register
def fails():
    raise ValueError("at the end")


# %%
import weakref


class Held:
    pass


held = Held()
weakref.finalize(held, lambda: open("finalized.txt", "w").write("finalized\n"))
