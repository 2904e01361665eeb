"""The data folder is its owner's alone, however it was found."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from api_helpers import as_read
from conftest import Service, put_mlflow, serving
from mlflow_helpers import embedded
from tornado.httpclient import HTTPClientError

from jupyter_mlops.cli.main import main
from jupyter_mlops.core.errors import UnavailableError
from jupyter_mlops.core.states import SweepState
from jupyter_mlops.settings import MlopsSettings


def open_to_others(folder: Path) -> list[str]:
    """What other users may read or enter, of a folder and what lies in it and in its targets."""
    paths = [folder, *folder.iterdir(), *(folder / "targets").glob("*")]
    return [f"{stat.S_IMODE(path.lstat().st_mode):o} {path}" for path in paths if path.lstat().st_mode & 0o077]


def test_a_folder_that_others_could_read_is_closed_with_all_that_comes_into_it(data_dir: Path, notebook: Path) -> None:
    mask = os.umask(0)
    try:
        data_dir.mkdir(mode=0o777)
        (data_dir / "runs").mkdir(mode=0o755)
        put_mlflow(data_dir)
        for name in ("store.sqlite", "service.log"):
            (data_dir / name).touch(mode=0o666)
        with serving(MlopsSettings(data_dir=str(data_dir), local_slots=1)) as service:
            assert embedded(service)
            sweep = service.run_until_over(notebook, "a = 1", "a", space={"a": "1"})
            assert sweep.state is SweepState.SUCCEEDED, sweep.message
            assert {path.name for path in data_dir.iterdir()} > {"mlflow.log", "service.lock", "service.id", "targets"}
            assert open_to_others(data_dir) == []
    finally:
        os.umask(mask)


def test_a_new_folder_is_closed(service: Service) -> None:
    embedded(service)
    assert open_to_others(service.settings.data_path) == []


@pytest.fixture
def foreign(data_dir: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("root alone can give a folder away")
    data_dir.mkdir(mode=0o700)
    os.chown(data_dir, 65534, 65534)
    return data_dir


@pytest.mark.usefixtures("foreign")
async def test_a_folder_of_another_user_is_refused_with_a_sentence(
    data_dir: Path, jp_fetch: object, capsys: pytest.CaptureFixture[str]
) -> None:
    said = f"{data_dir} belongs to another user, who can read and change what is in it; set MlopsSettings.data_dir"
    with pytest.raises(UnavailableError, match="belongs to another user"):
        _ = MlopsSettings(data_dir=str(data_dir)).data_path
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch("mlops", "sweeps")
    assert caught.value.response is not None
    assert caught.value.code == 503
    assert as_read(caught.value.response.body)["message"].startswith(said)
    assert main(["sweep", "list", "--data-dir", str(data_dir)]) == 1
    assert said in capsys.readouterr().err
    assert list(data_dir.iterdir()) == []


def test_a_store_of_another_user_in_a_folder_of_ours_is_refused(data_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("root alone can give a file away")
    data_dir.mkdir()
    (data_dir / "store.sqlite").touch()
    os.chown(data_dir / "store.sqlite", 65534, 65534)
    with pytest.raises(UnavailableError, match="sqlite belongs to another user"):
        _ = MlopsSettings(data_dir=str(data_dir)).data_path
