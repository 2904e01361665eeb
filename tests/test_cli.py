"""``jupyter mlops …`` as people and scripts use it: real processes, a real service, real kernels."""

from __future__ import annotations

import argparse
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import nbformat
import pytest
from conftest import Service, put_mlflow, wait_until, write_notebook

from jupyter_mlops.cli.browser import find_server
from jupyter_mlops.cli.main import main, make_parser, parse
from jupyter_mlops.cli.sweep_tables import runs_table
from jupyter_mlops.cli.sweeps import sweep_request
from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.core.notebook.declared import read_parameters
from jupyter_mlops.core.parameters import NotebookInfo
from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.search.space import build_space
from jupyter_mlops.core.states import RunState, SweepState
from jupyter_mlops.core.sweeps import Sweep
from jupyter_mlops.services.process.launch import info_key, is_suspended
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

CLI = [sys.executable, "-m", "jupyter_mlops.cli.main"]
PARAMETERS = "a: int = 1\nrate: float = 0.1\nurl: str = ''\nnames: list = []\nfast = True\nthing = None"


class Cli:
    """The command line on a data folder of its own, configured as a person would do it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = folder / "config"
        config.mkdir(parents=True)
        (config / "jupyter_server_config.py").write_text(
            f"c.MlopsSettings.data_dir = {str(folder / 'data')!r}\nc.MlopsSettings.service_idle_timeout = 120\n"
            "print('a configuration file may print')\n"
        )
        self.env = os.environ | {
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTER_DATA_DIR": str(folder / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        }
        self.settings = MlopsSettings(data_dir=str(folder / "data"))
        put_mlflow(self.settings.data_path)
        self.store = Store(self.settings.store_url)
        self.service = Service(self.settings, self.store)

    def start(self, *words: str) -> subprocess.Popen[str]:
        # a shell's background job ignores it, and what is ignored is inherited
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return subprocess.Popen(
            [*CLI, *words],
            env=self.env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, code: int = 0) -> str:
        """Standard output of a command that ends with ``code``; standard error is kept in ``said``."""
        process = self.start(*words)
        output, self.said = process.communicate()
        assert process.returncode == code, f"{process.returncode}: {output}{self.said}"
        assert "Traceback" not in self.said
        return output

    def in_terminal(self, *words: str, typed: str = "", kind: str = "dumb") -> tuple[int, str]:
        """Exit code and what a terminal of that kind shows, where ``typed`` answers each question."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve(CLI[0], [*CLI, *words], self.env | {"TERM": kind})
        shown, asked = b"", 0
        while True:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                break  # Linux says so when the other end is closed
            if shown.count(b"[y/N] ") > asked:
                asked += 1
                os.write(terminal, typed.encode() + b"\n")
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), shown.decode().replace("\r", "")

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))

    def notebook(self, name: str, *sources: str, **options: str) -> str:
        write_notebook(self.folder / "work" / name, *sources, **options)
        return f"work/{name}"

    def counts(self, notebook: str) -> dict[str, int]:
        """Runs by state of a notebook's newest sweep."""
        found = [sweep for sweep in self.store.sweeps.find() if sweep.path.endswith(notebook)]
        return found[0].counts if found else {}

    def close(self) -> None:
        self.service.end()
        self.store.close()


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    cli = Cli(tmp_path_factory.mktemp("cli"))
    yield cli
    cli.close()


@pytest.fixture(scope="module")
def finished(cli: Cli) -> Any:
    """What ``--json`` printed of a sweep whose runs all succeeded."""
    notebook = cli.notebook(
        "train.ipynb",
        PARAMETERS,
        "score, loss = a * rate, 1 - a * rate\nimport os\nopen(os.environ['MLOPS_RUN_DIR'] + '/m.txt', 'w').write('m')",
    )
    document = cli.json(
        *("sweep", notebook, "--param", "a=1:3", "--param", "rate=log:0.01:0.1:2", "-p", "url=http://x:80/y"),
        *("--metric", "score", "--record", "loss", "--name", "first [one]", "--slots", "2", "--target", "local"),
    )
    assert "0/6" in cli.said
    return document


# -- words alone -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a=1,2,4", [1, 2, 4]),
        ("a=0:3", [0, 1, 2, 3]),
        ("a=1:2:5", [1, 2]),
        ("a=log:1:100:3", [1, 10, 100]),
        ("rate=0.1,1,10", [0.1, 1.0, 10.0]),
        ("rate=0.1:0.5:5", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("rate=log:0.01:1:3", [0.01, 0.1, 1.0]),
        ("rate=0:1:step=0.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("url=http://x:80/y", ["http://x:80/y"]),
        ("url=http://x:80/y?a=b=c", ["http://x:80/y?a=b=c"]),
        ("url=1:3", ["1:3"]),
        ("url=log:a:b:3", ["log:a:b:3"]),
        ('url=["a, b", "c"]', ["a, b", "c"]),
        ("names=[1, 2]", [[1, 2]]),
        ("names=[[1], [2]]", [[1], [2]]),
        ("fast=true,False", [True, False]),
        ("thing=None", [None]),
        ("thing=http://x:80/y", ["http://x:80/y"]),
        ("thing=1:3", [1, 2, 3]),
    ],
)
def test_what_a_param_stands_for(words: str, expected: list[Any]) -> None:
    assert _values(words) == expected
    assert [type(value) for value in _values(words)] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("rate=0:1", "Say how many"),
        ("rate=0.1:0.5", "Say how many"),
        ("rate=log:0.1:1", "Say how many points"),
        ("rate=log:0:1:3", "above 0"),
        ("a=x", "must be a whole number"),
        ("fast=maybe", "must be true or false"),
        ("names=[1", "not valid JSON"),
        ("b=1", "no parameter “b”"),
        ("a=", "Give a value"),
        ("a", "is no NAME=VALUES"),
        ("=1", "is no NAME=VALUES"),
    ],
)
def test_what_a_param_must_not_be(words: str, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        _values(words)


def _values(words: str) -> list[Any]:
    request = sweep_request(parse(["sweep", "x.ipynb", "--param", words]), "/x.ipynb")
    known = NotebookInfo(path="", hash="", kernel="", parameters=read_parameters(PARAMETERS, "python"))
    space = build_space(request.space, known, request.sampler, 100)
    return space.values[words.partition("=")[0]]


def test_other_words_of_a_sweep() -> None:
    words = (
        "sweep n.ipynb --minimize loss --record f1,auc --record x --random 5 --seed 3 --target cuda --run-timeout 2h30m"
    )
    request = sweep_request(parse(words.split()), "/n.ipynb")
    assert request.objective is not None
    assert (request.objective.metric, request.objective.direction) == ("loss", "minimize")
    assert request.metrics == ["f1", "auc", "x"]
    assert (request.sampler.kind, request.sampler.count, request.sampler.seed) == ("random", 5, 3)
    assert (request.target, request.run_timeout, request.cell_timeout) == ("cuda", 9_000, None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("sweep n.ipynb --slots 0", "no whole number of 1 or more"),
        ("sweep n.ipynb --run-timeout -1", "neither seconds above 0 nor a time such as 90s"),
        ("sweep n.ipynb --metric a --minimize b", "not allowed with"),
        ("sweep start", "required: NOTEBOOK"),
        ("swep", "There is no command “swep”. Did you mean “sweep”?"),
        ("fly", "There is no command “fly”."),
        ("sweep lst", "There is no action “lst”. Did you mean “list”?"),
        ("sweep n.ipynb --metrc a", "There is no option “--metrc”. Did you mean “--metric”?"),
        ("sweep list --fly", "There is no option “--fly”."),
        ("sweep list more", "“more” is one word too many"),
        ("service statsu", "There is no action “statsu”. Did you mean “status”?"),
        ("service --replce", "There is no option “--replce”. Did you mean “--replace”?"),
        ("sweep list --MlopsSettings.data_dir", "Write --MlopsSettings.data_dir=VALUE"),
        ("sweep list --MlopsSettings.fly=1", "no setting fly"),
        ("sweep list --MlopsSettings.max_runs=many", "A setting does not fit"),
    ],
)
def test_wrong_words_are_one_sentence(words: str, sentence: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert _code(words.split()) == 2
    output, said = capfd.readouterr()
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert output == ""


@pytest.mark.parametrize("words", ["", "sweep", "pipeline", "schedule", "trigger", "service --help", "sweep --help"])
def test_a_bare_command_prints_its_help(words: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert _code(words.split()) == 0
    output, said = capfd.readouterr()
    assert output.startswith(f"usage: jupyter mlops {words.partition(' ')[0]}".rstrip())
    assert said == ""


def test_every_command_says_what_it_does_in_a_sentence() -> None:
    for noun, parser in _choices(make_parser()).items():
        for name, action in {"": parser, **_choices(parser)}.items():
            assert re.match(r"[A-Z][^.]+\.(\n|$)", action.description or ""), (noun, name, action.description)


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    [group] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(group.choices)


def test_a_notebook_may_be_called_as_an_action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse(["sweep", "./list"]).notebook == "./list"
    assert parse(["sweep", "lists.ipynb"]).notebook == "lists.ipynb"
    # what exists is no mistyped action
    Path("lst").touch()
    assert parse(["sweep", "lst"]).notebook == "lst"
    assert parse(["sweep", "--metric", "auc", "x.ipynb"]).notebook == "x.ipynb"


def _code(words: list[str]) -> Any:
    try:
        return main(words)
    except SystemExit as ended:
        return ended.code


def test_help_teaches_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom jupyter_mlops.cli.main import main\n"
        "try: main(['sweep', 'start', '--help'])\nexcept SystemExit as ended: assert ended.code == 0\n"
        "heavy = {'dask', 'distributed', 'mlflow', 'papermill', 'pandas', 'sqlalchemy', 'rich', 'traitlets', 'zmq'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout
    assert "rate=log:0.01:0.3:5" in done.stdout


def test_a_list_needs_neither_jupyters_machinery_nor_a_look_at_all_packages(tmp_path: Path) -> None:
    # to make the tables takes both, once
    Store(MlopsSettings(data_dir=str(tmp_path / "data")).store_url).close()
    code = (
        "import importlib.metadata, sys\ndef scan(**given): raise AssertionError('entry points are scanned')\n"
        "importlib.metadata.entry_points = scan\nfrom jupyter_mlops.cli.main import main\n"
        f"main(['sweep', 'list', '--MlopsSettings.data_dir={tmp_path / 'data'}'])\n"
        "heavy = {'dask', 'distributed', 'mlflow', 'papermill', 'nbformat', 'jupyter_client', 'zmq'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout


def test_jupyter_finds_the_command() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("jupyter")), "mlops", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("usage: jupyter mlops")


# -- what cannot be started --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notebook", "param", "sentence"),
    [
        ("good", "b=1", "no parameter “b”"),
        ("good", "rate=0:1", "Say how many"),
        ("good", "a=1:2000000", "narrow it"),
        ("good", "a=1 --seed 1", "needs --random"),
        ("kernel", "a=1", "kernel “cobol” is not installed here"),
        ("text", "a=1", "not a notebook"),
        ("mark", "a=1", "begins with a byte order mark"),
        ("nometa", "a=1", "cell 2 has no metadata"),
        ("none", "a=1", "There is no notebook none.ipynb"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_2(cli: Cli, notebook: str, param: str, sentence: str) -> None:
    cli.notebook("good.ipynb", PARAMETERS)
    cli.notebook("kernel.ipynb", "a = 1", kernel="cobol", language="cobol")
    (cli.folder / "work" / "text.ipynb").write_text("no notebook")
    good = (cli.folder / "work" / "good.ipynb").read_text()
    (cli.folder / "work" / "mark.ipynb").write_text(good, "utf-8-sig")
    whole = json.loads(good)
    whole["cells"].insert(1, {"cell_type": "code", "source": "acc = a"})
    (cli.folder / "work" / "nometa.ipynb").write_text(json.dumps(whole))
    assert cli("sweep", f"work/{notebook}.ipynb", "--param", *param.split(), "--json", code=2) == ""
    assert sentence in cli.said
    # what the configuration file printed is the other line
    assert len(cli.said.splitlines()) == 2


def test_ids_that_name_nothing(cli: Cli, finished: Any) -> None:
    assert cli("sweep", "show", "zzz", code=2) == ""
    assert "There is no sweep “zzz”" in cli.said
    cli("sweep", "show", "latest-99", code=2)
    assert "has no run 99" in cli.said
    cli("sweep", "stop", finished["sweep"]["id"], code=2)
    assert "This sweep is over" in cli.said
    assert cli("sweep", "list", "--data-dir", "empty") == ""
    assert "There is no sweep yet" in cli.said


# -- whole sweeps ------------------------------------------------------------------------------


def test_json_is_one_document_with_typed_values_and_times(finished: Any) -> None:
    sweep, runs = finished["sweep"], finished["runs"]
    assert sweep["state"] == "succeeded"
    assert sweep["name"] == "first [one]"
    assert sweep["objective"] == {"metric": "score", "direction": "maximize"}
    assert sweep["best_run_id"] == runs[5]["id"]
    assert [run["parameters"] for run in runs] == [
        {"a": a, "rate": rate, "url": "http://x:80/y"} for a in (1, 2, 3) for rate in (0.01, 0.1)
    ]
    for run in runs:
        parameters = run["parameters"]
        score = parameters["a"] * parameters["rate"]
        assert run["metrics"] == pytest.approx({"score": score, "loss": 1 - score})
        assert run["state"] == "succeeded"
        assert run["error"] is None
        times = [datetime.fromisoformat(run[name]) for name in ("queued_at", "started_at", "ended_at")]
        assert times == sorted(times)
        assert all(time.tzinfo is not None for time in times)


def test_runs_and_show(cli: Cli, finished: Any) -> None:
    sweep_id = finished["sweep"]["id"]
    listed = cli("sweep", "list")
    assert "first [one]" in listed
    assert re.search(rf"{sweep_id[:8]} .* succeeded +6/6 +score 0\.3", listed)
    table = cli("sweep", "runs", sweep_id[:10]).splitlines()
    assert table[0].split() == ["run", "state", "a", "rate", "score", "loss", "took"]
    assert table[-1].split()[:6] == [f"{sweep_id[:8]}-6", "succeeded", "3", "0.1", "0.3", "0.7"]
    assert cli.json("sweep", "runs", sweep_id) == finished
    shown = cli("sweep", "show", f"{sweep_id[:8]}-6")
    for text in ("http://x:80/y", "score 0.3", "output.ipynb", "/files"):
        assert text in re.sub(r" +", " ", shown)
    assert "6 of 6 runs succeeded" in cli("sweep", "show", sweep_id)


def test_open_prints_the_executed_notebook(cli: Cli, finished: Any) -> None:
    run = finished["runs"][5]
    path = Path(cli("sweep", "open", f"{finished['sweep']['id']}-6").strip())
    executed = nbformat.read(path, as_version=4)
    assert run["id"] in str(path)
    assert any("rate = 0.1" in cell.source for cell in executed.cells)
    # of a sweep, its best run
    assert cli("sweep", "open", finished["sweep"]["id"], "--browser", code=1).strip() == str(path)
    assert "start one there with “jupyter lab”" in cli.said


def test_open_in_the_browser(cli: Cli, finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = cli.folder / "runtime"
    runtime.mkdir(exist_ok=True)
    server = {"pid": os.getpid(), "root_dir": str(cli.folder), "url": "http://127.0.0.1:1/user/ada/", "token": "secret"}
    (runtime / "jpserver-1.json").write_text(json.dumps(server))
    (runtime / "jpserver-2.json").write_text(json.dumps(server | {"root_dir": str(cli.folder / "elsewhere")}))
    (runtime / "jpserver-3.json").write_text(json.dumps(server | {"pid": 2**30, "root_dir": str(cli.folder / "work")}))
    browser = cli.folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {cli.folder}/opened\n')
    browser.chmod(0o755)
    monkeypatch.setitem(cli.env, "BROWSER", str(browser))
    cli("sweep", "open", finished["sweep"]["id"], "--browser")
    opened = (cli.folder / "opened").read_text().strip()
    assert opened.startswith("http://127.0.0.1:1/user/ada/lab/tree/mlops:")
    assert "secret" not in opened
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime))
    assert find_server(Path("/nowhere/train.ipynb")) is None


def test_a_failed_run_is_1_and_can_be_repeated(cli: Cli, finished: Any) -> None:
    notebook = cli.notebook("half.ipynb", "a = 1", "import os\nassert a != 2 or os.path.exists('mended'), 'bad a'")
    output = cli("sweep", notebook, "--param", "a=1:3", code=1)
    assert "2 of 3 runs succeeded, 1 failed" in output
    assert re.search(r"bad a \(jupyter mlops sweep show \w{8}-2\)", output)
    document = cli.json("sweep", "runs", "latest")
    assert [run["state"] for run in document["runs"]] == ["succeeded", "failed", "succeeded"]
    assert document["runs"][1]["error"]["name"] == "AssertionError"
    shown = cli("sweep", "show", "latest-2")
    assert "bad a" in shown
    assert "AssertionError" in shown
    (cli.folder / "work" / "mended").touch()
    repeated = cli.json("sweep", "retry", "latest")
    assert repeated["sweep"]["state"] == "succeeded"
    assert [run["attempt"] for run in repeated["runs"]] == [1, 2, 1]


def test_a_script_is_not_left_hanging_by_a_pause(cli: Cli, finished: Any) -> None:
    notebook = cli.notebook("bad.ipynb", "a = 1", "raise ValueError('no such column')")
    document = cli.json("sweep", notebook, "--param", "a=1:9", code=1)
    assert document["sweep"]["state"] == "stopped"
    assert [run["state"] for run in document["runs"]] == ["failed"] * 3 + ["stopped"] * 6
    assert "3 runs failed alike" in cli.said
    assert "no such column" in cli.said
    assert "jupyter mlops sweep retry" in cli.said


def test_ctrl_c_leaves_the_sweep_running_until_it_is_stopped(cli: Cli, finished: Any) -> None:
    notebook = cli.notebook("long.ipynb", "a = 1", "import time; time.sleep(600 * (a > 1))")
    waiting = cli.start("sweep", notebook, "--param", "a=1:3", "--json")
    wait_until(lambda: cli.counts(notebook).get("succeeded") == 1)
    waiting.send_signal(signal.SIGINT)
    output, said = waiting.communicate()
    assert waiting.returncode == 130
    assert output == ""
    assert "goes on in the background" in said
    assert "Traceback" not in said
    wait_until(lambda: cli.counts(notebook).get("running", 0) >= 1)
    assert cli("sweep", "stop", "latest-2").strip().endswith("-2 is stopped.")
    assert cli("sweep", "stop", "latest").strip().endswith("is stopped.")
    assert "1 of 3 runs succeeded, 2 stopped" in cli("sweep", "wait", "latest", code=1)


def test_no_wait_prints_the_id(cli: Cli, finished: Any) -> None:
    sweep_id = cli("sweep", "work/good.ipynb", "--param", "a=1:2", "--no-wait").strip()
    assert cli.json("sweep", "wait", sweep_id)["sweep"]["id"] == sweep_id


def test_a_service_that_dies_meanwhile_is_started_again(cli: Cli, finished: Any) -> None:
    notebook = cli.notebook("slow.ipynb", "a = 1", "import time; time.sleep(1)\nscore = a")
    waiting = cli.start("sweep", notebook, "--param", "a=1:4", "--metric", "score", "--json")
    wait_until(lambda: cli.counts(notebook).get("succeeded", 0) >= 1)
    cli.service.kill()
    output, said = waiting.communicate()
    assert waiting.returncode == 0, said
    assert "The service ended; it is started again." in said
    assert [run["metrics"] for run in json.loads(output)["runs"]] == [{"score": float(a)} for a in (1, 2, 3, 4)]


def test_in_a_terminal(cli: Cli, finished: Any) -> None:
    """A bar while it runs, the table at the end."""
    code, text = cli.in_terminal("sweep", "work/train.ipynb", "-p", "a=1:2", kind="xterm-256color")
    assert code == 0, text
    assert "━" in text
    assert "2/2" in text
    assert "2 of 2 runs succeeded" in text


# -- the service -------------------------------------------------------------------------------


def test_service_in_the_foreground_and_its_end(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    key = info_key(Layout(cli.settings.data_path))
    try:
        foreground = cli.start("service")
        wait_until(lambda: cli.store.infos.get(key) is not None)
        info = cli.json("service", "status")["service"]
        assert (info["state"], info["pid"]) == ("ready", foreground.pid)
        cli("service", code=2)
        assert f"A service runs already (process {foreground.pid})" in cli.said
        assert "ready — Idle" in cli("service", "status")
        assert "The service ended, and stays off until" in cli("service", "stop")
        foreground.communicate()
        assert foreground.returncode == 0
        assert cli("service", "status").startswith("off — it was stopped, and stays off until the next start")
        assert "off already" in cli("service", "stop")
        # Ctrl-C says the same as “stop”; whoever starts one by hand takes it back
        foreground = cli.start("service")
        wait_until(lambda: cli.store.infos.get(key) is not None)
        assert not is_suspended(cli.settings)
        foreground.send_signal(signal.SIGINT)
        foreground.communicate()
        assert is_suspended(cli.settings)
    finally:
        cli.close()


def test_without_a_service_and_none_to_be_started_nothing_is_waited_for(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    notebook = cli.notebook("good.ipynb", PARAMETERS)
    cli("sweep", notebook, "--MlopsSettings.start_service=False", code=1)
    assert "start one with “jupyter mlops service”" in cli.said
    assert cli.store.sweeps.find() == []
    cli.close()


def test_times_name_their_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_mlops.cli.output import when_text

    monkeypatch.setenv("TZ", "Europe/Vienna")
    time.tzset()
    try:
        # GNU date says so: TZ=Europe/Vienna date -d 2026-07-01T10:00:00Z
        assert when_text("2026-07-01T10:00:00+00:00") == "2026-07-01 12:00 CEST"
        assert when_text("2026-12-01T10:00:00+00:00", seconds=True) == "2026-12-01 11:00:00 CET"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_runs_that_never_started_are_one_row() -> None:
    """27 rows of “Stopped before it started” stood between a person and the one error that stopped them."""
    states = [RunState.FAILED, *[RunState.STOPPED] * 27]
    runs = [
        Run(
            id=f"r{index}", sweep_id="s", index=index, state=state, started_at=None if index else "2026-01-01T00:00:00Z"
        )
        for index, state in enumerate(states)
    ]
    runs = [
        msgspec.structs.replace(run, message="Stopped before it started" if run.index else "No xgboost") for run in runs
    ]
    sweep = Sweep(id="s", name="s", path="/a.ipynb", notebook_hash="", varied=["n"])
    table = runs_table(sweep, runs)
    rows = list(zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True))
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("s-1", "failed", "No xgboost"),
        ("27 runs", "stopped", "Stopped before it started"),
    ]
    assert len(list(runs_table(sweep, runs[:2]).columns[0].cells)) == 2


@pytest.mark.parametrize("width", [200, 20])
def test_a_table_is_what_rich_prints(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    from rich.console import Console

    from jupyter_mlops.cli import output

    table = output.new_table("name", "state", "message")
    table.add_row("日本語", output.state_cell("failed"), "ü", style="bold")
    table.add_row("b", "", "[red]no markup[/red] :smile:")
    shown = []
    for prints in (Console.print, lambda _, table: output.print_table(table)):
        file = io.StringIO()
        to = Console(file=file, width=width, highlight=False, markup=False, emoji=False, color_system=None)
        monkeypatch.setattr(output, "console", lambda to=to: to)
        prints(to, table)
        shown.append(file.getvalue())
    assert shown[0] == shown[1] != ""


def test_3_000_sweeps_are_listed_in_half_a_second(tmp_path: Path) -> None:
    """It took 1.4 s, most of it rich's measuring of columns. The limit allows for a machine that others use, too."""
    store = Store(MlopsSettings(data_dir=str(tmp_path / "data")).store_url)
    fields = {"notebook_hash": "", "state": SweepState.SUCCEEDED, "total": 3, "counts": {"succeeded": 3}}
    record = Sweep(id="", name="", path="/a.ipynb", created_at="2026-01-01T00:00:00Z", **fields)
    for number in range(3_000):
        store.sweeps.create(msgspec.structs.replace(record, id=f"{number:032}", name=f"sweep {number}"), b"{}")
    store.close()

    def seconds(*words: str) -> float:
        before = os.times()
        done = subprocess.run([*CLI, *words, "--data-dir", str(tmp_path / "data")], stdout=subprocess.PIPE, check=True)
        assert done.stdout.count(b"\n") >= (3_002 if "list" in words else 10)
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds("sweep", "list") for _ in range(3)) < 1.0
    assert min(seconds("sweep", "show", "latest") for _ in range(3)) < 1.0
