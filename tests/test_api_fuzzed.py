"""Every route with what its description allows, and with what it does not: nothing fails inside, nothing differs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from api_helpers import DOCUMENT
from conftest import write_notebook
from hypothesis import HealthCheck, settings
from jupyter_helpers import SIGNED_IN, Jupyter
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jupyter_mlops.core.runs import Run
from jupyter_mlops.core.states import RunState
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

pytestmark = pytest.mark.slow
load_all_checks()
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# the unit would be this account's own
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/mlops/service/keep", method=["POST", "DELETE"])
PATH, FILE = "sub/train.ipynb", "sub/train.pipeline.yaml"
STEPS = "steps:\n  train: {notebook: train.ipynb}\n"


class Target:
    """A server with one of everything, and the ids by which requests can name it."""

    def __init__(self, server: Jupyter) -> None:
        self.server = server
        self.base = f"http://127.0.0.1:{server.port}/user/ada"
        write_notebook(server.root / PATH, "depth: int = 3", "auc = 1")
        (server.root / FILE).write_text(STEPS)
        self.ids: dict[str, str] = {}
        self.make()

    def make(self) -> None:
        """Everything anew: requests delete it."""
        ask = self.server.ask
        sweep = ask("POST", "mlops/sweeps", {"path": PATH, "space": {"depth": "1:3"}})[1]["id"]
        store = Store(MlopsSettings(data_dir=str(self.server.data)).store_url)
        store.runs.add(sweep, [Run(id=f"{sweep}-1", sweep_id=sweep, index=0, state=RunState.SUCCEEDED)])
        store.close()
        pipeline = ask("POST", "mlops/pipelines", {"path": FILE, "name": "fuzzed"})[1]["pipeline"]["id"]
        trigger = ask("POST", f"mlops/pipelines/{pipeline}/triggers", {"cron": "0 6 * * *"})[1]["trigger"]["id"]
        pipeline_run = ask("POST", f"mlops/pipelines/{pipeline}/runs", {})[1]["id"]
        self.ids = {"sweep_id": sweep, "run_id": f"{sweep}-1", "pipeline_id": pipeline, "trigger_id": trigger}
        self.ids |= {"pipeline_run_id": pipeline_run, "upstream": pipeline, "number": "1"}

    def name(self, case: Any) -> None:
        """Name what is there where a request is well formed: what is not there is refused before anything else."""
        for name, value in (case.path_parameters or {}).items():
            if re.fullmatch(r"[\w-]+", value, re.ASCII):
                wanted = "pipeline_run_id" if name == "run_id" and "pipeline-runs" in case.path else name
                case.path_parameters[name] = self.ids.get(wanted, value)
        for part in (case.body, case.query):
            if isinstance(part, dict) and isinstance(part.get("path"), str) and len(part["path"]) % 4:
                part["path"] = FILE if "pipeline" in case.path else PATH


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    server = Jupyter(tmp_path_factory.mktemp("fuzzed"), None, "--MlopsSettings.start_service=False")
    yield Target(server)
    server.kill()


@SCHEMA.parametrize()
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_request_makes_the_server_fail(case: Any, target: Target) -> None:
    target.name(case)
    answer = case.call_and_validate(base_url=target.base, headers=SIGNED_IN, checks=CHECKS, timeout=180)
    if case.method == "DELETE" and answer.status_code == 204:
        target.make()
