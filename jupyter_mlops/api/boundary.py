"""The one request boundary: parsing, paths, errors."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import ensure_async
from tornado import web

from .. import __version__
from ..core.errors import ConflictError, ForbiddenError, InvalidInputError, MlopsError, NotFoundError, TooManyCallsError
from ..core.messages import Message, to_wire
from ..core.parameters import NotebookInfo
from ..core.pipelines.records import Pipeline
from ..core.pipelines.requests import Changes, PipelineDetails, PromoteAnswer
from ..core.record import Record
from ..core.service import API_HEADER, API_VERSION, ErrorBody
from ..core.sweeps import Sweep, SweepRequest
from ..core.values import MAX_DEPTH, nests_too_deep
from .backend import Backend

if TYPE_CHECKING:
    from ..services.pipelines.requests import Pipelines
    from ..services.sweeps.requests import Sweeps

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Boundary(APIHandler):
    """Base of all handlers under ``/mlops/``."""

    @property
    def backend(self) -> Backend:
        """The store and the services, opened with the first request."""
        backend: Backend = self.settings["mlops_backend"]
        return backend

    @property
    def root(self) -> Path:
        """The server's root folder, without links."""
        return self.backend.root

    def set_default_headers(self) -> None:
        """Name the API's version in every answer, so that a page of another version sees that it is one."""
        super().set_default_headers()
        self.set_header(API_HEADER, str(API_VERSION))

    async def prepare(self) -> None:
        """Refuse a page or command line that says that it is of another version of the API.

        Raises:
            ConflictError: it is.
        """
        await super().prepare()
        theirs = self.request.headers.get(API_HEADER, str(API_VERSION))
        if theirs == str(API_VERSION):
            return
        if theirs.isdecimal() and int(theirs[:9]) < API_VERSION:
            raise ConflictError(
                Message(
                    "The server has jupyter-mlops {version}, which is newer than what sent this request: "
                    "reload the page, or install this version where you work.",
                    version=__version__,
                )
            )
        raise ConflictError(
            Message(
                "The server still runs jupyter-mlops {version}, which is older than what sent this request: "
                "update it there, and restart the Jupyter server.",
                version=__version__,
            )
        )

    def body(self, kind: type[R]) -> R:
        """The request's body as a record.

        Raises:
            InvalidInputError: the body does not match the record; the message names the field.
        """
        body = self.request.body or b"{}"
        if nests_too_deep(body):
            raise InvalidInputError(Message("The request is nested more than {max_depth} deep.", max_depth=MAX_DEPTH))
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.ValidationError as error:
            said, name = _validation_error(str(error))
            where = f"{name}: " if name else ""
            raise InvalidInputError(
                Message("The request does not fit: {where}{said}.", where=where, said=said),
                {name: Message.verbatim(said)} if name else {},
            ) from None
        except ValueError:
            raise InvalidInputError(Message("The request's body is not valid JSON.")) from None

    def check_xsrf_cookie(self) -> None:
        """Tell an unknown token from a page without its cookie.

        Raises:
            ForbiddenError: either is the case.
        """
        try:
            super().check_xsrf_cookie()
        except web.HTTPError as error:
            if self.request.headers.get("Authorization") or self.get_query_argument("token", ""):
                message = Message(
                    "This Jupyter server does not accept the token; take the one that “jupyter server list” shows."
                )
            elif "xsrf" in str(error.log_message).lower():
                message = Message("The page's cookie is missing from this request; reload the page, or send a token.")
            else:
                raise
            raise ForbiddenError(message) from error

    async def call(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Call a blocking function in a thread."""
        return await asyncio.to_thread(function, *arguments, **options)

    async def from_sweeps(self, work: Callable[[Sweeps], Any], *, wake: bool = False) -> None:
        """Answer what ``work`` returns, called in a thread.

        Args:
            work: takes the service for notebooks, sweeps and runs.
            wake: start the background process if none is running.
        """
        await self._respond(self.backend.open, work, wake)

    async def from_pipelines(self, work: Callable[[Pipelines], Any], *, wake: bool = False) -> None:
        """As :meth:`from_sweeps`, with the service for pipelines."""
        await self._respond(self.backend.open_pipelines, work, wake)

    async def _respond(self, open_service: Callable[[], T], work: Callable[[T], Any], wake: bool) -> None:
        answer = await self.call(lambda: work(open_service()))
        if wake:
            await self.call(self.backend.wake)
        self.answer(answer)

    async def kernelspecs(self) -> dict[str, Any]:
        """Kernels that this server offers."""
        specs: dict[str, Any] = await ensure_async(self.kernel_spec_manager.get_all_specs())
        return specs

    def file(self, path: str) -> Path:
        """The absolute path of one relative to the server's root.

        Raises:
            ForbiddenError: it leaves the root.
            InvalidInputError: it is empty or malformed.
        """
        if not path:
            raise InvalidInputError(
                Message("Say which notebook: the path is missing."), {"path": Message("is missing")}
            )
        try:
            file = (self.root / path.lstrip("/")).resolve()
        except (ValueError, OSError, RuntimeError):
            # a NUL, or a loop of symbolic links
            raise InvalidInputError(
                Message("This path cannot be followed."), {"path": Message("cannot be followed")}
            ) from None
        if not file.is_relative_to(self.root):
            raise ForbiddenError(
                Message("This path lies outside the folder that this server serves."), {"path": Message("is outside")}
            )
        return file

    def relative(self, path: str) -> str:
        """An absolute path relative to the server's root."""
        return Path(path).relative_to(self.root).as_posix()

    def outward(self, record: Any) -> Any:
        """A record with its paths relative to the server's root."""
        if isinstance(record, Changes):
            return msgspec.structs.replace(
                record,
                sweeps=[self.outward(sweep) for sweep in record.sweeps],
                pipelines=[self.outward(pipeline) for pipeline in record.pipelines],
            )
        if isinstance(record, Sweep | SweepRequest):
            return msgspec.structs.replace(record, path=self.relative(record.path))
        if isinstance(record, Pipeline):
            project = self.relative(record.project) if Path(record.project).is_relative_to(self.root) else ""
            return msgspec.structs.replace(record, path=self.relative(record.path), project=project)
        if isinstance(record, PipelineDetails | PromoteAnswer):
            return msgspec.structs.replace(record, pipeline=self.outward(record.pipeline))
        if isinstance(record, NotebookInfo):
            path = self.relative(record.path)
            draft = record.draft and msgspec.structs.replace(record.draft, path=path)
            saved = record.saved and msgspec.structs.replace(record.saved, path=path)
            return msgspec.structs.replace(record, path=path, draft=draft, saved=saved)
        return record

    def answer(self, record: Any) -> None:
        """Finish with a record, or with an empty body for None, under the operation's status."""
        self.set_status(getattr(self, str(self.request.method).lower()).operation.status)
        if record is None:
            self.finish()
            return
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(self.outward(record), enc_hook=to_wire))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write every error as an :class:`ErrorBody`."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        body = ErrorBody(message=Message("Something went wrong inside; see the server's log."))
        if isinstance(error, MlopsError):
            status_code = error.status
            if isinstance(error, TooManyCallsError):
                self.set_header("Retry-After", str(error.seconds))
            body = ErrorBody(message=error.message, fields=error.fields)
        elif isinstance(error, web.HTTPError):
            body = ErrorBody(message=_sentence(error, status_code))
        self.set_status(status_code)
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(body, enc_hook=to_wire))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log no traceback for a user's mistake."""
        if not isinstance(value, MlopsError):
            super().log_exception(typ, value, tb)

    def flag(self, name: str) -> bool | None:
        """A query argument that is 0 or 1, None where it is missing.

        Raises:
            InvalidInputError: it is something else.
        """
        text = self.get_query_argument(name, "")
        if text not in ("", "0", "1"):
            raise InvalidInputError(Message("{name} must be 0 or 1.", name=name), {name: Message("must be 0 or 1")})
        return None if not text else text == "1"

    def number(self, name: str, digits: int = 18) -> int:
        """A query argument that is a whole number, 0 where it is missing.

        Raises:
            InvalidInputError: it is something else.
        """
        text = self.get_query_argument(name, "0")
        if not re.fullmatch(f"[0-9]{{1,{digits}}}", text):
            raise InvalidInputError(
                Message("{name} must be a whole number.", name=name), {name: Message("must be a whole number")}
            )
        return int(text)


def _validation_error(text: str) -> tuple[str, str]:
    """Reason and field of msgspec's error, such as “… unknown field `x` - at `$.sampler`”."""
    said, _, place = text.partition(" - at `$")
    inner = re.search(r"field `(.*)`", said)
    name = ".".join(part for part in (place.strip("`."), inner[1] if inner else "") if part)
    if bound := re.fullmatch(r"Expected `(\w+)` (of length )?([<>]=) (\S+)", said):
        kind, of_length, relation, limit = bound.groups()
        unit = {"str": " characters", "object": " entries", "array": " entries"}[kind] if of_length else ""
        said = f"it may be {limit}{unit} at {'most' if relation == '<=' else 'least'}"
    return said, name


def _sentence(error: web.HTTPError, status: int) -> Message:
    if error.log_message:
        return Message.verbatim(str(error.log_message % error.args if error.args else error.log_message))
    sentences = {
        403: Message("You may not do this; sign in to this Jupyter server, or ask its administrator."),
        405: Message("This address does not take requests of this kind."),
    }
    reason = error.reason or http.client.responses.get(status)
    return sentences.get(status) or (Message.verbatim(reason) if reason else Message("Something went wrong."))


class UnknownHandler(Boundary):
    """Any other address under ``/mlops/``."""

    async def prepare(self) -> None:
        """Answer 404."""
        raise NotFoundError(Message("There is no {path}.", path=self.request.path))
