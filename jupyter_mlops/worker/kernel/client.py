"""The client of a kernel, and how much output it keeps."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from queue import Empty
from types import MappingProxyType
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager
from traitlets import Type

from ..outputs import OutputKeeper

_OUTPUT = frozenset({"stream", "display_data", "execute_result", "update_display_data"})


_ROOM_IN_JSON = 2  # bytes of JSON that a byte of text may take before reading it all is too much


_SMALL = 4096


class OutputChannel(AsyncZMQSocketChannel):
    """The kernel's output; what a notebook has no room for is thrown away before it takes memory.

    A kernel may send hundreds of megabytes in one message, and reading one takes several times its size.

    Attributes:
        keeper: knows how much output is still wanted, None for all.
    """

    keeper: OutputKeeper | None = None

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        """The next message. One that is too large comes as a short ``stream`` with ``cut`` in its metadata.

        Raises:
            Empty: none came within ``timeout`` seconds.
        """
        while True:
            if timeout is not None and not await self.socket.poll(int(timeout * 1000)):
                raise Empty
            frames = await self.socket.recv_multipart(copy=False)
            if self.keeper is not None:
                room, enough = self.keeper.room, self.keeper.cut
                start = next(n for n, frame in enumerate(frames) if frame.bytes == b"<IDS|MSG>")
                content = frames[start + 5].buffer
                if enough or len(content) > _ROOM_IN_JSON * room + _SMALL:
                    header = json.loads(frames[start + 2].bytes)
                    if header["msg_type"] in _OUTPUT:
                        if enough:
                            continue
                        return shortened(header, json.loads(frames[start + 3].bytes), content, room)
            _, message = self.session.feed_identities([frame.bytes for frame in frames])
            return self.session.deserialize(message)


def shortened(header: dict[str, Any], parent: dict[str, Any], content: memoryview, room: int) -> dict[str, Any]:
    """A message that holds the first ``room`` bytes of a stream's text, and nothing of any other output."""
    first = bytes(content[:_SMALL])
    name = re.search(rb'"name":\s*"(\w+)"', first + bytes(content[-_SMALL:]))
    begin = re.search(rb'"text":\s*"', first)
    text = ""
    if header["msg_type"] == "stream" and begin is not None:
        piece = bytes(content[begin.end() : begin.end() + room])
        for end in range(len(piece), max(0, len(piece) - 12), -1):
            try:
                text = json.loads(b'"' + piece[:end] + b'"')
                break
            except ValueError:
                continue  # it ends within an escape sequence or a character
    return {
        "header": header,
        "msg_id": header["msg_id"],
        "msg_type": "stream",
        "parent_header": parent,
        "metadata": {"cut": True},
        "content": {"name": name[1].decode() if name else "stdout", "text": text},
        "buffers": [],
    }


class Client(AsyncKernelClient):
    """A client that is ready as soon as the kernel is, and keeps no heartbeat thread.

    Attributes:
        info: what the kernel said of itself when it was ready.
    """

    info: Mapping[str, Any] = MappingProxyType({})
    iopub_channel_class = Type(OutputChannel)

    def start_channels(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Open the sockets for requests and output; the process is watched instead of its heartbeat.

        The manager speaks on the control channel, under the same identity: of two such connections a kernel
        hears only the one that came first, and a request to end would be lost.
        """
        super().start_channels(**{**kwargs, "hb": False, "stdin": False, "control": False})

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and its output reaches us.

        Raises:
            RuntimeError: it ended before, or did not answer within ``timeout`` seconds.
        """
        deadline = time.monotonic() + (timeout or 3600.0)
        asked = self.kernel_info()
        while time.monotonic() < deadline:
            try:
                message = await self.shell_channel.get_msg(timeout=0.1)
            except Empty:
                if not await self.is_alive():
                    raise RuntimeError("The kernel ended before it was ready.") from None
                continue
            if message["msg_type"] != "kernel_info_reply":
                continue
            try:
                # any message shows that we are subscribed; none after us can be lost any more
                await self.iopub_channel.get_msg(timeout=1.0)
            except Empty:
                asked = self.kernel_info()
                continue
            if message["parent_header"].get("msg_id") == asked:
                self._handle_kernel_info_reply(message)
                self.info = message["content"]
                return
        raise RuntimeError(f"The kernel did not answer within {timeout:.0f} s.")


class Manager(AsyncKernelManager):
    """Starts a kernel as a process; everything else about its life is :class:`Kernel`'s."""

    client_factory = Type(Client, config=True)
