"""Finds, measures and kills a kernel's processes. Uses only the standard library on Linux."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass

_LINUX = sys.platform.startswith("linux")
_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_NICENESS = 10
_OOM_SCORE = 700  # of 1,000: ended first


@dataclass(frozen=True)
class Process:
    """One line of the process table.

    Attributes:
        started: start time; distinguishes processes with the same pid.
        memory: resident bytes.
        cpu: seconds used by it and its reaped children.
    """

    pid: int
    parent: int
    group: int
    session: int
    zombie: bool
    started: str
    memory: int
    cpu: float


def _read_stat(pid: int) -> Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    cpu = sum(int(ticks) for ticks in fields[11:15]) / _TICK
    return Process(
        pid=pid,
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        zombie=fields[0] in (b"Z", b"X"),
        started=fields[19].decode(),
        memory=int(fields[21]) * _PAGE,
        cpu=cpu,
    )


def _children(pid: int) -> list[int] | None:
    """Children of a process, empty if it is gone, None if the system does not tell."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
        except FileNotFoundError:
            if os.path.exists(f"/proc/{pid}/task/{thread}"):
                return None
        except ProcessLookupError:
            continue
    return found


def _table_of_psutil() -> dict[int, Process]:
    """The process table on other systems than Linux."""
    import psutil

    table = {}
    for process in psutil.process_iter(["ppid", "status", "create_time", "memory_info", "cpu_times"]):
        found, pid = process.info, process.pid
        with contextlib.suppress(ProcessLookupError, PermissionError):
            table[pid] = Process(
                pid=pid,
                parent=found["ppid"] or 0,
                group=os.getpgid(pid),
                session=os.getsid(pid),
                zombie=found["status"] == psutil.STATUS_ZOMBIE,
                started=str(found["create_time"]),
                memory=found["memory_info"].rss if found["memory_info"] else 0,
                cpu=sum(found["cpu_times"][:4]) if found["cpu_times"] else 0.0,
            )
    return table


def process_table() -> dict[int, Process]:
    """All processes that can be seen, by pid."""
    if not _LINUX:
        return _table_of_psutil()
    found = (_read_stat(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {process.pid: process for process in found if process is not None}


def resident_memory(pid: int) -> int:
    """Resident bytes of a process, 0 if it is gone or the system does not tell."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def _memory(pid: int, file: str, label: bytes) -> int | None:
    """Bytes in the line of a file in /proc that starts with a label; None if the system does not tell."""
    try:
        with open(f"/proc/{pid}/{file}", "rb") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(label)), None)
    except OSError:
        return None


class ProcessGroup:
    """A kernel and all its descendants, including those that left its process group.

    Args:
        pid: of the kernel, the leader of its own session and process group.
        started: start time of the kernel as in :class:`Process`; read from the system if empty.

    Attributes:
        reaped: whether a fork server ends orphaned descendants, so that they need not be searched for.
    """

    def __init__(self, pid: int, started: str = "") -> None:
        self.pid = pid
        self.reaped = False
        own = _read_stat(pid) if _LINUX else None
        self.started = started or (own.started if own else "")
        self.peak_memory = 0
        self.cpu_seconds = 0.0
        self._seen: dict[int, str] = {}
        self._lock = threading.Lock()

    def members(self, zombies: bool = False) -> list[Process]:
        """Every living process of the group, of its session, and all their descendants."""
        if self.reaped and (tree := self._tree()) is not None:
            return [process for process in tree if zombies or not process.zombie]
        table = process_table()
        leader = table.get(self.pid)
        # the pid may have been reused after the leader's end
        reused = leader is not None and self.started not in ("", leader.started)
        found: dict[int, Process] = {}
        for process in table.values():
            ours = not reused and self.pid in (process.pid, process.group, process.session)
            if ours or self._seen.get(process.pid) == process.started:
                found[process.pid] = process
        children: dict[int, list[Process]] = {}
        for process in table.values():
            children.setdefault(process.parent, []).append(process)
        todo = list(found)
        while todo:
            for child in children.get(todo.pop(), ()):
                if child.pid not in found:
                    found[child.pid] = child
                    todo.append(child.pid)
        # remember members, so that they are found even after their parent has ended
        self._seen = {process.pid: process.started for process in found.values()}
        return [process for process in found.values() if zombies or not process.zombie]

    def _tree(self) -> list[Process] | None:
        """The leader and its descendants, found without reading other processes; None if the system does not tell."""
        found: dict[int, Process] = {}
        todo = [self.pid] if _LINUX else []
        while todo:
            pid = todo.pop()
            process = _read_stat(pid)
            if process is None or (pid == self.pid and self.started not in ("", process.started)):
                continue
            found[pid] = process
            children = _children(pid)
            if children is None:
                return None
            todo += children
        self._seen.update((process.pid, process.started) for process in found.values())
        return list(found.values()) if _LINUX else None

    def sample(self) -> None:
        """Measure the group's memory and CPU time."""
        with self._lock:
            tree = self._tree()
            members = self.members(zombies=True) if tree is None else tree
            self.cpu_seconds = max(self.cpu_seconds, sum(process.cpu for process in members))
            living = [process for process in members if not process.zombie]
            memory = sum(process.memory for process in living)
            if len(living) > 1 and _LINUX:
                # forked processes share pages, which a plain sum would count repeatedly
                shares = [(_memory(process.pid, "smaps_rollup", b"Pss:"), process.memory) for process in living]
                memory = sum(plain if share is None else share for share, plain in shares)
            self.peak_memory = max(self.peak_memory, memory, _memory(self.pid, "status", b"VmHWM:") or 0)

    def kill(self, patience: float = 1.0) -> bool:
        """Kill all members; False if some are left after ``patience`` seconds."""
        with self._lock:
            deadline = time.monotonic() + patience
            while members := self.members():
                if any(process.group == self.pid for process in members):
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(self.pid, signal.SIGKILL)
                for process in members:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(process.pid, signal.SIGKILL)
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
            return True

    def step_back(self) -> None:
        """Lower the group's priority, and make it the first victim when memory runs out."""
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PGRP, self.pid, _NICENESS)
        if _LINUX:
            with (
                contextlib.suppress(OSError),
                open(f"/proc/{self.pid}/oom_score_adj", "w") as file,
            ):
                file.write(str(_OOM_SCORE))
