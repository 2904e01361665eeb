"""Shows the embedded MLflow inside JupyterLab, behind Jupyter's own authentication."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from ..core.errors import ForbiddenError, UnavailableError
from .boundary import Boundary

_FORWARD = ("Content-Type", "Accept", "Accept-Language", "Range", "If-None-Match", "X-Mlflow-Workspace")
_RETURN = ("Cache-Control", "Content-Disposition", "ETag", "Last-Modified", "Content-Range")
_TIMEOUT = 60.0
# artifacts are written by notebooks: shown from here they would act as this page's own scripts
_ARTIFACTS = ("get-artifact", "mlflow-artifacts", "artifacts/files", "model-versions/get-artifact")


class MlflowProxyHandler(Boundary):
    """Passes requests on with the token that the embedded server asks for."""

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
            raise ForbiddenError("This request came from another site.")

    @web.authenticated
    @authorized("read", "mlops")
    async def get(self, path: str | None = None) -> None:
        """Pass it on."""
        await self._forward(path)

    @web.authenticated
    @authorized("write", "mlops")
    async def post(self, path: str | None = None) -> None:
        """Pass it on."""
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
        server = self._server()
        query = f"?{self.request.query}" if self.request.query else ""
        headers = {name: self.request.headers[name] for name in _FORWARD if name in self.request.headers}
        headers["Authorization"] = f"Bearer {server['token']}"
        request = HTTPRequest(
            f"http://127.0.0.1:{server['port']}/{path}{query}",
            method=self.request.method or "GET",
            headers=headers,
            body=self.request.body or None,
            allow_nonstandard_methods=True,
            follow_redirects=False,
            request_timeout=_TIMEOUT,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            raise UnavailableError("MLflow is starting, or has ended; try again in a moment.") from error
        if answer.code == 599:
            raise UnavailableError("MLflow is starting, or has ended; try again in a moment.")
        self._pass_back(path, answer)

    def _pass_back(self, path: str, answer: Any) -> None:
        self.set_status(answer.code, answer.reason)
        for name in _RETURN:
            if name in answer.headers:
                self.set_header(name, answer.headers[name])
        if any(part in path for part in _ARTIFACTS):
            self.set_header("Content-Security-Policy", "sandbox")
            self.set_header("X-Content-Type-Options", "nosniff")
        else:
            # shown in a frame of JupyterLab's, and in nobody else's
            self.set_header("Content-Security-Policy", "frame-ancestors 'self'")
        if answer.code not in (204, 304):
            self.write(answer.body or b"")
        # Jupyter would call everything JSON
        self.finish(set_content_type=answer.headers.get("Content-Type", "application/octet-stream"))

    def _server(self) -> dict[str, Any]:
        try:
            text = (self.backend.settings.data_path / "mlflow.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UnavailableError("MLflow starts with the first sweep; there is nothing to show yet.") from None
        server: dict[str, Any] = json.loads(text)
        return server

    @property
    def content_security_policy(self) -> str:
        """Set with each answer instead."""
        return "frame-ancestors 'self'"
