# What the system knows of the process.
# %%
import os
import resource

print(
    os.getcwd().rpartition("/")[2] != "", oct(os.umask(0o22)), os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid()
)
for name in sorted(vars(resource)):
    if name.startswith("RLIMIT_"):
        print(name, resource.getrlimit(getattr(resource, name)))
# %%
print(
    len(os.sched_getaffinity(0)) == os.cpu_count(), os.sched_getscheduler(0), os.getgroups() == sorted(os.getgroups())
)
print(os.getuid() == os.geteuid(), os.get_terminal_size.__name__, os.ctermid())
for line in open("/proc/self/status"):
    if line.startswith(("Umask", "State", "NoNewPrivs", "Seccomp:", "CapEff", "TracerPid", "Uid", "Gid")):
        print(line.split())
# %%
os.listdir("/proc/self/task") != [], open("/proc/self/comm").read()
# %%
os.open("/dev/tty", os.O_RDWR)
