# The threads that are there before the notebook starts any.
# %%
import os
import threading

print(sorted(thread.name for thread in threading.enumerate()))
print(threading.current_thread() is threading.main_thread(), threading.main_thread().ident == threading.get_ident())
print(threading.get_native_id() == os.getpid(), threading.main_thread().native_id == os.getpid())
print([thread.name for thread in threading.enumerate() if not thread.daemon], threading.stack_size())
# %%
threading.Thread(target=print).name, threading.gettrace(), threading.getprofile()
