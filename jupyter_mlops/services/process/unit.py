"""Content of the systemd unit and of its environment file."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ...core.errors import UnavailableError
from ...core.messages import Message
from ...settings import MlopsSettings
from .layout import Layout

START_SECONDS = 30.0
# may hold passwords, so they must not appear in the command line
_PRIVATE = ("store", "mlflow_tracking_uri")
# meaningless for a permanent service, or passed separately
_OTHERS = ("start_service", "service_idle_timeout", "data_dir")
# decide which programs, packages and servers notebooks find; systemd units do not inherit them
_INHERITED = (
    *("PATH", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH"),
    *("JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH", "JUPYTER_DATA_DIR", "JUPYTER_PATH", "JUPYTER_PREFER_ENV_PATH"),
    *("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE"),
)

_UNIT = """\
[Unit]
Description=Sweeps and pipelines of Jupyter in {description}
# it is started again for as long as it takes
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
EnvironmentFile={environment}
# yours: variables that secrets of pipelines name
EnvironmentFile=-{secrets}
WorkingDirectory=/
StandardOutput=append:{log}
StandardError=inherit
Restart=on-failure
RestartSec=5
# its settings make no sense: starting it again would not help
RestartPreventExitStatus=2
# notebooks go on while the service is started anew, and one that takes all memory ends alone
KillMode=process
OOMPolicy=continue
TasksMax=infinity

[Install]
WantedBy=default.target
"""


def unit_name(settings: MlopsSettings) -> str:
    """Name of the unit; a data folder other than the default adds a hash."""
    usual = Path.home() / ".local" / "share" / "jupyter" / "mlops"
    folder = Path(settings.data_dir)
    if folder == usual:
        return "jupyter-mlops.service"
    return f"jupyter-mlops-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}.service"


def unit_path(settings: MlopsSettings) -> Path:
    """Path of the unit file, existing or not."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "systemd" / "user" / unit_name(settings)


def start_unit(settings: MlopsSettings) -> bool:
    """Start the service through its unit; False if there is none or it fails."""
    path = unit_path(settings)
    if not path.exists():
        return False
    try:
        words = ["systemctl", "--user", "start", path.name]
        return subprocess.run(words, capture_output=True, timeout=START_SECONDS, check=False).returncode == 0
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False


def unit_text(settings: MlopsSettings) -> str:
    """Content of the unit file; it holds no secret.

    Raises:
        UnavailableError: the data folder's name contains characters that a unit cannot hold.
    """
    layout = Layout(settings.data_path)
    words = [sys.executable, "-m", "jupyter_mlops.cli.main", "service", "--replace", *_overrides(settings)]
    return _UNIT.format(
        description=_percent(_line(str(settings.data_path))),
        command=" ".join(_word(word) for word in words),
        environment=_percent(_line(str(layout.unit_environment))),
        secrets=_percent(_line(str(layout.unit_secrets))),
        log=_percent(_line(str(layout.log))),
    )


def environment_text(settings: MlopsSettings, environ: Mapping[str, str]) -> str:
    """Content of the unit's environment file; it may hold passwords."""
    values = {name: environ[name] for name in _INHERITED if environ.get(name)}
    private = {name: getattr(settings, name) for name in _PRIVATE if getattr(settings, name)}
    if private:
        values["JUPYTER_MLOPS_SETTINGS"] = json.dumps(private)
    return "".join(f"{name}={_quoted(value)}\n" for name, value in values.items())


def _overrides(settings: MlopsSettings) -> list[str]:
    """Command line options for all settings that differ from their defaults."""
    words = [f"--MlopsSettings.data_dir={settings.data_dir}"]
    for name in sorted(settings.trait_names(config=True)):
        value = getattr(settings, name)
        if name not in (*_PRIVATE, *_OTHERS) and value != settings.trait_defaults(name):
            words.append(f"--MlopsSettings.{name}={value}")
    return words


def _word(text: str) -> str:
    """Quote one word of a unit's command line."""
    text = _line(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{_percent(text)}"'


def _quoted(text: str) -> str:
    """Quote a value of an environment file."""
    for character in '\\"`$':
        text = text.replace(character, f"\\{character}")
    return f'"{text}"'


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _line(text: str) -> str:
    if not text.isprintable():
        raise UnavailableError(Message("{text} cannot stand in a systemd unit; choose another name.", text=repr(text)))
    return text
