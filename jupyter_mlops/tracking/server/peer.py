"""Which user has the other end of a connection on this machine: the operating system says, not the other end."""

from __future__ import annotations

import os
import socket
import struct
import sys
import time

import psutil

Address = tuple[str, int]

# of linux/sock_diag.h and linux/inet_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_ESTABLISHED = 1
_ANY_STATE = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI")
_ENDS = struct.Struct("!HH4s12x4s12x")
_ANSWER = struct.Struct("=BBxx48s12xII")
_POLL_SECONDS = 0.02


def is_ours(end: Address, other: Address) -> bool:
    """Whether one end of an IPv4 connection belongs to the user that this process runs as.

    What cannot be found out counts as no.

    Args:
        end: the end to look at, address and port; a process must have it open.
        other: the opposite end.
    """
    if sys.platform == "linux":
        try:
            return _diagnosed(end, other)
        except OSError:
            # a sandbox that does not answer such questions
            return _owned(end, other)
    return _owned(end, other)


def is_answered_by_us(connection: socket.socket, seconds: float = 5.0) -> bool:
    """Whether a server of this user has accepted a connection; waits until one has, at most some seconds.

    A connection that waits for its server to accept it has no owner yet, even where it can be written to.
    """
    deadline = time.monotonic() + seconds
    here, there = connection.getsockname(), connection.getpeername()
    while not is_ours(there, here):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _diagnosed(end: Address, other: Address) -> bool:
    """By asking Linux for the one connection, in some 20 microseconds.

    Raises:
        OSError: it is not to be asked.
    """
    ends = _ENDS.pack(end[1], other[1], socket.inet_aton(end[0]), socket.inet_aton(other[0]))
    question = _QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY_STATE) + ends + b"\0" * 4 + _NO_COOKIE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1)
        netlink.send(_HEADER.pack(_HEADER.size + len(question), _SOCK_DIAG_BY_FAMILY, _REQUEST, 0, 0) + question)
        answer = netlink.recv(4096)
    if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        # an error: there is no such connection, or this Linux was built without the answer
        return _owned(end, other)
    family, state, found, user, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    # an end that no process has open is written as root's, with inode 0: not accepted yet, or closed.
    # Where there is no such connection, Linux may name a listener
    is_open = (family, state, found[: _ENDS.size]) == (socket.AF_INET, _ESTABLISHED, ends) and inode != 0
    return is_open and user == os.geteuid()


def _owned(end: Address, other: Address) -> bool:
    """By the connections of this user's processes: slower, and the same everywhere."""
    for process in psutil.process_iter():
        try:
            if process.uids().effective != os.geteuid():
                continue
            for found in process.net_connections("tcp4"):
                if (found.laddr, found.raddr, found.status) == (end, other, psutil.CONN_ESTABLISHED):
                    return True
        except psutil.Error:
            continue
    return False
