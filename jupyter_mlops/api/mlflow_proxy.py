"""Shows the embedded MLflow inside JupyterLab, behind Jupyter's own authentication.

Bodies may be larger than memory: responses are streamed at the browser's pace, and requests are buffered in an unnamed
file until the sender is authenticated.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from ..core.errors import ForbiddenError, InvalidInputError, UnavailableError
from ..core.messages import Message
from .boundary import Boundary

if TYPE_CHECKING:
    import httpx

_FORWARD = ("Content-Type", "Accept", "Accept-Language", "Range", "If-None-Match", "X-Mlflow-Workspace")
_RETURN = (
    *("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range"),
    *("ETag", "Last-Modified"),
)
# seconds to connect, and between two chunks
_CONNECT_TIMEOUT = 5.0
_TIMEOUT = 60.0
_PIECE = 65_536
_IN_MEMORY = 1_000_000
# MLflow's page must not navigate the browser's window, nor be framed by another site
_PAGE = "sandbox allow-scripts allow-same-origin allow-forms allow-popups allow-downloads; frame-ancestors 'self'"
# notebooks write artifacts: unsandboxed, their scripts would run in Jupyter's origin
_SANDBOX = "sandbox"
_ASSETS = "static-files/"
# reads that MLflow takes as POST; matched as whole paths
_SEARCHES = re.compile(
    r"graphql|(ajax-)?api/[23]\.0/?mlflow/(((experiments|runs|logged-models|datasets|issues|traces|prompt-optimization/jobs)"
    r"/search)|experiments/search-datasets|registered-models/get-latest-versions|"
    r"traces/(batchGetInfos|calculate-filter-correlation|metrics))"
)


@web.stream_request_body
class MlflowProxyHandler(Boundary):
    """Forwards requests with the embedded server's token."""

    _sent: SpooledTemporaryFile[bytes] | None = None
    _size = 0

    async def prepare(self) -> None:
        """Refuse bodies of users who are not signed in.

        Raises:
            HTTPError: no user is signed in.
        """
        await super().prepare()
        if self.request.method not in ("GET", "HEAD") and not self.current_user:
            raise web.HTTPError(403)

    def data_received(self, chunk: bytes) -> None:
        """Buffer a chunk of the request's body; Jupyter's ``max_body_size`` limits the total."""
        if self._sent is None:
            # the system's temporary folder may be in memory
            folder = str(self.backend.settings.data_path)
            self._sent = SpooledTemporaryFile(_IN_MEMORY, dir=folder)  # noqa: SIM115
        self._sent.write(chunk)
        self._size += len(chunk)

    def on_finish(self) -> None:
        """Drop the request's body."""
        if self._sent is not None:
            self._sent.close()
        super().on_finish()

    def check_xsrf_cookie(self) -> None:
        """Check the request's origin, as MLflow's scripts send no token.

        Raises:
            ForbiddenError: the request comes from another site.
        """
        if self.request.method in ("GET", "HEAD") or not hasattr(self, "_jupyter_current_user"):
            # tornado calls this before authentication, Jupyter again after it
            return
        site = self.request.headers.get("Sec-Fetch-Site")
        source = self.request.headers.get("Origin") or self.request.headers.get("Referer")
        same = urlsplit(source).netloc == self.request.host if source else False
        if site not in (None, "same-origin") or not (same or self.token_authenticated):
            raise ForbiddenError(Message("This request came from another site."))

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, path: str | None = None) -> None:
        """Forward the request."""
        await self._forward(path)

    @web.authenticated
    async def post(self, path: str | None = None) -> None:
        """Forward the request; MLflow's searches need read permission only."""
        # the raw path, which is what is forwarded, not tornado's decoded one
        asked = self.request.path.partition(f"{self.base_url}mlops/mlflow/")[2]
        await (self._search(path) if _SEARCHES.fullmatch(asked) else self._change(path))

    @authorized("read", "mlops")
    async def _search(self, path: str | None) -> None:
        await self._forward(path)

    @authorized("write", "mlops")
    async def _change(self, path: str | None) -> None:
        await self._forward(path)

    @web.authenticated
    @authorized("write", "mlops")
    async def put(self, path: str | None = None) -> None:
        """Forward the request."""
        await self._forward(path)

    @web.authenticated
    @authorized("write", "mlops")
    async def patch(self, path: str | None = None) -> None:
        """Forward the request."""
        await self._forward(path)

    @web.authenticated
    @authorized("write", "mlops")
    async def delete(self, path: str | None = None) -> None:
        """Forward the request."""
        await self._forward(path)

    async def _forward(self, path: str | None) -> None:
        if path is None:
            # MLflow's page uses relative addresses
            self.redirect(self.request.path + "/")
            return
        # imported late: it takes 0.1 s
        import httpx

        timeout = httpx.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT)
        # no proxies, and no certificates on the loopback interface
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=timeout) as client:  # noqa: S501
            try:
                answer = await client.send(self._request(client), stream=True)
            except httpx.InvalidURL as error:
                raise InvalidInputError(Message("This is no address: {error}.", error=error)) from None
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                raise UnavailableError(Message("MLflow is starting, or has ended; try again in a moment.")) from error
            except httpx.TimeoutException as error:
                raise UnavailableError(
                    Message("MLflow did not answer for {timeout:.0f} s; try again later.", timeout=_TIMEOUT)
                ) from error
            except httpx.TransportError as error:
                raise UnavailableError(Message("MLflow ended before it answered; try again in a moment.")) from error
            await self._pass_back(path, answer)

    def _request(self, client: httpx.AsyncClient) -> httpx.Request:
        server = self._server()
        # the raw path: decoded artifact names may be invalid in addresses
        path = self.request.path.partition(f"{self.base_url}mlops/mlflow/")[2]
        query = f"?{self.request.query}" if self.request.query else ""
        headers = {name: self.request.headers[name] for name in _FORWARD if name in self.request.headers}
        # Jupyter compresses the response itself
        headers |= {"Authorization": f"Bearer {server['token']}", "Accept-Encoding": "identity"}
        if self._sent is not None:
            headers["Content-Length"] = str(self._size)
        return client.build_request(
            self.request.method or "GET",
            f"http://127.0.0.1:{server['port']}/{path}{query}",
            headers=headers,
            content=None if self._sent is None else _pieces(self._sent),
            extensions={"trace": _check_who_answers},
        )

    async def _pass_back(self, path: str, answer: httpx.Response) -> None:
        import httpx

        self.set_status(answer.status_code, answer.reason_phrase)
        for name in _RETURN:
            if name in answer.headers:
                self.set_header(name, answer.headers[name])
        # APIHandler's default is JSON
        kind = answer.headers.get("Content-Type", "application/octet-stream")
        self.set_header("Content-Type", kind)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", _policy(path, kind))
        try:
            async for piece in answer.aiter_raw():
                self.write(piece)
                await self.flush()
        except StreamClosedError:
            # the browser closed the connection
            return
        except httpx.HTTPError as error:
            self.log.warning("MLflow ended in the middle of an answer: %s", error)
            # a truncated response must not look complete
            self.detach().close()
            return
        finally:
            await answer.aclose()
        self.finish(set_content_type=kind)

    def _server(self) -> dict[str, Any]:
        try:
            text = (self.backend.settings.data_path / "mlflow.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UnavailableError(Message("MLflow has not been started yet.")) from None
        server: dict[str, Any] = json.loads(text)
        return server

    @property
    def content_security_policy(self) -> str:
        """Default; each answer sets its own."""
        return "frame-ancestors 'self'"


async def _pieces(sent: SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
    sent.seek(0)
    while piece := sent.read(_PIECE):
        yield piece


async def _check_who_answers(event: str, info: dict[str, Any]) -> None:
    """Send no token to another user's program that took the port of a stopped MLflow.

    Raises:
        UnavailableError: this user's MLflow did not accept the connection.
    """
    if event != "connection.connect_tcp.complete":
        return
    # imports psutil
    from ..tracking.server.peer import is_accepted_by_same_user

    stream = info["return_value"]
    if not await asyncio.to_thread(is_accepted_by_same_user, stream.get_extra_info("socket")):
        await stream.aclose()
        raise UnavailableError(Message("MLflow is starting, or has ended; try again in a moment."))


def _policy(path: str, kind: str) -> str:
    """Content security policy of an answer; only MLflow's own page may run scripts."""
    if not path:
        return _PAGE
    # MLflow's own scripts may run as workers
    return "frame-ancestors 'self'" if path.startswith(_ASSETS) and "html" not in kind else _SANDBOX
