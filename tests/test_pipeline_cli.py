"""``jupyter mlops pipeline …`` and its like as people and scripts use them: real processes, a real service."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until
from jupyter_helpers import Jupyter
from test_cli import Cli

from jupyter_mlops.cli.main import main
from jupyter_mlops.cli.pipeline_runs import parse_values
from jupyter_mlops.cli.remote import Server
from jupyter_mlops.core.errors import ConflictError, InvalidInputError
from jupyter_mlops.core.pipelines.requests import PromoteRequest
from jupyter_mlops.core.service import API_VERSION
from jupyter_mlops.core.states import PipelineRunState, StepState

CHAIN = """\
name: chain
parameters: {start: 3, note: ""}
steps:
  collect:
    notebook: collect.ipynb
    parameters: {start: "${start}"}
    outputs: [numbers]
  report:
    notebook: report.ipynb
    parameters: {numbers: "${collect.numbers}"}
    when: start > 0
    outputs: [total]
"""
WRONG = """\
steps:
  collect:
    notebook: collect.ipynb
    retries: three
"""


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    cli = Cli(tmp_path_factory.mktemp("cli"))
    write_chain(cli)
    yield cli
    cli.close()


def write_chain(cli: Cli) -> None:
    cli.notebook("collect.ipynb", "start = 1", "assert start != 13, 'bad luck'\nnumbers = [start, start + 1]")
    cli.notebook("report.ipynb", "numbers = [0]", "total = sum(numbers)")
    cli.notebook("slow.ipynb", "a = 1", "import time; time.sleep(60)")
    cli.notebook("train.ipynb", "depth = 1", "auc = depth / 10")
    (cli.folder / "work" / "chain.pipeline.yaml").write_text(CHAIN)
    (cli.folder / "work" / "wrong.pipeline.yaml").write_text(WRONG)


@pytest.fixture(scope="module")
def chain(cli: Cli) -> Any:
    """The pipeline, promoted and run once to its end."""
    answer = cli.json("pipeline", "promote", "work/chain.pipeline.yaml", "--note", "the first")
    ran = cli("pipeline", "run", "chain", "--wait")
    assert re.search(r"report +succeeded", ran), ran + cli.said
    return answer["pipeline"]


class Quick:
    """The same commands in this process, which is quicker where only words go in and out."""

    def __init__(self, cli: Cli) -> None:
        self.store = cli.store
        self.folder = cli.folder
        self.said = ""

    def __call__(self, *words: str, code: int = 0) -> str:
        output, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(said):
            ended = main(list(words))
        self.said = said.getvalue()
        assert ended == code, f"{ended}: {output.getvalue()}{self.said}"
        return output.getvalue()

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self(*words, "--json", code=code))


@pytest.fixture
def quick(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Quick:
    monkeypatch.chdir(cli.folder)
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", cli.env[f"JUPYTER_{name}_DIR"])
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    return Quick(cli)


# -- words alone -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a=2", 2),
        ("b=2", 2.0),
        ("c=2", "2"),
        ("c=x=y, z", "x=y, z"),
        ("d=[1, 2]", [1, 2]),
        ("e=true", True),
        ("e=False", False),
        ("f=3", 3),
        ("f=some text", "some text"),
        ("a=None", None),
    ],
)
def test_a_value_takes_the_type_of_the_pipelines_parameter(words: str, expected: Any) -> None:
    values = parse_values([words], {"a": 1, "b": 0.5, "c": "x", "d": [], "e": True, "f": None})
    assert list(values.values()) == [expected]
    assert type(values[words[0]]) is type(expected)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [("a", "is no NAME=VALUE"), ("z=1", "no parameter “z”; it has a"), ("a=x", "a must be a whole number")],
)
def test_what_a_value_must_not_be(words: str, sentence: str) -> None:
    with pytest.raises(InvalidInputError, match=sentence):
        parse_values([words], {"a": 1})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("pipelines", "There is no command “pipelines”. Did you mean “pipeline”?"),
        ("pipeline fly", "There is no action “fly”."),
        ("pipeline promot x.ipynb", "There is no action “promot”. Did you mean “promote”?"),
        ("trigger add chain --http --overlap queu", "--overlap takes queue, skip, replace, but not “queu”"),
        ("trigger add chain --http --zone UTC", "There is no option “--zone”."),
        ("schedule add chain --cron x --on failed", "There is no option “--on”"),
        ("pipeline export x.pipeline.yaml", "required: --to"),
        ("trigger add chain", "is required"),
        ("trigger add chain --files x --http", "not allowed with"),
        ("schedule backfill chain --from 2026-01-01", "required: --to"),
        ("pipeline rollback chain two", "no whole number of 1 or more"),
        ("pipeline promote x.ipynb --retries -1", "no whole number of 0 or more"),
    ],
)
def test_wrong_words_are_one_sentence(words: str, sentence: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    output, said = capfd.readouterr()
    assert ended.value.code == 2
    assert sentence in said
    assert len(said.splitlines()) == 1
    assert output == ""


def test_addresses_as_browsers_show_them() -> None:
    for address in ("http://host:8888/user/ada/lab/tree/x.ipynb?token=abc", "http://host:8888/user/ada/tree/"):
        assert Server(address, "").address == "http://host:8888/user/ada"
    assert Server("host:8888", "").address == "http://host:8888"
    with pytest.raises(InvalidInputError, match="no address of a Jupyter server"):
        Server("ftp://host", "")


# -- files -------------------------------------------------------------------------------------


def test_validate_says_where_what_is_wrong(cli: Cli, quick: Quick) -> None:
    shown = cli("pipeline", "validate", "work/chain.pipeline.yaml")
    assert "“chain” has 2 steps:" in shown
    assert re.search(r"report +report\.ipynb +collect +if start > 0", shown)
    assert cli("pipeline", "validate", "work/wrong.pipeline.yaml", code=2) == ""
    assert "work/wrong.pipeline.yaml:4:14: retries must be a whole number; “three” is a text." in cli.said.splitlines()
    document = quick.json("pipeline", "validate", "work/wrong.pipeline.yaml", code=2)["check"]
    assert document["problems"][0]["line"] == 4
    quick("pipeline", "validate", "work/none.pipeline.yaml", code=2)
    assert "There is no pipeline file none.pipeline.yaml." in quick.said


def test_what_cannot_be_promoted_is_one_sentence(quick: Quick) -> None:
    for words, sentence in (
        (["work/wrong.pipeline.yaml"], "line 4, column 14"),
        (["nothing"], "There is no sweep “nothing”"),
        (["work/none.ipynb"], "There is no notebook none.ipynb."),
        (["work/chain.pipeline.yaml", "--cron", "0 6 * *"], "five fields"),
        (["work/chain.pipeline.yaml", "--cron", "0 6 * * *", "--zone", "Europe/Wien"], "Europe/Wien"),
        (["work/chain.pipeline.yaml", "--commit", "HEAD"], "is in no git repository"),
        (["latest", "--commit", "HEAD"], "--commit goes with a file"),
        (["work/chain.pipeline.yaml", "--path", "x"], "--path goes with --server"),
        (["work/chain.pipeline.yaml", "--server", "http://127.0.0.1:9/"], "does not answer"),
    ):
        code = 1 if "does not answer" in sentence else 2
        assert quick("pipeline", "promote", *words, "--json", code=code) == ""
        assert sentence in quick.said
        # what the configuration file printed is the other line
        assert len(quick.said.splitlines()) == 2, quick.said


# -- promote, run, look ------------------------------------------------------------------------


def test_a_promoted_pipeline_is_listed_and_shown(quick: Quick, chain: Any) -> None:
    assert re.search(rf"{chain['id'][:8]} +chain +1 +\d+ +●", quick("pipeline", "list"))
    assert chain["id"] in [found["id"] for found in quick.json("pipeline", "list")["pipelines"]]
    shown = quick("pipeline", "show", "chain")
    assert "the first" in shown and "version 1 ←" in shown
    assert [step["name"] for step in quick.json("pipeline", "show", chain["id"][:6])["graph"]] == ["collect", "report"]
    quick("pipeline", "show", "chian", code=2)
    assert "There is no pipeline “chian”" in quick.said


def test_a_run_is_shown_with_its_steps(quick: Quick, chain: Any) -> None:
    document = quick.json("pipeline", "run", "chain", "-p", "start=5", "-p", "note=1", "--wait")
    assert document["run"]["state"] == "succeeded"
    assert document["run"]["parameters"] | {"start": 5, "note": "1"} == document["run"]["parameters"]
    assert {step["step"]: step["outputs"] for step in document["steps"]} == {
        "collect": {"numbers": [5, 6]},
        "report": {"total": 11},
    }
    assert "2 succeeded" in quick.said
    name = f"{chain['id'][:8]}-{document['run']['number']}"
    shown = quick("pipeline", "show", name)
    assert re.search(r"report +succeeded +1 .* total 11", shown)
    for which in (f"chain-{document['run']['number']}", document["run"]["id"][:10]):
        assert quick.json("pipeline", "show", which)["run"]["id"] == document["run"]["id"]
    for which in ("chain", "latest"):
        assert quick.json("pipeline", "wait", which)["run"]["id"] == document["run"]["id"]
    listed = quick("pipeline", "runs", "chain")
    assert re.search(rf"{name} +succeeded +1 +hand", listed)
    quick("pipeline", "show", "chain-99", code=2)
    assert "“chain” has no run 99" in quick.said


def test_a_failed_run_is_1_and_goes_on_from_a_step(cli: Cli, quick: Quick, chain: Any) -> None:
    output = cli("pipeline", "run", "chain", "--param", "start=13", "--wait", code=1)
    assert re.search(r"collect +failed", output) and re.search(r"report +skipped", output)
    assert "AssertionError: bad luck" in output
    again = quick.json("pipeline", "retry", "chain", "--wait", code=1)
    assert [step["attempt"] for step in again["steps"]] == [2, 1]
    quick("pipeline", "retry", "chain", "--step", "fly", code=2)
    assert "no step “fly”" in quick.said
    quick("pipeline", "stop", "chain", code=2)
    assert "This run is over" in quick.said


def test_running_a_file_makes_a_version_first(quick: Quick, chain: Any) -> None:
    (quick.folder / "work" / "slow.pipeline.yaml").write_text("steps:\n  slow: {notebook: slow.ipynb}\n")
    started = quick("pipeline", "run", "work/slow.pipeline.yaml")
    assert "“slow” has version 1, of this file as it is now." in quick.said
    run = re.match(r"(\w{8}-1) is asked for", started)
    assert run
    wait_until(lambda: _state(quick, run[1], "slow") is StepState.RUNNING)
    assert quick("pipeline", "stop", run[1]) == f"{run[1]} is stopped.\n"
    quick("pipeline", "wait", run[1], code=1)


def test_the_log_of_a_run_is_followed_to_its_end(cli: Cli, quick: Quick, chain: Any) -> None:
    run = re.match(r"\S+", quick("pipeline", "run", "chain", "-p", "start=7"))
    assert run
    followed = [line[25:] for line in cli("pipeline", "logs", run[0], "--follow").splitlines()]
    assert [line.split(" ", 1)[-1] for line in followed if "start" in line] == ["started", "started"]
    assert followed[-1] == "The run succeeded."
    assert sorted(followed) == sorted(line[25:] for line in quick("pipeline", "logs", run[0]).splitlines())
    assert quick.json("pipeline", "logs", run[0])["log"][0]["step"] == "collect"


def _state(quick: Quick, run: str, step: str) -> StepState | None:
    pipeline = next(found for found in quick.store.pipelines.find() if found.id.startswith(run[:8]))
    steps = quick.store.pipeline_runs.steps(quick.store.pipeline_runs.find(pipeline.id)[0].id)
    return next((found.state for found in steps if found.step == step), None)


def test_versions_are_compared_and_rolled_back(quick: Quick, chain: Any) -> None:
    file = quick.folder / "work" / "versions.pipeline.yaml"
    file.write_text(CHAIN.replace("name: chain", "name: versions"))
    quick("pipeline", "promote", "work/versions.pipeline.yaml")
    file.write_text(CHAIN.replace("name: chain", "name: versions").replace("start: 3", "start: 4"))
    said = quick("pipeline", "promote", "work/versions.pipeline.yaml")
    assert re.match(r"“versions” \(\w{8}\) has version 2, of file\.", said)
    assert "  start: 3 → 4" in quick("pipeline", "diff", "versions", "1", "2").splitlines()
    assert quick("pipeline", "rollback", "versions") == "“versions” fires version 1 from now on.\n"
    assert quick.json("pipeline", "rollback", "versions", "2")["pipeline"]["version"] == 2
    quick("pipeline", "rollback", "versions", "7", code=2)
    quick("pipeline", "rename", "versions", "other name")
    assert quick("pipeline", "delete", "other name").startswith("“other name” is deleted")
    assert "other name" in quick("pipeline", "list", "--deleted")
    assert "other name" not in quick("pipeline", "list")
    assert quick("pipeline", "restore", "other name") == "“other name” is back.\n"


def test_a_finished_run_is_promoted_by_its_id(quick: Quick, chain: Any) -> None:
    sweep = quick.json("sweep", "work/train.ipynb", "-p", "depth=1:2", "--metric", "auc")["sweep"]
    answer = quick.json("pipeline", "promote", sweep["id"], "--name", "best", "--output", "auc")
    assert answer["version"]["definition"]["parameters"] == {"depth": 2}
    assert answer["version"]["source"] == f"sweep {sweep['id']}"
    other = quick.json("pipeline", "promote", f"{sweep['id'][:8]}-1", "--name", "first")
    assert other["version"]["definition"]["parameters"] == {"depth": 1}


# -- schedules ---------------------------------------------------------------------------------


def test_schedules_are_added_listed_paused_and_removed(quick: Quick, chain: Any) -> None:
    quick(
        "pipeline", "promote", "work/report.ipynb", "--name", "timed", "--cron", "0 6 * * *", "--zone", "Europe/Vienna"
    )
    [daily] = quick.json("schedule", "list", "timed")["schedules"]
    assert (daily["cron"], daily["zone"]) == ("0 6 * * *", "Europe/Vienna")
    said = quick("trigger", "add", "timed", "--after", "chain", "--on", "ended")
    assert "starts “timed” (after chain ended)." in said
    files = quick.json("trigger", "add", "timed", "--files", "new/*.csv", "-p", "numbers=[1]")["trigger"]
    assert files["pattern"] == str(quick.folder / "new" / "*.csv")
    assert files["parameters"] == {"numbers": [1]}
    output = quick("trigger", "add", "timed", "--http")
    assert re.search(r"Authorization: Bearer [\w-]{40,}", output)
    assert "shown this once" in quick.said
    assert "0 6 * * * Europe/Vienna: " in quick("schedule", "list")
    listed, shown = quick("trigger", "list"), quick("pipeline", "show", "timed")
    for text in ("after chain ended", "new/*.csv", "a call"):
        assert text in listed and text in shown
        assert text not in quick("schedule", "list")
    assert re.search(r"numbers +\[1\]", quick("trigger", "show", files["id"]))
    assert "0 6 * * * Europe/Vienna" in quick("schedule", "show", daily["id"])
    assert quick("schedule", "pause", daily["id"][:8]).endswith("is paused.\n")
    assert quick.json("schedule", "resume", daily["id"])["schedule"]["enabled"]
    assert "is removed" in quick("trigger", "remove", files["id"][:9])
    assert len(quick.json("trigger", "list", "timed")["triggers"]) == 2
    quick("pipeline", "pause", "timed")
    assert quick.json("schedule", "list", "timed")["schedules"][0]["next_at"] is None
    quick("pipeline", "resume", "timed")
    for words, sentence in (
        (["schedule", "add", "timed", "--cron", "0 0 31 2 *"], "never"),
        (["trigger", "add", "chain", "--after", "timed"], "follows this pipeline already"),
        (["schedule", "add", "chain", "--cron", "0 6 * * *", "--zone", "Mars/North"], "Mars/North"),
        (["trigger", "add", "chain", "--files", "strange://x"], "cannot be watched"),
        (["trigger", "add", "chain", "--http", "--on", "failed"], "it goes with --after alone"),
    ):
        quick(*words, code=2)
        assert sentence in quick.said
    quick("schedule", "remove", "zzz", code=2)
    assert "There is no schedule “zzz”" in quick.said


def test_backfill_says_its_times_and_makes_their_runs(quick: Quick, chain: Any) -> None:
    quick("pipeline", "promote", "work/report.ipynb", "--name", "filled", "--cron", "0 6 * * *", "--zone", "UTC")
    first, last = (datetime.now(UTC).date() - timedelta(days=days) for days in (3, 2))
    words = ("schedule", "backfill", "filled", "--from", str(first), "--to", str(last))
    assert len(quick(*words, "--dry-run").splitlines()) == 2
    assert "2 runs of “filled” would be made." in quick.said
    answer = quick.json(*words)["backfill"]
    assert [time[:13] for time in answer["times"]] == [f"{first}T06", f"{last}T06"]
    [schedule] = quick.json("schedule", "list", "filled")["schedules"]
    other = quick.json("schedule", "add", "filled", "--cron", "0 7 * * *", "--zone", "UTC")["schedule"]
    quick(*words, code=2)
    assert f"{schedule['id'][:8]} (0 6 * * *, UTC)" in quick.said and f"{other['id'][:8]} (0 7" in quick.said
    quick("schedule", "remove", other["id"])
    quick(*words)
    assert "0 runs of “filled” wait for their turn; 2 of 2 fired already." in quick.said
    filled = next(found for found in quick.store.pipelines.find() if found.name == "filled")
    runs = wait_until(
        lambda: (
            [run for run in quick.store.pipeline_runs.find(filled.id) if run.state is PipelineRunState.SUCCEEDED]
            if quick.store.pipelines.get(filled.id).runs == 2
            else []
        )
    )
    assert {run.cause for run in runs} == {"backfill"}
    quick("schedule", "backfill", "chain", "--from", "2026-01-01", "--to", "2026-01-02", code=2)
    assert "no such schedule" in quick.said
    quick("schedule", "backfill", "filled", "--from", "yesterday", "--to", str(last), code=2)
    assert "“yesterday” is no time" in quick.said


# -- commits and servers -----------------------------------------------------------------------


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.org", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose work tree is not its commit any more."""
    from conftest import write_notebook

    top = tmp_path_factory.mktemp("repository")
    (top / "lib").mkdir()
    (top / "lib" / "__init__.py").write_text("")
    (top / "lib" / "helper.py").write_text("def answer():\n    return 'committed'\n")
    write_notebook(
        top / "pipes" / "job.ipynb",
        "a = 1",
        "import sys; sys.path.insert(0, '..')\nfrom lib import helper\nsaid = helper.answer()",
    )
    (top / "pipes" / "job.pipeline.yaml").write_text("steps:\n  job: {notebook: job.ipynb, outputs: [said]}\n")
    _git(top, "init", "-q")
    _git(top, "add", "-A")
    _git(top, "commit", "-q", "-m", "first")
    (top / "lib" / "helper.py").write_text("def answer():\n    return 'not committed'\n")
    (top / "pipes" / "job.ipynb").unlink()
    return top


def test_a_commit_is_promoted_and_not_the_work_tree(quick: Quick, repository: Path, chain: Any) -> None:
    commit = _git(repository, "rev-parse", "HEAD")
    file = str(repository / "pipes" / "job.pipeline.yaml")
    answer = quick.json("pipeline", "promote", file, "--commit", "HEAD")
    version = answer["version"]
    assert (version["source"], version["git_commit"], version["folder"]) == (f"commit {commit}", commit, "pipes")
    assert answer["pipeline"]["path"] == file
    assert answer["pipeline"]["project"] == str(repository)
    assert set(version["files"]) == {"pipes/job.ipynb", "lib/__init__.py", "lib/helper.py"}
    assert _git(repository, "status", "--porcelain").split() == ["M", "lib/helper.py", "D", "pipes/job.ipynb"]
    run = quick.json("pipeline", "run", "job", "--wait")
    assert run["steps"][0]["outputs"] == {"said": "committed"}, run
    quick("pipeline", "promote", file, "--commit", "no-such-branch", code=2)
    assert "There is no commit “no-such-branch”" in quick.said
    quick("pipeline", "promote", str(repository / "pipes" / "other.pipeline.yaml"), "--commit", "HEAD", code=2)
    assert "There is no pipeline file other.pipeline.yaml" in quick.said


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A server that knows nothing of the repository, and takes no more than two megabytes."""
    jupyter = Jupyter(
        tmp_path_factory.mktemp("server"),
        None,
        "--ServerApp.max_body_size=2000000",
        "--MlopsSettings.start_service=False",
    )
    yield jupyter
    jupyter.kill()


def test_a_commit_is_promoted_at_a_server(
    cli: Cli, quick: Quick, repository: Path, server: Jupyter, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{server.port}/user/ada/"
    file = str(repository / "pipes" / "job.pipeline.yaml")
    words = ("pipeline", "promote", file, "--commit", "HEAD", "--server", address)
    quick(*words, code=2)
    assert "does not let us in; give a token" in quick.said
    monkeypatch.setitem(cli.env, "JUPYTER_TOKEN", "secret")
    answer = cli.json(*words, "--path", "deployed/pipes/job.pipeline.yaml", "--cron", "0 6 * * *", "--note", "by CI")
    assert answer["pipeline"]["path"] == "deployed/pipes/job.pipeline.yaml"
    assert answer["pipeline"]["project"] == "deployed"
    assert answer["version"]["source"] == f"commit {_git(repository, 'rev-parse', 'HEAD')}"
    assert set(answer["version"]["files"]) == {"pipes/job.ipynb", "lib/__init__.py", "lib/helper.py"}
    assert answer["trigger"]["cron"] == "0 6 * * *"
    assert (server.root / "deployed").is_dir()
    said = quick(*words, "--path", "deployed/pipes/job.pipeline.yaml", "--token", "secret")
    assert f"at {address} has version 2, of commit" in said
    status, shown = server.ask("GET", f"mlops/pipelines/{answer['pipeline']['id']}")
    assert (status, [version["number"] for version in shown["versions"]]) == (200, [2, 1])
    quick(*words, "--path", "../outside/pipes/job.pipeline.yaml", "--token", "secret", code=2)
    assert "outside the folder" in quick.said


def test_what_a_server_does_not_take_is_one_sentence(quick: Quick, server: Jupyter, repository: Path) -> None:
    address = f"http://127.0.0.1:{server.port}/user/ada/?token=secret"
    quick("pipeline", "promote", "none.pipeline.yaml", "--server", address, code=2)
    assert "There is no pipeline file none.pipeline.yaml. Paths are relative to the server's root" in quick.said
    quick("pipeline", "promote", "x.pipeline.yaml", "--server", address.replace("/user/ada", ""), code=1)
    assert "No Jupyter server with jupyter-mlops is at" in quick.said
    (repository / "pipes" / "large.bin").write_bytes(b"x" * 3_000_000)
    (repository / "pipes" / "large.pipeline.yaml").write_text(
        "frozen: [large.bin]\nsteps:\n  job: {notebook: job.ipynb, outputs: [said]}\n"
    )
    _git(repository, "add", "pipes/large.bin", "pipes/large.pipeline.yaml")
    _git(repository, "commit", "-q", "-m", "large")
    file = str(repository / "pipes" / "large.pipeline.yaml")
    quick("pipeline", "promote", file, "--commit", "HEAD", "--server", address, code=2)
    assert "The files make a request of 4 MB, more than" in quick.said


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("API_VERSION", API_VERSION - 1, "which is newer than what sent this request"),
        ("API_VERSION", API_VERSION + 1, "which is older than what sent this request"),
        # as with a server from before the API named its version
        ("API_HEADER", "X-Unheard-Of", "has an older jupyter-mlops than"),
    ],
)
def test_an_incompatible_server_is_told_nothing(
    server: Jupyter, name: str, value: Any, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"jupyter_mlops.cli.remote.{name}", value)
    known = server.ask("GET", "mlops/changes")[1]["pipelines"]
    request = PromoteRequest(path="x.pipeline.yaml", files={"x.pipeline.yaml": b""}, commit="abc")
    with (
        Server(f"http://127.0.0.1:{server.port}/user/ada/", "secret") as remote,
        pytest.raises(ConflictError, match=sentence),
    ):
        remote.promote(request)
    assert server.ask("GET", "mlops/changes")[1]["pipelines"] == known


def test_uploaded_paths_stay_in_the_project(server: Jupyter) -> None:
    for files, sentence in (
        ({"../x.pipeline.yaml": ""}, "is no path in a project"),
        ({"/x.pipeline.yaml": ""}, "is no path in a project"),
        ({"a/../x.pipeline.yaml": ""}, "is no path in a project"),
        ({"other.pipeline.yaml": ""}, "None of the files is x.pipeline.yaml"),
        ({}, "files are missing"),
    ):
        status, body = server.ask(
            "POST", "mlops/pipelines", {"path": "x.pipeline.yaml", "files": files, "commit": "abc"}
        )
        assert (status, sentence in body["message"]) == (400, True), body
    status, body = server.ask("POST", "mlops/pipelines", {"path": "x.pipeline.yaml", "files": {"x.pipeline.yaml": "?"}})
    assert status == 400
    assert json.dumps(body).count("files") >= 1
