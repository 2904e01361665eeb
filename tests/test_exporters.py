"""Exporters of other packages, found by their entry points."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import install_plugin, write_notebook

from jupyter_mlops.cli.main import main

ROOT = Path(__file__).parents[1] / "jupyter_mlops"
GROUP = "jupyter_mlops.exporters"
SHELL = """
    import shlex
    from jupyter_mlops.services.pipelines.exporters import Export

    def export(source):
        lines = [
            shlex.join(["papermill", str(source.folder / step.notebook), f"{name}.ipynb"])
            for name, step in source.definition.steps.items()
        ]
        kinds = {trigger.kind: trigger.cron for trigger in source.triggers}
        return Export("\\n".join(lines), [f"{source.name} from {source.origin} has no {kind}" for kind in kinds])
    """


@pytest.fixture
def file(tmp_path: Path) -> str:
    write_notebook(tmp_path / "a.ipynb", "x = 1")
    (tmp_path / "two.pipeline.yaml").write_text("steps: {first: {notebook: a.ipynb}}\n")
    return str(tmp_path / "two.pipeline.yaml")


def test_an_exporter_of_another_package_is_listed_and_used(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = f"--data-dir={tmp_path / 'data'}"
    with pytest.raises(SystemExit):
        main(["pipeline", "export", "--to", "plainshell", file, data])
    assert "--to takes airflow, but not “plainshell”" in capfd.readouterr().err
    install_plugin(tmp_path / "site", GROUP, "plainshell", "export", SHELL, monkeypatch)
    with pytest.raises(SystemExit):
        main(["pipeline", "export", "--help"])
    assert "Write it for this program: airflow, plainshell." in re.sub(r"\s+", " ", capfd.readouterr().out)
    assert main(["pipeline", "export", "--to", "plainshell", file, "--cron", "0 6 * * *", data]) == 0
    written = capfd.readouterr()
    assert written.out == f"papermill {tmp_path / 'a.ipynb'} first.ipynb"
    assert written.err == "Not translated: two from two.pipeline.yaml has no cron\n"


def test_one_that_cannot_be_loaded_says_why(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    install_plugin(tmp_path / "site", GROUP, "lame", "export", "import no_such_engine", monkeypatch)
    assert main(["pipeline", "export", "--to", "lame", file, f"--data-dir={tmp_path / 'data'}"]) == 1
    assert capfd.readouterr().err == (
        "“lame” (lame:export) cannot be loaded (ModuleNotFoundError: No module named 'no_such_engine').\n"
    )


def test_airflow_is_named_in_its_own_folder_alone() -> None:
    files = (file for file in ROOT.rglob("*.py") if "airflow" not in file.relative_to(ROOT).parts)
    assert not [str(file) for file in files if "airflow" in file.read_text(encoding="utf-8").lower()]
