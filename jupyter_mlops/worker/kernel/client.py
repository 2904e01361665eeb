"""Kernel client and manager, with a limit on output."""

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
_ROOM_IN_JSON = 2  # bytes of JSON per byte of remaining room; larger messages are not decoded
_SMALL = 4096


class OutputChannel(AsyncZMQSocketChannel):
    """The kernel's output channel; drops output beyond the limit before decoding it.

    One message may have hundreds of megabytes, and decoding it takes several times its size.

    Attributes:
        keeper: knows the remaining room; None means no limit.
    """

    keeper: OutputKeeper | None = None

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:  # type: ignore[override]
        """The next message; one that is too large becomes a short ``stream`` with ``cut`` in its metadata.

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
    """Cut a message to the first ``room`` bytes of a stream's text; other outputs become empty."""
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
                continue  # cut within an escape sequence or character
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
    """A client that notices at once when the kernel is ready, without heartbeat thread.

    Attributes:
        info: the kernel's ``kernel_info_reply``.
    """

    info: Mapping[str, Any] = MappingProxyType({})
    iopub_channel_class = Type(OutputChannel)

    def start_channels(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Open only the shell and output channels; the process is watched instead of a heartbeat.

        The manager uses the control channel under the same identity. A kernel ignores a second connection with that
        identity, so a shutdown request would be lost.
        """
        super().start_channels(**{**kwargs, "hb": False, "stdin": False, "control": False})

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers and the output channel is subscribed.

        Raises:
            RuntimeError: the kernel ended, or did not answer within ``timeout`` seconds.
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
                # any message proves the subscription; no later one is lost
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
    """Starts a kernel's process; :class:`Kernel` manages the rest of its life."""

    client_factory = Type(Client, config=True)
