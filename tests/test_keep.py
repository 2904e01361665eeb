"""A service kept by a systemd user unit, and who fires schedules."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from conftest import Service, wait_until
from keep_helpers import Systemd
from session_helpers import end_all_of

from jupyter_mlops.core.errors import UnavailableError
from jupyter_mlops.core.pipelines.definition import PipelineDefinition
from jupyter_mlops.core.pipelines.records import Pipeline, Trigger, Version
from jupyter_mlops.services.process import systemd as keep
from jupyter_mlops.services.process.launch import ensure_service, is_running, is_suspended, suspend_service
from jupyter_mlops.services.process.layout import Layout
from jupyter_mlops.services.process.systemd import install, keeper, uninstall, unit_status
from jupyter_mlops.services.process.unit import environment_text, unit_name, unit_path, unit_text
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    made = Systemd(tmp_path / "systemd", tmp_path / "config" / "systemd" / "user")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("PATH", f"{made.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(keep, "LINGERS", made.folder / "linger")
    return made


@pytest.fixture
def settings(data_dir: Path) -> Iterator[MlopsSettings]:
    settings = MlopsSettings(data_dir=str(data_dir), local_slots=1, service_idle_timeout=60.0)
    yield settings
    suspend_service(settings)
    end_all_of(data_dir)


def info(settings: MlopsSettings) -> psutil.Process | None:
    """The process that says of itself that it is the service."""
    store = Store(settings.store_url)
    with contextlib.closing(store):
        from jupyter_mlops.services.process.launch import service_info

        pid = service_info(store, settings).pid
    return None if pid is None else psutil.Process(pid)


def schedule(settings: MlopsSettings) -> None:
    """Something to fire, a year ahead."""
    store = Store(settings.store_url)
    with contextlib.closing(store):
        pipeline = Pipeline(id="p", name="p", path="/p.ipynb", project="/")
        store.pipelines.create(pipeline, Version(pipeline_id="p", number=1, definition=PipelineDefinition(steps={})))
        store.triggers.create(Trigger(id="t", pipeline_id="p", cron="0 0 1 1 *", next_at="2099-01-01T00:00:00+00:00"))


# -- the unit's text -----------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd's own check is not installed")
@pytest.mark.parametrize("name", ["mlops-data", 'da "ta $HOME 100% é'])
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path, systemd: Systemd, name: str) -> None:
    settings = MlopsSettings(data_dir=str(tmp_path / name), local_slots=3, target_idle_timeout=5.5)
    unit = tmp_path / unit_name(settings)
    unit.write_text(unit_text(settings))
    Layout(settings.data_path).unit_environment.write_text(environment_text(settings, os.environ))
    assert systemd.verify(unit) == ""
    # the check does find what is wrong
    unit.write_text(unit_text(settings).replace("OOMPolicy=continue", "OOMPolicy=sometimes"))
    assert "Failed to parse OOM policy" in systemd.verify(unit)


def test_settings_are_handed_on_and_passwords_in_no_command_line(tmp_path: Path) -> None:
    address = "postgresql://ada:pass%2Fword@db/mlops"
    settings = MlopsSettings(
        data_dir=str(tmp_path / "mlops"), store=address, local_slots=2, kernel_start="fresh", service_idle_timeout=3.0
    )
    unit, variables = unit_text(settings), environment_text(settings, {"PATH": '/a "b"$x:/c', "HOME": "/h"})
    line = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert f'"--MlopsSettings.data_dir={tmp_path}/mlops"' in line
    assert '"--MlopsSettings.local_slots=2"' in line and '"--MlopsSettings.kernel_start=fresh"' in line
    assert "idle_timeout" not in line and "max_runs" not in line
    assert "word" not in unit
    assert variables.splitlines()[0] == r'PATH="/a \"b\"\$x:/c"'
    assert "HOME" not in variables
    # as a shell reads the file, which has the same quotes
    script = 'set -a; . "$1"; exec "$2" -c "import os; print(os.environ[\'JUPYTER_MLOPS_SETTINGS\'])"'
    file = tmp_path / "service.env"
    file.write_text(variables)
    words = ["/bin/sh", "-c", script, "sh", str(file), sys.executable]
    assert address in subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_each_data_folder_has_a_unit_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    usual = MlopsSettings(data_dir=str(tmp_path / ".local/share/jupyter/mlops"))
    assert unit_name(usual) == "jupyter-mlops.service"
    names = {unit_name(MlopsSettings(data_dir=str(tmp_path / name))) for name in ("a", "b")}
    assert len(names) == 2 and "jupyter-mlops.service" not in names
    odd = MlopsSettings(data_dir=str(tmp_path / "a\nb"))
    with pytest.raises(UnavailableError, match="cannot stand in a systemd unit"):
        unit_text(odd)


# -- installing ----------------------------------------------------------------------------------


def test_an_installed_unit_takes_over_from_the_service_in_the_background(
    systemd: Systemd, settings: MlopsSettings
) -> None:
    ensure_service(settings, wait=120)
    wait_until(lambda: info(settings))
    before = info(settings)
    assert before is not None
    assert not unit_status(settings).installed
    kept = install(settings)
    assert kept.installed and kept.possible and kept.message == ""
    unit = unit_path(settings)
    assert kept.unit == str(unit) and unit.parent == systemd.units
    assert systemd.calls == [
        *["systemctl --user show-environment"] * 2,
        "systemctl --user daemon-reload",
        f"systemctl --user enable --now {unit.name}",
        "loginctl enable-linger",
        "systemctl --user show-environment",
    ]
    present = info(settings)
    assert present is not None and present.pid == systemd.pid
    assert before.wait() == 0
    words = present.cmdline()
    assert words[1:5] == ["-m", "jupyter_mlops.cli.main", "service", "--replace"]
    assert "--MlopsSettings.local_slots=1" in words
    assert oct(Layout(settings.data_path).unit_environment.stat().st_mode)[-3:] == "600"
    # nothing holds it back: a person who installs it wants it to live
    assert not is_suspended(settings)


def test_what_changed_counts_after_installing_again(systemd: Systemd, settings: MlopsSettings) -> None:
    install(settings)
    first = systemd.pid
    settings.local_slots = 2
    settings.mlflow_tracking_uri = "http://user:secret@127.0.0.1:9"
    install(settings)
    assert f"systemctl --user restart {unit_name(settings)}" in systemd.calls
    process = info(settings)
    assert process is not None and process.pid not in (None, first)
    assert "--MlopsSettings.local_slots=2" in process.cmdline()
    assert "secret" not in str(process.cmdline())
    # the address that no command line shows has reached it
    store = Store(settings.store_url)
    with contextlib.closing(store):
        from jupyter_mlops.services.process.launch import service_info

        wait_until(lambda: service_info(store, settings).mlflow_message == settings.mlflow_tracking_uri)


def test_a_removed_unit_leaves_schedules_to_the_service_in_the_background(
    systemd: Systemd, settings: MlopsSettings
) -> None:
    assert not uninstall(settings)
    install(settings)
    of_unit = systemd.pid
    assert uninstall(settings)
    assert not unit_path(settings).exists() and not Layout(settings.data_path).unit_environment.exists()
    assert systemd.calls[-1] == "systemctl --user daemon-reload"
    assert f"systemctl --user disable --now {unit_name(settings)}" in systemd.calls
    # nothing was scheduled
    assert not is_running(settings)
    schedule(settings)
    install(settings)
    wait_until(Layout(settings.data_path).scheduled.exists)
    assert uninstall(settings)
    process = wait_until(lambda: info(settings))
    assert process.pid not in (of_unit, systemd.pid) and "jupyter_mlops.service" in process.cmdline()


def test_the_unit_starts_the_service_where_somebody_asks_for_something(
    systemd: Systemd, settings: MlopsSettings
) -> None:
    install(settings)
    first = systemd.pid
    assert first is not None
    psutil.Process(first).terminate()
    wait_until(lambda: not is_running(settings))
    (systemd.folder / "pid").unlink()
    ensure_service(settings, wait=120)
    assert systemd.calls[-1] == f"systemctl --user start {unit_name(settings)}"
    process = wait_until(lambda: info(settings))
    assert process.pid == systemd.pid != first


# -- where it cannot be ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("obstacle", "sentence"),
    [
        ("no-program", "There is no systemd here. Let this system’s own process manager run “jupyter mlops service”."),
        ("container", "Nothing runs systemd here, as is usual in a container."),
        ("no-bus", "systemd runs no user manager for this account, as happens after su or sudo: log in as"),
        ("macos", "This system has no systemd."),
    ],
)
def test_where_no_unit_can_be_a_sentence_says_why(
    systemd: Systemd, settings: MlopsSettings, monkeypatch: pytest.MonkeyPatch, obstacle: str, sentence: str
) -> None:
    systemd.say("no-bus")
    monkeypatch.setattr(keep, "BOOTED", systemd.folder / ("linger" if obstacle == "no-bus" else "missing"))
    if obstacle == "no-program":
        monkeypatch.setenv("PATH", str(systemd.folder / "linger"))
    if obstacle == "macos":
        monkeypatch.setattr(sys, "platform", "darwin")
    found = unit_status(settings)
    assert not found.possible and not found.installed and found.message.startswith(sentence)
    with pytest.raises(UnavailableError) as refused:
        install(settings)
    assert str(refused.value) == found.message
    assert not unit_path(settings).exists() and not Layout(settings.data_path).unit_environment.exists()


def test_this_very_machine_answers_with_a_sentence_or_a_unit(settings: MlopsSettings) -> None:
    found = unit_status(settings)
    assert found.possible or found.message.endswith(("service”.", ")"))


def test_what_systemd_refuses_is_said_and_leaves_nothing_installed(systemd: Systemd, settings: MlopsSettings) -> None:
    systemd.say("refuses", "enable")
    with pytest.raises(UnavailableError, match=r"refused to enable --now .*: Failed to do that: Access denied"):
        install(settings)
    assert not unit_status(settings).installed


def test_a_unit_that_ends_with_the_login_says_what_to_do(systemd: Systemd, settings: MlopsSettings) -> None:
    systemd.say("no-linger")
    kept = install(settings)
    assert kept.installed and f"“loginctl enable-linger {getpass.getuser()}”" in kept.message
    assert unit_status(settings).message == kept.message


# -- who fires -----------------------------------------------------------------------------------


def test_the_process_that_fires_is_named(systemd: Systemd, settings: MlopsSettings) -> None:
    assert keeper(settings) == (
        "No service runs; one starts with the next Jupyter server, or with the next request.",
        True,
    )
    settings.start_service = False
    assert keeper(settings)[0] == "No service runs: nothing fires it until “jupyter mlops service” starts one."
    settings.start_service = True
    suspend_service(settings)
    sentence = "The service was stopped: nothing fires it until “jupyter mlops service” starts it again."
    assert keeper(settings) == (sentence, True)
    ensure_service(settings, wait=120)
    process = wait_until(lambda: info(settings))
    who = f"process {process.pid} on {socket.gethostname()}"
    assert keeper(settings) == (f"The service fires it ({who}); it ends with this machine’s session.", True)
    store = Store(settings.store_url)
    with contextlib.closing(store):
        assert keeper(settings, store) == keeper(settings)


def test_a_service_of_the_unit_is_told_by_its_group(
    systemd: Systemd, settings: MlopsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure_service(settings, wait=120)
    process = wait_until(lambda: info(settings))
    name = unit_name(settings)
    group = systemd.folder / "proc" / str(process.pid) / "cgroup"
    group.parent.mkdir(parents=True)
    group.write_text(f"0::/user.slice/user-1000.slice/user@1000.service/app.slice/{name}\n")
    monkeypatch.setattr(keep, "PROCESSES", systemd.folder / "proc")
    who = f"process {process.pid} on {socket.gethostname()}"
    assert keeper(settings) == (f"The systemd unit {name} fires it ({who}); it ends with your last login.", True)
    (systemd.folder / "linger" / getpass.getuser()).touch()
    assert keeper(settings) == (f"The systemd unit {name} fires it ({who}); it starts with the machine.", False)


# -- the command line --------------------------------------------------------------------------------


def command(settings: MlopsSettings, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyter_mlops.cli.main", "service", *words, "--data-dir", settings.data_dir],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_command_line_installs_and_removes_it(
    systemd: Systemd, settings: MlopsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep, "LINGERS", Path("/var/lib/systemd/linger"))
    systemd.say("no-linger")
    done = command(settings, "install")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{unit_path(settings)} is installed: systemd keeps the service.\n"
    assert done.stderr == f"{unit_status(settings).message}\n" != "\n"
    assert is_running(settings)
    assert command(settings, "uninstall").stdout == "The unit is removed.\n"
    assert command(settings, "uninstall").stdout == "There is no unit; nothing was to be removed.\n"
    systemd.say("no-bus")
    done = command(settings, "install")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "systemd" in done.stderr


def test_a_service_started_by_hand_gives_way_only_where_that_is_asked_for(own_service: Service) -> None:
    done = command(own_service.settings)
    assert done.returncode == 2 and "A service runs already" in done.stderr
    first = own_service.pid
    words = [sys.executable, "-m", "jupyter_mlops.cli.main", "service", "--replace", "--data-dir"]
    process = subprocess.Popen([*words, own_service.settings.data_dir], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: (found := info(own_service.settings)) and found.pid == process.pid)
        wait_until(lambda: own_service.pid is None)  # one is told by a word that this one has not
        assert first != process.pid
    finally:
        process.terminate()
        assert process.wait() == 0
