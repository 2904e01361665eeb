"""The words of ``jupyter mlops`` and the help that teaches them. Imports argparse and no more."""

from __future__ import annotations

import argparse
from typing import Any

from .. import __version__
from ..core.errors import InvalidInputError
from ..core.messages import Message
from .arguments import Parser, add_command, seconds, whole
from .pipeline_parser import add_pipeline_commands

_SETTINGS = "--MlopsSettings."

_DESCRIPTION = """\
Run a notebook many times with different parameters, and pipelines of notebooks by schedule, without a browser.

What is started here shows in JupyterLab's MLOps panel, too, and the other way round. It belongs to a
service in the background, and goes on when this command, the terminal or JupyterLab ends.
"""

_EXAMPLES = """\
examples:
  jupyter mlops sweep train.ipynb --param max_depth=3:8 --param learning_rate=log:0.01:0.3:5 --metric auc
  jupyter mlops runs                 all sweeps, newest first
  jupyter mlops runs latest          the runs of the newest
  jupyter mlops show 3fa8-2          run 2 of the sweep whose id begins with 3fa8: values, error, traceback
  jupyter mlops stop latest
  jupyter mlops pipeline promote flights.pipeline.yaml --cron "0 6 * * *"
  jupyter mlops pipelines            all pipelines: how their last runs went, when they fire next

“jupyter mlops COMMAND --help” says more about each.

settings:
  Jupyter's configuration files count as they do for the server (c.MlopsSettings.NAME = VALUE in
  jupyter_server_config.py); --MlopsSettings.NAME=VALUE overrides one, anywhere on the line.

exit codes:
  0 done, all runs succeeded · 1 a run failed or was stopped, or something outside did not answer
  2 what was asked for makes no sense · 130 Ctrl-C (the sweep goes on)
"""

_SWEEP = """\
Start a sweep: one run of NOTEBOOK for each combination of the values given.

The notebook must hold a cell tagged “parameters” that assigns defaults. Its bytes are frozen as they are
now; later edits change nothing. The first combination runs alone, then as many at once as cores and
memory allow.
"""

_SWEEP_EXAMPLES = """\
what to try, --param NAME=VALUES:
  C=0.1,1,10            a list
  seed=0:59             whole numbers, both ends
  alpha=0.1:0.5:5       five points from 0.1 to 0.5
  rate=log:0.01:0.3:5   five points, logarithmic
  x=0:1:step=0.25       0, 0.25, … up to 1
  name=["a, b", "c"]    JSON, where a value holds commas or is a list itself
  url=http://x:80/y     one value; text keeps its colons
Values take the type of the parameter's default. Parameters left out keep their default.

examples:
  jupyter mlops sweep train.ipynb --param max_depth=3:8 --metric auc
  jupyter mlops sweep train.ipynb --param seed=0:59 --minimize loss --slots 4 --run-timeout 600
  jupyter mlops sweep train.ipynb --param a=0:99 --param b=0:99 --random 50 --json > sweep.json
  jupyter mlops sweep train.ipynb --param a=1:3 --no-wait

Ctrl-C leaves the sweep running. A sweep whose first three runs fail alike pauses: in a terminal this
command says so and waits on; in a script (--json, or output that is no terminal) it stops the sweep and
ends with exit code 1.
"""

_WHICH = "SWEEP is an id, as much of its beginning as is unambiguous, or “latest”; RUN is SWEEP-N, as tables show it."


def split_settings(words: list[str]) -> tuple[list[str], list[str]]:
    """Words without ``--MlopsSettings.NAME=VALUE``, and those.

    Raises:
        InvalidInputError: one of those has no value.
    """
    overrides = [word for word in words if word.startswith(_SETTINGS)]
    for word in overrides:
        if "=" not in word:
            raise InvalidInputError(Message("Write {word}=VALUE, as one word.", word=word))
    return [word for word in words if not word.startswith(_SETTINGS)], overrides


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; ``command`` names the one that was given."""
    parser = Parser(
        prog="jupyter mlops",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    _add_sweep(commands)
    _add_reading(commands)
    _add_acting(commands)
    add_pipeline_commands(commands)
    _add_service(commands)
    return parser


def _add_sweep(commands: Any) -> None:
    parser = add_command(
        commands, "sweep", "start a sweep and wait for its end", description=_SWEEP, epilog=_SWEEP_EXAMPLES
    )
    parser.add_argument("notebook", metavar="NOTEBOOK")
    parser.add_argument(
        "-p", "--param", action="append", default=[], metavar="NAME=VALUES", help="what to try; see below; repeatable"
    )
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument("--metric", metavar="NAME", help="compare runs by this metric; more is better")
    goal.add_argument("--minimize", metavar="NAME", help="compare runs by this metric; less is better")
    parser.add_argument(
        "--record",
        action="append",
        default=[],
        metavar="NAME",
        help="variable to read at the notebook's end as a metric, beside the one compared by; repeatable",
    )
    parser.add_argument(
        "--target", default="local", help="where: local (default), cuda or tcp://host:port of a Dask scheduler"
    )
    parser.add_argument("--kernel", default="", metavar="NAME", help="another kernel than the one the notebook names")
    parser.add_argument("--slots", type=whole, metavar="N", help="at most N runs at once")
    parser.add_argument("--random", type=whole, metavar="N", help="draw N different combinations instead of all")
    parser.add_argument("--seed", type=int, metavar="N", help="draw the same ones again (default: 0)")
    parser.add_argument("--name", default="", help="of the sweep (default: notebook and time)")
    parser.add_argument("--experiment", default="", help="of MLflow (default: the notebook's folder and name)")
    parser.add_argument("--cell-timeout", type=seconds, metavar="SECONDS", help="a cell may take this long")
    parser.add_argument("--run-timeout", type=seconds, metavar="SECONDS", help="a run may take this long")
    parser.add_argument(
        "--share-prefix",
        action="store_true",
        help="execute the cells before the first that depends on what is tried once a slot instead of once a run",
    )
    parser.add_argument("--no-wait", action="store_true", help="start it, print its id, and return")
    parser.add_argument(
        "-y", "--yes", action="store_true", help="do not ask before starting very many runs, or sharing cells"
    )


def _add_reading(commands: Any) -> None:
    parser = add_command(commands, "runs", "list sweeps, or the runs of one, or of a pipeline", epilog=_WHICH)
    parser.add_argument("sweep", metavar="SWEEP", nargs="?")
    parser.add_argument("--pipeline", metavar="PIPELINE", help="runs of this pipeline; as “pipeline runs PIPELINE”")
    parser.add_argument("--all", action="store_true", help="archived sweeps, too")
    parser = add_command(
        commands, "show", "all about a sweep or a run: values, errors, where its files are", epilog=_WHICH
    )
    parser.add_argument("item", metavar="SWEEP|RUN")
    parser = add_command(
        commands,
        "open",
        "print the path of a run's executed notebook, and open it in JupyterLab",
        description="Print the path of a run's executed notebook, as far as it has got. In a terminal it is opened in "
        "the browser, too,\nwhere a JupyterLab is running that serves the notebook. Of a sweep, its best run is taken.",
        epilog=_WHICH,
        json=False,
    )
    parser.add_argument("item", metavar="RUN")
    parser.add_argument(
        "--browser",
        action=argparse.BooleanOptionalAction,
        help="open it in a running JupyterLab (default: in a terminal only)",
    )


def _add_acting(commands: Any) -> None:
    parser = add_command(commands, "wait", "wait for the end of a sweep, as “sweep” does", epilog=_WHICH)
    parser.add_argument("sweep", metavar="SWEEP")
    parser = add_command(commands, "stop", "stop a sweep or one run; kernels end within two seconds", epilog=_WHICH)
    parser.add_argument("item", metavar="SWEEP|RUN")
    parser = add_command(commands, "pause", "start no more runs of a sweep; those running go on", epilog=_WHICH)
    parser.add_argument("sweep", metavar="SWEEP")
    parser = add_command(commands, "resume", "go on with a paused sweep", epilog=_WHICH)
    parser.add_argument("sweep", metavar="SWEEP")
    parser = add_command(commands, "retry", "repeat the failed and stopped runs of a sweep, and wait", epilog=_WHICH)
    parser.add_argument("sweep", metavar="SWEEP")
    parser.add_argument("--no-wait", action="store_true", help="return at once")


def _add_service(commands: Any) -> None:
    parser = add_command(
        commands,
        "service",
        "run the background service here, or ask how it is",
        description="The service runs sweeps and pipelines, and fires schedules. It starts by itself when there is\n"
        "work, and ends when there is none and nothing is scheduled. Without ACTION it runs in the foreground\n"
        "and stays until Ctrl-C, for supervisors such as systemd; “install” makes a systemd user unit that does so.",
    )
    parser.add_argument(
        "action",
        metavar="ACTION",
        nargs="?",
        choices=("run", "status", "stop", "log", "install", "uninstall"),
        default="run",
        help="run (in the foreground), status, stop (runs under way go on), log, install (a systemd user unit, so that "
        "schedules outlive the login) or uninstall",
    )
    parser.add_argument("--until-idle", action="store_true", help="end by itself, as it does in the background")
    parser.add_argument("--replace", action="store_true", help="end a service that runs already and go on in its place")
