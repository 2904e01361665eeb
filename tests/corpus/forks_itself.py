# A notebook that forks itself; the child leaves in several ways.
# %%
import os
import sys
import time

child = os.fork()
if child == 0:
    os._exit(5)
os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
# %%
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    os.write(writer, b"hello from the child")
    os._exit(0)
os.close(writer)
os.read(reader, 100), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
# %%
sys.stdout.flush()
child = os.fork()
if child == 0:
    os.execvp("true", ["true"])
os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
# %%
child = os.fork()
if child == 0:
    os.kill(os.getpid(), 9)
os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "the notebook goes on"
