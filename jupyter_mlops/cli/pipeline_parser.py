"""The words on pipelines and the help that teaches them. Imports argparse and no more."""

from __future__ import annotations

from typing import Any

from .arguments import add_command, add_group, count, seconds, whole

LIST = "list"
_GROUPS = {
    "pipelines": (LIST, "show", "pause", "resume", "rename", "rollback", "diff", "delete", "restore"),
    "schedules": (LIST, "add", "pause", "resume", "remove"),
}
_WHICH = (
    "PIPELINE is a name that one pipeline alone has, an id, as much of its beginning as is unambiguous, or “latest”."
)
_WHICH_RUN = f"{_WHICH}\nRUN is PIPELINE-N, as tables show it, PIPELINE for its newest run, “latest”, or an id."

_PROMOTE = """\
Make a pipeline, or the next version of the one made from the same file before.

WHAT is a pipeline file (*.pipeline.yaml), a notebook as it stands, a finished run (SWEEP-N), or a sweep, of
which the best run is taken. The notebooks and all project files that they read as code are frozen; the
version fires from now on.
"""

_PROMOTE_EXAMPLES = """\
examples:
  jupyter mlops pipeline promote flights.pipeline.yaml --note "with weather"
  jupyter mlops pipeline promote 3fa8-2 --name daily --cron "0 6 * * *" --zone Europe/Vienna
  jupyter mlops pipeline promote pipelines/flights.pipeline.yaml --commit "$CI_COMMIT_SHA" \\
      --server https://jupyter.example.org/ --token "$TOKEN"

With --commit the files are taken from that commit of git, not from the work tree. With --server the version
is made there: its path is relative to that server's root, and with --commit the files are sent along, so
that the server needs no copy of the repository. The token is that of the Jupyter server, or of a user at a
JupyterHub; without --token, it is taken from JUPYTER_TOKEN.
"""

_RUN = """\
Run a pipeline now.

Of a FILE a version is made first, as “promote” does: the newest version is the one that schedules fire, too.
Parameters given here override the pipeline's, in this run alone.
"""

_VALIDATE = """\
Say what is wrong with a pipeline file, one FILE:LINE:COLUMN: message a problem, or else what it does, in
words. Notebooks are looked at; nothing is run or stored.
"""

_EXPORT = """\
Write a pipeline for another program: for Airflow, a DAG file that runs the same notebooks with papermill.

What cannot be translated is said at the top of the file and on standard error. Of a FILE, the notebooks are
run where they lie; of a promoted PIPELINE, the version's frozen files are written beside OUT.
"""

_ADD = """\
Add what starts a pipeline: a schedule, new files, another pipeline's end, or a call.
"""


def with_action(words: list[str]) -> list[str]:
    """The words, with the action that is meant where “pipelines” or “schedules” names none."""
    if not words or words[0] not in _GROUPS:
        return words
    following = words[1] if len(words) > 1 else "--"
    # “schedules delays” asks for those of a pipeline
    meant = following.startswith("-") or words[0] == "schedules"
    if not meant or following in (*_GROUPS[words[0]], "-h", "--help"):
        return words
    return [words[0], LIST, *words[1:]]


def add_pipeline_commands(commands: Any) -> None:
    """All commands on pipelines; ``command`` and ``action`` name the one that was given."""
    _add_pipeline(add_group(commands, "pipeline", "check, promote, run and export a pipeline; its runs"))
    _add_pipelines(add_group(commands, "pipelines", "list pipelines; pause them, roll them back"))
    _add_schedules(add_group(commands, "schedules", "what starts pipelines: list it, add to it, pause it"))
    parser = add_command(
        commands,
        "backfill",
        "run a pipeline for times of its schedule that have passed",
        description="Run a pipeline for the times of its schedule that lie in a range; those that fired already are "
        "not repeated.",
        epilog=_WHICH,
    )
    parser.add_argument("pipeline", metavar="PIPELINE")
    parser.add_argument("--from", dest="start", metavar="TIME", required=True, help="date or time, such as 2026-01-31")
    parser.add_argument("--to", dest="end", metavar="TIME", required=True, help="the same; included")
    parser.add_argument("--schedule", metavar="SCHEDULE", default="", help="which one, where there are several")
    parser.add_argument("--dry-run", action="store_true", help="only say which times these are")


def _add_pipeline(actions: Any) -> None:
    parser = add_command(
        actions, "validate", "say what is wrong with a pipeline file, and what it does", description=_VALIDATE
    )
    parser.add_argument("file", metavar="FILE")
    parser = add_command(actions, "run", "run a pipeline now", description=_RUN, epilog=_WHICH)
    parser.add_argument("what", metavar="FILE|PIPELINE")
    _add_params(parser, "value of a parameter; text, or JSON where the parameter is none; repeatable")
    parser.add_argument("--scheduled-time", metavar="TIME", default="", help="the time it is meant for (default: now)")
    parser.add_argument("--wait", action="store_true", help="wait for its end; exit code 1 where it does not succeed")
    _add_promote(actions)
    parser = add_command(
        actions, "export", "write a pipeline for Airflow", description=_EXPORT, epilog=_WHICH, json=False
    )
    parser.add_argument("what", metavar="FILE|PIPELINE")
    parser.add_argument("--to", choices=("airflow",), required=True, help="for which program")
    parser.add_argument("-o", "--output", metavar="OUT", help="where to write it (default: standard output)")
    _add_cron(parser, "the DAG's schedule (default: that of the pipeline)")
    _add_pipeline_runs(actions)


def _add_promote(actions: Any) -> None:
    parser = add_command(
        actions,
        "promote",
        "make a pipeline, or its next version",
        description=_PROMOTE,
        epilog=_PROMOTE_EXAMPLES,
    )
    parser.add_argument("what", metavar="WHAT", help="FILE, NOTEBOOK, RUN or SWEEP")
    parser.add_argument("--name", default="", help="of the pipeline (default: the file's)")
    parser.add_argument("--note", default="", help="what is to be said of this version")
    parser.add_argument("--pipeline", metavar="PIPELINE", default="", help="make it a version of this one")
    parser.add_argument("--retries", type=count, default=0, metavar="N", help="of a notebook's step")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="of a notebook's step")
    parser.add_argument(
        "--output", action="append", default=[], metavar="NAME", help="variable that a notebook hands on; repeatable"
    )
    _add_cron(parser, "schedule it, such as “0 6 * * *”")
    parser.add_argument("--commit", metavar="REV", help="take the files from this commit of git")
    parser.add_argument("--server", metavar="URL", help="of a Jupyter server that is to have it")
    parser.add_argument("--token", metavar="TOKEN", help="of that server (default: JUPYTER_TOKEN)")
    parser.add_argument("--path", metavar="PATH", help="of the file below that server's root, where it is another")


def _add_pipeline_runs(actions: Any) -> None:
    parser = add_command(actions, "runs", "list the runs of a pipeline, newest first", epilog=_WHICH)
    parser.add_argument("pipeline", metavar="PIPELINE")
    parser = add_command(actions, "show", "all about a run: its steps, log and errors", epilog=_WHICH_RUN)
    parser.add_argument("run", metavar="RUN")
    parser = add_command(actions, "wait", "wait for the end of a run", epilog=_WHICH_RUN)
    parser.add_argument("run", metavar="RUN")
    parser = add_command(actions, "stop", "stop a run; its kernels end within two seconds", epilog=_WHICH_RUN)
    parser.add_argument("run", metavar="RUN")
    parser = add_command(actions, "retry", "repeat the failed steps of a run, and all behind them", epilog=_WHICH_RUN)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--step", metavar="STEP", default="", help="from this one on, whether it failed or not")
    parser.add_argument("--wait", action="store_true", help="wait for the run's end")


def _add_pipelines(actions: Any) -> None:
    parser = add_command(actions, LIST, "list pipelines (without ACTION, too)")
    parser.add_argument("--deleted", action="store_true", help="those that were deleted and can be restored")
    for name, text in (
        ("show", "all about a pipeline: schedules, versions, steps"),
        ("pause", "let nothing start a pipeline but a person"),
        ("resume", "let its schedules fire again, from now on"),
        ("delete", "put a pipeline aside; for 30 days it can be restored"),
        ("restore", "bring a deleted pipeline back"),
    ):
        parser = add_command(actions, name, text, epilog=_WHICH)
        parser.add_argument("pipeline", metavar="PIPELINE")
    parser = add_command(actions, "rename", "give a pipeline another name", epilog=_WHICH)
    parser.add_argument("pipeline", metavar="PIPELINE")
    parser.add_argument("name", metavar="NAME")
    parser = add_command(
        actions,
        "rollback",
        "let an earlier version fire",
        description="Let another version fire: VERSION, or the one before the one that fires now.",
        epilog=_WHICH,
    )
    parser.add_argument("pipeline", metavar="PIPELINE")
    parser.add_argument("version", metavar="VERSION", nargs="?", type=whole)
    parser = add_command(actions, "diff", "what is different between two versions", epilog=_WHICH)
    parser.add_argument("pipeline", metavar="PIPELINE")
    parser.add_argument("older", metavar="A", type=whole)
    parser.add_argument("newer", metavar="B", type=whole)


def _add_schedules(actions: Any) -> None:
    parser = add_command(actions, LIST, "list schedules and triggers (without ACTION, too)", epilog=_WHICH)
    parser.add_argument("pipeline", metavar="PIPELINE", nargs="?")
    parser = add_command(actions, "add", "add what starts a pipeline", description=_ADD, epilog=_WHICH)
    parser.add_argument("pipeline", metavar="PIPELINE")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--cron", metavar="LINE", help="at times, such as “0 6 * * mon-fri”")
    kind.add_argument(
        "--files", metavar="PATTERN", help="on new or changed files; a path, or an address such as s3://…"
    )
    kind.add_argument("--after", metavar="PIPELINE", help="when another pipeline has ended")
    kind.add_argument("--http", action="store_true", help="on a call with a token, which is printed this once")
    parser.add_argument("--zone", help="of --cron, such as Europe/Vienna (default: this machine's)")
    parser.add_argument(
        "--on", choices=("succeeded", "failed", "ended"), help="which end counts for --after (default: succeeded)"
    )
    parser.add_argument(
        "--overlap",
        choices=("queue", "skip", "replace"),
        default="queue",
        help="what becomes of it while an earlier run goes on (default: queue)",
    )
    parser.add_argument(
        "--missed",
        choices=("one", "skip", "all"),
        default="one",
        help="what becomes of times at which nothing was running (default: one of them is made up for)",
    )
    parser.add_argument(
        "--grace", type=seconds, default=86_400.0, metavar="SECONDS", help="how long ago they may lie (default: a day)"
    )
    _add_params(parser, "value of a parameter in the runs that it starts; repeatable")
    for name, text in (
        ("pause", "let one fire no more for now"),
        ("resume", "let it fire again, from now on"),
        ("remove", "remove one; what it started stays"),
    ):
        parser = add_command(
            actions, name, text, epilog="SCHEDULE is an id, or as much of its beginning as is unambiguous."
        )
        parser.add_argument("schedule", metavar="SCHEDULE")


def _add_params(parser: Any, text: str) -> None:
    parser.add_argument("-p", "--param", action="append", default=[], metavar="NAME=VALUE", help=text)


def _add_cron(parser: Any, text: str) -> None:
    parser.add_argument("--cron", metavar="LINE", help=text)
    parser.add_argument("--zone", help="of --cron, such as Europe/Vienna (default: this machine's)")
