"""The one request boundary: parsing, paths, errors. Authorization is written on each verb."""

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

from ..core.errors import ForbiddenError, InvalidInputError, MlopsError, NotFoundError, TooManyCallsError
from ..core.messages import Message
from ..core.parameters import NotebookInfo
from ..core.pipelines.records import Pipeline
from ..core.pipelines.requests import PipelineDetails, PromoteAnswer
from ..core.record import Record
from ..core.service import ErrorBody
from ..core.sweeps import Sweep, SweepRequest
from ..core.values import MAX_DEPTH, too_deep
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

    def body(self, kind: type[R]) -> R:
        """The request's body as a record.

        Raises:
            InvalidInputError: it is none; the sentence names the field.
        """
        body = self.request.body or b"{}"
        if too_deep(body):
            raise InvalidInputError(Message("The request is nested more than {max_depth} deep.", max_depth=MAX_DEPTH))
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.ValidationError as error:
            said, name = _misfit(str(error))
            where = f"{name}: " if name else ""
            raise InvalidInputError(
                Message("The request does not fit: {where}{said}.", where=where, said=said),
                {name: Message.verbatim(said)} if name else {},
            ) from None
        except ValueError:
            raise InvalidInputError(Message("The request's body is not valid JSON.")) from None

    def check_xsrf_cookie(self) -> None:
        """Say which of two things is wrong: a token that this server does not know, or a page without its cookie.

        Raises:
            ForbiddenError: one of them is.
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
        """Call what blocks in a thread, so that the server answers others meanwhile."""
        return await asyncio.to_thread(function, *arguments, **options)

    async def kernelspecs(self) -> dict[str, Any]:
        """Kernels that this server offers."""
        specs: dict[str, Any] = await ensure_async(self.kernel_spec_manager.get_all_specs())
        return specs

    def file(self, path: str) -> Path:
        """An absolute path for one on the wire.

        Raises:
            ForbiddenError: it leaves the server's root.
            InvalidInputError: it is empty, or no path.
        """
        if not path:
            raise InvalidInputError(
                Message("Say which notebook: the path is missing."), {"path": Message("is missing")}
            )
        try:
            file = (self.root / path.lstrip("/")).resolve()
        except (ValueError, OSError, RuntimeError):
            # a NUL, or links that lead round in a circle
            raise InvalidInputError(
                Message("This path cannot be followed."), {"path": Message("cannot be followed")}
            ) from None
        if not file.is_relative_to(self.root):
            raise ForbiddenError(
                Message("This path lies outside the folder that this server serves."), {"path": Message("is outside")}
            )
        return file

    def relative(self, path: str) -> str:
        """A path on the wire for an absolute one."""
        return Path(path).relative_to(self.root).as_posix()

    def outward(self, record: Any) -> Any:
        """A record with paths as the wire has them."""
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

    def answer(self, record: Any, status: int = 200) -> None:
        """Finish with a record, or with nothing."""
        self.set_status(status)
        if record is None:
            self.finish()
            return
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(self.outward(record)))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error as an :class:`ErrorBody`."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        body = ErrorBody(message="Something went wrong inside; see the server's log.")
        if isinstance(error, MlopsError):
            status_code = error.status
            if isinstance(error, TooManyCallsError):
                self.set_header("Retry-After", str(error.seconds))
            body = ErrorBody(message=str(error), fields={name: str(text) for name, text in error.fields.items()})
        elif isinstance(error, web.HTTPError):
            body = ErrorBody(message=_sentence(error, status_code))
        self.set_status(status_code)
        self.set_header("Content-Type", "application/json")
        self.finish(msgspec.json.encode(body))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A person's mistake is no traceback in the log."""
        if not isinstance(value, MlopsError):
            super().log_exception(typ, value, tb)

    async def sweeps(self) -> Sweeps:
        """What answers about notebooks, sweeps and runs."""
        return await self.call(self.backend.open)

    async def pipelines(self) -> Pipelines:
        """What answers about pipelines."""
        return await self.call(self.backend.open_pipelines)

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


def _misfit(text: str) -> tuple[str, str]:
    """What msgspec says is wrong, and of which field: “… unknown field `x` - at `$.sampler`”."""
    said, _, place = text.partition(" - at `$")
    inner = re.search(r"field `(.*)`", said)
    name = ".".join(part for part in (place.strip("`."), inner[1] if inner else "") if part)
    if bound := re.fullmatch(r"Expected `(\w+)` (of length )?([<>]=) (\S+)", said):
        kind, of_length, relation, limit = bound.groups()
        unit = {"str": " characters", "object": " entries", "array": " entries"}[kind] if of_length else ""
        said = f"it may be {limit}{unit} at {'most' if relation == '<=' else 'least'}"
    return said, name


def _sentence(error: web.HTTPError, status: int) -> str:
    if error.log_message:
        return str(error.log_message % error.args if error.args else error.log_message)
    sentences = {
        403: "You may not do this; sign in to this Jupyter server, or ask whoever runs it.",
        405: "This address does not take requests of this kind.",
    }
    return sentences.get(status) or str(error.reason or http.client.responses.get(status, "Something went wrong."))


class UnknownHandler(Boundary):
    """What is under ``/mlops/`` and is no route."""

    def prepare(self) -> None:
        """Refuse."""
        raise NotFoundError(Message("There is no {path}.", path=self.request.path))
