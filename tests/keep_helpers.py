"""Programs in the place of systemd's, for machines on which it does not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SYSTEMCTL = """\
#!{python}
# does with a unit what systemd would, as far as the tests need it
import os, pathlib, shlex, signal, subprocess, sys, time
here = pathlib.Path({here!r})
words = sys.argv[1:]
with (here / "calls").open("a") as calls:
    print("systemctl", *words, file=calls)
if (here / "refuses").exists() and words[1] == (here / "refuses").read_text():
    sys.exit("Failed to do that: Access denied")
if words == ["--user", "show-environment"]:
    if (here / "no-bus").exists():
        sys.exit("Failed to connect to bus: No medium found")
    sys.exit(0)
pid = here / "pid"
unit = pathlib.Path({units!r}) / words[-1]

def end():
    if pid.exists():
        process = int(pid.read_text())
        os.kill(process, signal.SIGTERM)
        stat = pathlib.Path(f"/proc/{{process}}/stat")
        # where nobody buries it, it is over all the same
        while stat.exists() and ") Z " not in stat.read_text():
            time.sleep(0.05)
        pid.unlink()

def begin():
    lines = dict(line.split("=", 1) for line in unit.read_text().splitlines() if line.startswith(("ExecStart", "Std")))
    place = [line for line in unit.read_text().splitlines() if line.startswith("EnvironmentFile=/")][0]
    file = pathlib.Path(place.partition("=")[2].replace("%%", "%"))
    env = dict(pair.split("=", 1) for pair in shlex.split(file.read_text()))
    command = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(lines["ExecStart"])]
    # only what the unit says, and where a home is
    env |= {{"HOME": os.environ["HOME"]}}
    log = open(here / "unit.log", "ab")
    # its parent goes away, as systemd's child has none here
    process = subprocess.Popen(
        ["/bin/sh", "-c", '"$@" & echo $!', "sh", *command],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=env, start_new_session=True, cwd="/",
    )
    pid.write_bytes(process.stdout.readline().strip())

if "restart" in words or "disable" in words:
    end()
if "--now" in words and "enable" in words or "restart" in words or "start" in words:
    if not pid.exists():
        begin()
"""
LOGINCTL = """\
#!{python}
import pathlib, sys
here = pathlib.Path({here!r})
with (here / "calls").open("a") as calls:
    print("loginctl", *sys.argv[1:], file=calls)
if (here / "no-linger").exists():
    sys.exit("Could not enable linger: Access denied")
import getpass
(here / "linger" / getpass.getuser()).touch()
"""


class Systemd:
    """The programs, in a folder that is to stand first in PATH.

    Args:
        folder: for them and what they remember.
        units: where the unit's file is to be.
    """

    def __init__(self, folder: Path, units: Path) -> None:
        self.folder = folder
        self.units = units
        (folder / "linger").mkdir(parents=True)
        for name, text in (("systemctl", SYSTEMCTL), ("loginctl", LOGINCTL)):
            program = folder / name
            program.write_text(text.format(python=sys.executable, here=str(folder), units=str(units)))
            program.chmod(0o700)

    @property
    def calls(self) -> list[str]:
        """What was asked of them."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def pid(self) -> int | None:
        """Of the process that the unit's start made."""
        path = self.folder / "pid"
        return int(path.read_text()) if path.exists() else None

    def say(self, name: str, text: str = "") -> None:
        """Have them behave otherwise: ``no-bus``, ``no-linger``, or ``refuses`` with a verb."""
        (self.folder / name).write_text(text)

    def verify(self, unit: Path) -> str:
        """What the real systemd finds wrong with a unit."""
        done = subprocess.run(
            ["systemd-analyze", "--user", "verify", str(unit)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"SYSTEMD_LOG_LEVEL": "notice", "XDG_RUNTIME_DIR": str(self.folder)},
        )
        return done.stderr
