"""The compute targets by name."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from ..core.errors import InvalidInputError, MlopsError
from ..core.messages import Message
from ..core.plugins import Plugins
from ..core.targets import Resources, TargetInfo, TargetRecord
from ..settings import MlopsSettings
from ..store.targets import TargetStore
from .target import Target

KINDS = Plugins("jupyter_mlops.targets")

log = logging.getLogger(__name__)


class Catalog:
    """All targets: those that were stored, those that are always there, and addresses."""

    def __init__(self, settings: MlopsSettings, stored: TargetStore) -> None:
        self._settings = settings
        self._stored = stored

    def records(self) -> list[TargetRecord]:
        """All but addresses; those that are always there come first, unless one of the same name was stored."""
        stored = {record.name: record for record in self._stored.all()}
        first = [(_accelerators(kind, name), name) for name, kind in _kinds() if kind.has_default]
        return [*(stored.pop(name, TargetRecord(name=name, kind=name)) for _, name in sorted(first)), *stored.values()]

    def record(self, name: str) -> TargetRecord:
        """The target of a name.

        Raises:
            InvalidInputError: there is none; the message lists those that are there.
        """
        records = self.records()
        for record in records:
            if record.name == name:
                return record
        scheme, found, _ = name.partition("://")
        for kind, target in _kinds():
            if found and scheme in target.schemes:
                return TargetRecord(name=name, kind=kind, options={"address": name})
        raise InvalidInputError(
            Message(
                "“{name}” is no target; use {known} or {examples}.",
                name=name,
                known=", ".join(record.name for record in records),
                examples=", ".join(kind.example for _, kind in _kinds() if kind.schemes),
            ),
            {"target": Message("unknown")},
        )

    def check(self, name: str, needs: Resources | None = None) -> None:
        """Refuse a target that cannot take runs.

        Raises:
            InvalidInputError: there is no such target, its kind is not installed, its options are wrong, or it has not
                what a run needs.
        """
        record = self.record(name)
        kind = kind_of(record)
        kind.options_of(record)
        offer = kind.offer(record)
        if needs and offer and not offer.covers(needs):
            raise InvalidInputError(
                Message(
                    "The target {name} has no devices for this; leave the target out, or name one that has.", name=name
                ),
                {"gpus": Message("are not there")},
            )

    def choose(self, needs: Resources, default: str) -> str:
        """The target of a step that names none: the default, or one with the accelerators that it needs."""
        if not needs.accelerators:
            return default
        for record in sorted(self.records(), key=lambda record: record.name != default):
            with suppress(MlopsError):
                offer = kind_of(record).offer(record)
                if offer is not None and offer.covers(needs):
                    return record.name
        return default

    def infos(self, known: Iterable[TargetInfo] = ()) -> list[TargetInfo]:
        """The state of all targets.

        Args:
            known: of those that a service has used.
        """
        used = {info.name: info for info in known}
        infos = []
        for record in self.records():
            idle = self._idle_info(record)
            info = used.pop(record.name, idle)
            infos.append(idle if idle.state == "off" else info)
        return [*infos, *used.values()]

    def _idle_info(self, record: TargetRecord) -> TargetInfo:
        try:
            return kind_of(record).idle_info(record, self._settings)
        except MlopsError as error:
            return TargetInfo(name=record.name, kind=record.kind, state="off", message=error.message)


class Targets(Catalog):
    """The targets that this process uses; each is made on first use and kept."""

    def __init__(self, settings: MlopsSettings, stored: TargetStore) -> None:
        super().__init__(settings, stored)
        self._known: dict[str, Target] = {}

    def get(self, name: str) -> Target:
        """The target of that name.

        Raises:
            InvalidInputError: there is no such target, or it cannot be made.
        """
        record = self.record(name)
        known = self._known.get(name)
        if known is None or (known.record != record and not known.connected):
            known = self._known[name] = kind_of(record)(record, self._settings)
        return known

    def known(self) -> list[TargetInfo]:
        """The state of those that were used."""
        return [target.info() for target in self._known.values()]

    @property
    def outdated(self) -> bool:
        """Whether a host was wanted, and its build would be another than this process's."""
        return any(target.outdated for target in self._known.values())

    def used(self) -> list[Target]:
        """Targets that are ready."""
        return [target for target in self._known.values() if target.state == "ready"]


def kind_of(record: TargetRecord) -> type[Target]:
    """The class of a target.

    Raises:
        InvalidInputError: its kind is not installed; the message lists those that are.
        UnavailableError: it cannot be imported.
    """
    if record.kind not in KINDS:
        raise InvalidInputError(
            Message(
                "The target “{name}” is of the kind “{kind}”, which is not installed here; there are {known}.",
                name=record.name,
                kind=record.kind,
                known=", ".join(KINDS),
            )
        )
    kind: type[Target] = KINDS.load(record.kind)
    return kind


def _accelerators(kind: type[Target], name: str) -> int:
    """Devices of a default target's slot; installers keep no order of entry points, so targets are listed by this."""
    offer = kind.offer(TargetRecord(name=name, kind=name))
    return offer.accelerators if offer else 0


def _kinds() -> Iterable[tuple[str, Any]]:
    """The installed kinds; one that cannot be imported hides no other."""
    for name in KINDS:
        try:
            yield name, KINDS.load(name)
        except MlopsError as error:
            log.warning("%s", error)
