"""Results on standard output, all else on standard error; how values, times and tables are written."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

if TYPE_CHECKING:
    # slow to import, and not needed for help
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

SHORT = 8
_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "stopped": "yellow",
    "pruned": "dim",
    "paused": "yellow",
    "stopping": "yellow",
    "running": "cyan",
    "reused": "green",
    "starting": "cyan",
}


def console(file: TextIO | None = None) -> Console:
    """A console that shows text unchanged; in a file lines are as long as they are, for grep and awk."""
    from rich.console import Console

    file = file or sys.stdout
    width = None if file.isatty() else 10_000
    return Console(file=file, highlight=False, markup=False, emoji=False, width=width)


def note(line: str) -> None:
    """Something that is no result."""
    print(line, file=sys.stderr, flush=True)


def print_json(document: dict[str, Any] | msgspec.Struct) -> None:
    """The one document that ``--json`` prints; records as they are everywhere else."""
    if isinstance(document, msgspec.Struct):
        document = {name: getattr(document, name) for name in document.__struct_fields__}
    print(msgspec.json.format(msgspec.json.encode(document, enc_hook=str), indent=2).decode(), flush=True)


def tell(arguments: argparse.Namespace, document: dict[str, Any] | msgspec.Struct, *shown: str | Table) -> int:
    """The document where ``--json`` asks for it, else what a person reads; exit code 0."""
    if arguments.json:
        print_json(document)
        return 0
    for part in shown:
        if isinstance(part, str):
            print(part)
        else:
            print_table(part)
    return 0


def print_table(table: Table) -> None:
    """Print a table as rich does, but at a fifth of the time where it has a header and its rows fit in the line."""
    from rich.cells import cell_len
    from rich.segment import Segment, Segments
    from rich.text import Text

    to, gap = console(), "   "
    columns = [[Text(str(column.header), "table.header")] for column in table.columns]
    for texts, column in zip(columns, table.columns, strict=True):
        texts += [cell if isinstance(cell, Text) else Text(str(cell)) for cell in column.cells]
    widths = [max(cell_len(text.plain) for text in texts) for texts in columns]
    length = sum(widths) + len(gap) * (len(widths) - 1)
    folded = length > to.width or any("\n" in text.plain for texts in columns for text in texts)
    if folded or not table.show_header or to.options.ascii_only:
        to.print(table)
        return
    parts: list[Segment] = []
    for row, cells in zip(["", *(row.style or "" for row in table.rows)], zip(*columns, strict=True), strict=True):
        for text, width in zip(cells, widths, strict=True):
            style = to.get_style(row) + to.get_style(text.style) if row or text.style else None
            parts += [Segment(text.plain + " " * (width - cell_len(text.plain)), style), Segment(gap)]
        parts[-1] = Segment.line()
        if len(parts) == 2 * len(widths):
            parts += [Segment("─" * length), Segment.line()]
    to.print(Segments(parts), end="", crop=False)


def tell_all(
    arguments: argparse.Namespace, document: dict[str, Any], table: Callable[[], Table], *, none: str = ""
) -> int:
    """The same of a list, whose ``table`` is made where it is shown; ``none`` is said where nothing is in it."""
    if none and not arguments.json:
        note(none)
        return 0
    return tell(arguments, document, *([] if arguments.json else [table()]))


def new_table(*names: str) -> Table:
    """A table with these columns and no rows yet."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def new_details(*rows: tuple[str, str | Text]) -> Table:
    """Names and texts below each other; what is empty is left out."""
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in rows:
        if text or name in ("parameters", "metrics"):
            table.add_row(name, text)
    return table


def time_rows(*times: tuple[str, str | None]) -> Iterable[tuple[str, str]]:
    """Rows for :func:`new_details` of the times that there are."""
    return [(name, when_text(time, seconds=True)) for name, time in times if time]


def state_cell(state: str) -> Text:
    """A state in its colour."""
    from rich.text import Text

    return Text(str(state), style=_STYLES.get(state, ""))


def dim(text: str) -> Text:
    """A text that matters less."""
    from rich.text import Text

    return Text(text, style="dim")


def value_text(value: Any) -> str:
    """A parameter's value or a metric as a person writes it."""
    if isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def count_text(runs: int) -> str:
    """``1 run``, ``2,000 runs``."""
    return f"{runs:,} run{'s' * (runs != 1)}"


def duration_text(seconds: float | None) -> str:
    """``0.4 s``, ``12 s``, ``3:07``, ``1:02:30``; empty for None."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def took(started: str | None, ended: str | None) -> float | None:
    """Seconds from a start to an end, or until now; None where it has not started."""
    if started is None:
        return None
    end = datetime.fromisoformat(ended) if ended else datetime.now(UTC)
    return (end - datetime.fromisoformat(started)).total_seconds()


def size_text(size: float) -> str:
    """``512 MB``; empty for 0."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.3g} {unit}" if size else ""


def first_line(text: str) -> str:
    """A text's first line, cut where it is long."""
    first = text.strip().split("\n", 1)[0]
    return first if len(first) <= 120 else first[:119] + "…"


def when_text(time: str, *, seconds: bool = False) -> str:
    """A time in this machine's zone, and the zone's name."""
    local = datetime.fromisoformat(time).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S %Z" if seconds else "%Y-%m-%d %H:%M %Z")
