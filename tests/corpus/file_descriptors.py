# Which files are open at the start, which of them children get, and that none is lost.
# %%
import fcntl
import os
import re
import subprocess


def kinds():
    found = []
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            found.append((number, re.sub(r"\[\d+\]", "", os.readlink(f"/proc/self/fd/{number}"))))
        except FileNotFoundError:
            pass
    return found


print(sorted({kind for number, kind in kinds() if number > 2}))
print([kind for number, kind in sorted(kinds()) if number <= 2])
print([kind for number, kind in kinds() if number > 2 and not fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC])
# %%
children = subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True, close_fds=False)
children.stdout.split()
# %%
opened = [open("some.txt", "w") for _ in range(3)]
print([kind.rpartition("/")[2] for number, kind in kinds()].count("some.txt"))
del opened
print([kind.rpartition("/")[2] for number, kind in kinds()].count("some.txt"))
# %%
os.closerange(200, 300)
print("closed what is not ours")
