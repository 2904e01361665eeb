"""The user at the other end of a local connection, according to the operating system."""

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


def is_same_user(end: Address, other: Address) -> bool:
    """Whether one end of an IPv4 connection belongs to this process's user; False if unknown.

    Args:
        end: the end to check, address and port; a process must have it open.
        other: the opposite end.
    """
    if sys.platform == "linux":
        try:
            return _owned_by_netlink(end, other)
        except OSError:
            # a sandbox may forbid netlink
            return _owned_by_psutil(end, other)
    return _owned_by_psutil(end, other)


def is_accepted_by_same_user(connection: socket.socket, seconds: float = 5.0) -> bool:
    """Whether a server of this user accepts a connection within some seconds.

    Until the server accepts it, the connection can be written to but has no owner.
    """
    deadline = time.monotonic() + seconds
    here, there = connection.getsockname(), connection.getpeername()
    while not is_same_user(there, here):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _owned_by_netlink(end: Address, other: Address) -> bool:
    """Look the connection up through netlink, in about 20 microseconds.

    Raises:
        OSError: netlink is not available.
    """
    ends = _ENDS.pack(end[1], other[1], socket.inet_aton(end[0]), socket.inet_aton(other[0]))
    question = _QUESTION.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY_STATE) + ends + b"\0" * 4 + _NO_COOKIE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as netlink:
        netlink.settimeout(1)
        netlink.send(_HEADER.pack(_HEADER.size + len(question), _SOCK_DIAG_BY_FAMILY, _REQUEST, 0, 0) + question)
        answer = netlink.recv(4096)
    if _HEADER.unpack_from(answer)[1] != _SOCK_DIAG_BY_FAMILY:
        # an error: no such connection, or a kernel without this feature
        return _owned_by_psutil(end, other)
    family, state, found, user, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    # a connection not yet accepted, or closed, shows as root's with inode 0;
    # for one that does not exist Linux may return a listener
    is_open = (family, state, found[: _ENDS.size]) == (socket.AF_INET, _ESTABLISHED, ends) and inode != 0
    return is_open and user == os.geteuid()


def _owned_by_psutil(end: Address, other: Address) -> bool:
    """Search this user's processes: slower, but portable."""
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
