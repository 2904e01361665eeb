"""Loading the extension costs nothing heavy, and requests load nothing that only workers need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from conftest import write_notebook

NEVER = {"dask", "distributed", "mlflow", "papermill", "pandas", "nbclient"}
LATER = {"sqlalchemy", "alembic"}

SERVER = """
import json, re, sys, threading, time, urllib.error, urllib.request
from jupyter_mlops.api.handlers import ROUTES
from jupyter_mlops.events import SCHEMA_ID
from jupyter_server.serverapp import ServerApp

root, data, heavy = sys.argv[1], sys.argv[2], set(json.loads(sys.argv[3]))
loaded = lambda: sorted(heavy & set(sys.modules))
app = ServerApp()
app.initialize([
    "--ServerApp.jpserver_extensions={'jupyter_mlops': True}", f"--ServerApp.root_dir={root}",
    f"--MlopsSettings.data_dir={data}", "--MlopsSettings.start_service=False", "--ServerApp.allow_root=True",
    "--ServerApp.open_browser=False", "--IdentityProvider.token=t", "--ServerApp.port=0",
])
events = []

async def listen(logger, schema_id, data):
    events.append(data)

app.event_logger.add_listener(schema_id=SCHEMA_ID, listener=listen)
manager = app.extension_manager
found = {"extension": bool(manager.extension_apps["jupyter_mlops"]), "loaded": loaded()}

def ask(method, path, body=None):
    request = urllib.request.Request(
        app.connection_url + "mlops/" + path, method=method, headers={"Authorization": "token t"},
        data=None if body is None else json.dumps(body).encode(),
    )
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            text = answer.read()
            return json.loads(text) if text.startswith((b"{", b"[")) else None
    except urllib.error.HTTPError as error:
        assert error.code < 500 or path == "mlflow/", (error.code, path)
        return {"code": error.code}

def visit():
    try:
        sweep = ask("POST", "sweeps", {"path": "a.ipynb", "space": {"a": "1:3"}})["id"]
        known = {"sweep_id": sweep, "action": "pause"}
        asked = set()
        for route in ROUTES:
            for verb, operation in route.operations.items():
                path = re.sub(r"{(\\w+)}", lambda field: known.get(field[1], "none"), route.path)
                asked.add(path)
                if path == "service/keep":
                    # it would install a unit of this user's
                    continue
                query = "?path=a.ipynb" if "path" in operation.query else ""
                ask(verb.upper(), path + query, None if operation.takes is None else {"path": "a.ipynb"})
        ask("GET", "mlflow/")
        while not events:
            time.sleep(0.05)
        found.update(heard=sweep in events[0]["sweeps"], asked=len(asked), routes=len(ROUTES), after=loaded())
    finally:
        app.io_loop.add_callback(app.stop)

threading.Timer(0.5, visit).start()
app.start()
print(json.dumps(found))
"""


def test_what_is_imported_at_load_and_after_every_route(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write_notebook(root / "a.ipynb", "a = 1", "import mlflow\nauc = a")
    heavy = json.dumps(sorted(NEVER | LATER))
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(root), str(tmp_path / "data"), heavy],
        env=os.environ | {name: str(tmp_path / name) for name in folders},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["extension"]
    assert found["loaded"] == []
    assert found["asked"] == found["routes"]
    assert found["heard"]
    # the store is open by then; what only workers and the service need is not
    assert set(found["after"]) == LATER


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, __future__; old = set(sys.modules); import jupyter_mlops; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["jupyter_mlops"]
