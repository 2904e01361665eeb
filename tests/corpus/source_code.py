# Where the code of a cell comes from, as Python's own tools see it.
# %%
import inspect
import linecache
import os
import sys
import traceback


def function(x):
    # a comment
    return x + 1


class Class:
    def method(self):
        return 1 / 0


print(inspect.getsource(function), inspect.getsource(Class.method), sep="")
print(function.__code__.co_filename, str(os.getpid()) in function.__code__.co_filename, function.__module__)
# %%
linecache.getline(function.__code__.co_filename, 8), inspect.getsourcelines(function)[1], inspect.getmodule(function)
# %% [raises-exception]
inspect.getsource(Class)
# %%
try:
    Class().method()
except ZeroDivisionError:
    print(traceback.format_exc())
# %%
sys._getframe().f_code.co_name, inspect.stack()[1].filename.rpartition("/")[2]
# %%
import dis

dis.dis(function)
# %%
# below it there is what started the kernel
print(len(traceback.extract_stack()), [frame.name for frame in traceback.extract_stack()][-12:])
# %%
inspect.getfile(Class)
