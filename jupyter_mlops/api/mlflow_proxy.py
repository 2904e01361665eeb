"""Shows the embedded MLflow inside JupyterLab, behind Jupyter's own authentication.

What passes through may be larger than memory: answers are handed on piece by piece, no faster than the browser takes
them, and what is sent lies in a file that has no name until it is known who sent it.
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
# to connect, and between two pieces: the whole takes as long as it takes
_CONNECT_TIMEOUT = 5.0
_TIMEOUT = 60.0
_PIECE = 65_536
_IN_MEMORY = 1_000_000
# MLflow's own page works in its tab; it may not lead the browser's window elsewhere, nor be framed by another site
_PAGE = "sandbox allow-scripts allow-same-origin allow-forms allow-popups allow-downloads; frame-ancestors 'self'"
# artifacts are written by notebooks: shown from here they would act as this page's own scripts
_SANDBOX = "sandbox"
_ASSETS = "static-files/"
# what MLflow only looks up although it takes it as POST; whole addresses, so that nothing else can be meant by one
_SEARCHES = re.compile(
    r"graphql|(ajax-)?api/[23]\.0/?mlflow/(((experiments|runs|logged-models|datasets|issues|traces|prompt-optimization/jobs)"
    r"/search)|experiments/search-datasets|registered-models/get-latest-versions|"
    r"traces/(batchGetInfos|calculate-filter-correlation|metrics))"
)


@web.stream_request_body
class MlflowProxyHandler(Boundary):
    """Passes requests on with the token that the embedded server asks for."""

    _sent: SpooledTemporaryFile[bytes] | None = None
    _size = 0

    async def prepare(self) -> None:
        """Take nothing from those who are not signed in.

        Raises:
            HTTPError: nobody is.
        """
        await super().prepare()
        if self.request.method not in ("GET", "HEAD") and not self.current_user:
            raise web.HTTPError(403)

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the request's body; Jupyter's ``max_body_size`` limits the whole."""
        if self._sent is None:
            # not where the system keeps temporary files, which may be memory
            folder = str(self.backend.settings.data_path)
            self._sent = SpooledTemporaryFile(_IN_MEMORY, dir=folder)  # noqa: SIM115
        self._sent.write(chunk)
        self._size += len(chunk)

    def on_finish(self) -> None:
        """Let go of the request's body."""
        if self._sent is not None:
            self._sent.close()
        super().on_finish()

    def check_xsrf_cookie(self) -> None:
        """MLflow's own scripts send no token; where a request came from is checked instead.

        Raises:
            ForbiddenError: another site sent it.
        """
        if self.request.method in ("GET", "HEAD") or not hasattr(self, "_jupyter_current_user"):
            # before anybody knows who asks, tornado calls it; Jupyter does so again when that is known
            return
        site = self.request.headers.get("Sec-Fetch-Site")
        source = self.request.headers.get("Origin") or self.request.headers.get("Referer")
        same = urlsplit(source).netloc == self.request.host if source else False
        if site not in (None, "same-origin") or not (same or self.token_authenticated):
            raise ForbiddenError(Message("This request came from another site."))

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, path: str | None = None) -> None:
        """Pass it on."""
        await self._forward(path)

    @web.authenticated
    async def post(self, path: str | None = None) -> None:
        """Pass it on: a search is a read, though MLflow takes it by this verb."""
        # what is asked for is what is sent on, not what tornado made of it
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
        """Pass it on."""
        await self._forward(path)

    @web.authenticated
    @authorized("write", "mlops")
    async def patch(self, path: str | None = None) -> None:
        """Pass it on."""
        await self._forward(path)

    @web.authenticated
    @authorized("write", "mlops")
    async def delete(self, path: str | None = None) -> None:
        """Pass it on."""
        await self._forward(path)

    async def _forward(self, path: str | None) -> None:
        if path is None:
            # the interface asks for its parts by relative addresses
            self.redirect(self.request.path + "/")
            return
        # an import of 0.1 s that a server which shows no MLflow does not need
        import httpx

        timeout = httpx.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT)
        # nothing of the environment's proxies; without certificates, which are not asked for on this machine
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
        # as it was asked for: names of artifacts may hold what an address cannot
        path = self.request.path.partition(f"{self.base_url}mlops/mlflow/")[2]
        query = f"?{self.request.query}" if self.request.query else ""
        headers = {name: self.request.headers[name] for name in _FORWARD if name in self.request.headers}
        # Jupyter compresses what goes to the browser
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
        # Jupyter would call everything JSON
        kind = answer.headers.get("Content-Type", "application/octet-stream")
        self.set_header("Content-Type", kind)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Security-Policy", _policy(path, kind))
        try:
            async for piece in answer.aiter_raw():
                self.write(piece)
                await self.flush()
        except StreamClosedError:
            # the browser wants no more
            return
        except httpx.HTTPError as error:
            self.log.warning("MLflow ended in the middle of an answer: %s", error)
            # what came must not look whole
            self.detach().close()
            return
        finally:
            await answer.aclose()
        self.finish(set_content_type=kind)

    def _server(self) -> dict[str, Any]:
        try:
            text = (self.backend.settings.data_path / "mlflow.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UnavailableError(
                Message("MLflow starts with the first sweep; there is nothing to show yet.")
            ) from None
        server: dict[str, Any] = json.loads(text)
        return server

    @property
    def content_security_policy(self) -> str:
        """Set with each answer instead."""
        return "frame-ancestors 'self'"


async def _pieces(sent: SpooledTemporaryFile[bytes]) -> AsyncIterator[bytes]:
    sent.seek(0)
    while piece := sent.read(_PIECE):
        yield piece


async def _check_who_answers(event: str, info: dict[str, Any]) -> None:
    """Send nothing, the token least of all, to another user's program that has the port of an MLflow which ended.

    Raises:
        UnavailableError: this user's MLflow has not accepted the connection.
    """
    if event != "connection.connect_tcp.complete":
        return
    # psutil, which a server that shows no MLflow does not need
    from ..tracking.server.peer import is_answered_by_us

    stream = info["return_value"]
    if not await asyncio.to_thread(is_answered_by_us, stream.get_extra_info("socket")):
        await stream.aclose()
        raise UnavailableError(Message("MLflow is starting, or has ended; try again in a moment."))


def _policy(path: str, kind: str) -> str:
    """Content security policy of an answer; only MLflow's own page may run scripts."""
    if not path:
        return _PAGE
    # MLflow's own scripts, which may be workers
    return "frame-ancestors 'self'" if path.startswith(_ASSETS) and "html" not in kind else _SANDBOX
