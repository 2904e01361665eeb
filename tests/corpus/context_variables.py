# Context variables, weak references and generators across cells.
# %%
import contextvars
import gc
import weakref

choice = contextvars.ContextVar("choice", default="none")
token = choice.set("first")
choice.get()
# %%
choice.get(), contextvars.copy_context().get(choice)


# %%
def generator():
    try:
        yield 1
    finally:
        print("closed")


running = generator()
next(running)
# %%
del running


# %%
class Thing:
    pass


thing = Thing()
reference = weakref.ref(thing)
del thing
gc.collect()
reference() is None
# %%
from contextlib import ExitStack

stack = ExitStack()
stack.callback(print, "unwound")
stack.close()
