"""A Jupyter server at an address, asked over its REST API."""

from __future__ import annotations

import re
from types import TracebackType
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx
import msgspec

from .. import __version__
from ..core.errors import ConflictError, ForbiddenError, InvalidInputError, MlopsError, NotFoundError, UnavailableError
from ..core.lenient import decode
from ..core.messages import Message, from_json
from ..core.pipelines.records import Pipeline
from ..core.pipelines.requests import Changes, PromoteAnswer, PromoteRequest
from ..core.processes import LOOPBACK
from ..core.record import Record
from ..core.service import API_HEADER, API_VERSION, ErrorBody, Status
from ..core.sweeps import Sweep
from .session import pick_pipeline

# promotion freezes code and asks kernels which packages they have
PATIENCE = httpx.Timeout(15.0, read=300.0, write=300.0)
_ERRORS: dict[int, type[MlopsError]] = {
    error.status: error for error in (InvalidInputError, ForbiddenError, NotFoundError, ConflictError, UnavailableError)
}
R = TypeVar("R", bound=Record)


class Server:
    """A Jupyter server.

    Args:
        address: as a browser shows it; a token in it, and what follows ``/lab`` or ``/tree``, are understood.
        token: empty: the one in the address.

    Raises:
        InvalidInputError: it is no address.
    """

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidInputError(
                Message(
                    "“{address}” is no address of a Jupyter server, such as http://localhost:8888/.", address=address
                )
            )
        token = token or parse_qs(parts.query).get("token", [""])[0]
        path = re.sub(r"/(lab|tree|doc)(/.*)?$", "", parts.path.rstrip("/"))
        self.address = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        self._token = token
        headers = {API_HEADER: str(API_VERSION)} | ({"Authorization": f"token {token}"} if token else {})
        self._client = httpx.Client(
            base_url=f"{self.address}/mlops/",
            headers=headers,
            timeout=PATIENCE,
            # no proxy reaches a server on this machine
            trust_env=parts.hostname not in LOOPBACK,
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def promote(self, request: PromoteRequest) -> PromoteAnswer:
        """Make a pipeline, or the next version of one."""
        # a server from before the API named its version would do it, and then answer what cannot be read
        self._ask("GET", "status", Status)
        return self._ask("POST", "pipelines", PromoteAnswer, request)

    def sweeps(self) -> list[Sweep]:
        """Every sweep of notebooks below its root, newest first."""
        found = self._ask("GET", "changes", Changes).sweeps
        return sorted(found, key=lambda sweep: sweep.created_at, reverse=True)

    def find_pipeline(self, text: str) -> Pipeline:
        """The pipeline that a name, where one alone has it, or the beginning of an id names."""
        known = [found for found in self._ask("GET", "changes", Changes).pipelines if found.deleted_at is None]
        return pick_pipeline(
            known, text, Message("{address} has no pipeline “{text}”.", address=self.address, text=text)
        )

    def _ask(self, method: str, path: str, kind: type[R], body: Record | None = None) -> R:
        content = msgspec.json.encode(body) if body is not None else None
        try:
            answer = self._client.request(method, path, content=content)
        except httpx.TimeoutException:
            raise UnavailableError(Message("{address} does not answer in time.", address=self.address)) from None
        except (httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError) as error:
            raise self._cut_off(content, error) from None
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise UnavailableError(
                Message("{address} does not answer: {error}.", address=self.address, error=error)
            ) from None
        if answer.is_success and answer.headers.get("content-type", "").startswith("application/json"):
            if answer.headers.get(API_HEADER) == str(API_VERSION):
                return decode(msgspec.json.decode(answer.content), kind)
            raise ConflictError(
                Message(
                    "{address} has an older jupyter-mlops than {version}, from which this comes; update it there, "
                    "or install its version here.",
                    address=self.address,
                    version=__version__,
                )
            )
        raise self._refused(answer, content)

    def _refused(self, answer: httpx.Response, content: bytes | None) -> MlopsError:
        try:
            said = msgspec.json.decode(answer.content, type=ErrorBody, dec_hook=from_json)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
            said = ErrorBody(message=Message())
        lets_in = answer.status_code not in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) and not answer.is_redirect
        if not lets_in and (not self._token or not said.message):
            return ForbiddenError(
                Message(
                    "{address} does not let us in; give a token that it accepts, with --token or JUPYTER_TOKEN.",
                    address=self.address,
                )
            )
        # tornado says no more than that where a request is too long
        too_large = (httpx.codes.BAD_REQUEST, httpx.codes.REQUEST_ENTITY_TOO_LARGE)
        if content is not None and answer.status_code in too_large and not said.message:
            return self._too_large(content)
        if said.message:
            error = _ERRORS.get(answer.status_code, UnavailableError)
            return error(said.message, said.fields)
        return UnavailableError(
            Message(
                "No Jupyter server with jupyter-mlops is at {address}: it answers {status_code} {reason_phrase}.",
                address=self.address,
                status_code=answer.status_code,
                reason_phrase=answer.reason_phrase,
            )
        )

    def _cut_off(self, content: bytes | None, error: httpx.TransportError) -> MlopsError:
        if content is not None and len(content) > 1_000_000:
            return self._too_large(content)
        return UnavailableError(
            Message(
                "{address} ended the connection: {error}.", address=self.address, error=error or type(error).__name__
            )
        )

    def _too_large(self, content: bytes) -> MlopsError:
        size = len(content) / 1e6
        return InvalidInputError(
            Message(
                "The files make a request of {size:,.0f} MB, more than {address} takes; freeze less, "
                "or raise its ServerApp.max_body_size.",
                size=size,
                address=self.address,
            )
        )
