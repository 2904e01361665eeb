"""MLflow's own interface inside JupyterLab: behind Jupyter's authentication, under its base URL."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from api_helpers import as_read
from conftest import BASE_URL, Service
from mlflow_helpers import embedded, mlflow_client
from tornado.httpclient import HTTPClientError, HTTPResponse

from jupyter_mlops.core.states import SweepState
from jupyter_mlops.core.sweeps import Sweep

Fetch = Callable[..., Awaitable[HTTPResponse]]
Cookie = Callable[[], Awaitable[dict[str, str]]]
SEARCH = "/ajax-api/2.0/mlflow/experiments/search"


@pytest.fixture
def data_dir(service: Service) -> Path:
    """The Jupyter server shows the shared service's MLflow."""
    embedded(service)
    return service.settings.data_path


@pytest.fixture
def site(jp_http_port: int) -> str:
    return f"http://127.0.0.1:{jp_http_port}"


@pytest.fixture
def ask(http_server_client: Any, jp_serverapp: Any, jp_auth_header: dict[str, str]) -> Fetch:
    """Asks the Jupyter server for something of MLflow's, as somebody who is signed in."""

    async def ask(path: str, headers: dict[str, str] | None = None, **options: Any) -> HTTPResponse:
        url = f"{BASE_URL}mlops/mlflow{path}"
        answer: HTTPResponse = await http_server_client.fetch(
            url, headers={**jp_auth_header, **(headers or {})}, follow_redirects=False, **options
        )
        return answer

    return ask


@pytest.fixture
def cookie(ask: Fetch) -> Cookie:
    """What a browser sends that has signed in."""

    async def cookie() -> dict[str, str]:
        answer = await ask("/")
        pairs = [line.split(";")[0] for line in answer.headers.get_list("Set-Cookie")]
        assert pairs
        return {"Cookie": "; ".join(pairs)}

    return cookie


async def refused(request: Awaitable[HTTPResponse]) -> tuple[int, Any]:
    with pytest.raises(HTTPClientError) as caught:
        await request
    assert caught.value.response is not None
    return caught.value.code, caught.value.response


@pytest.fixture(scope="module")
def sweep(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """One whose run left 10 MB and a page with a script."""
    cell = (
        "import os\nplace = os.environ['MLOPS_RUN_DIR']\n"
        "open(place + '/big.bin', 'wb').write(bytes(range(250)) * 40_000)\n"
        "open(place + '/page.html', 'w').write('<script>alert(1)</script>')"
    )
    notebook = tmp_path_factory.mktemp("proxy") / "n.ipynb"
    sweep = service.run_until_over(notebook, "a = 1", cell, space={"a": "1"})
    assert sweep.state is SweepState.SUCCEEDED, sweep.message
    return sweep


async def test_the_interface_and_its_parts(ask: Fetch) -> None:
    page = await ask("/")
    assert page.headers["Content-Type"].startswith("text/html")
    sandbox, _, framing = page.headers["Content-Security-Policy"].partition("; ")
    assert sandbox.startswith("sandbox ") and "top-navigation" not in sandbox
    assert framing == "frame-ancestors 'self'"
    text = page.body.decode()
    parts = re.findall(r'(?:src|href)="([^"]+\.(?:js|css))"', text)
    assert parts and not any(part.startswith(("/", "http")) for part in parts)
    for part in parts:
        answer = await ask(f"/{part.removeprefix('./')}")
        kind = "javascript" if part.endswith("js") else "css"
        assert answer.code == 200 and kind in answer.headers["Content-Type"] and answer.body


async def test_an_address_without_its_slash_leads_on(ask: Fetch) -> None:
    code, answer = await refused(ask(""))
    assert (code, answer.headers["Location"]) == (302, f"{BASE_URL}mlops/mlflow/")


async def test_what_the_interface_asks_for(ask: Fetch, cookie: Cookie, sweep: Sweep, site: str) -> None:
    signed_in = {"Authorization": "", **await cookie()}
    answer = await ask(
        SEARCH,
        method="POST",
        body=json.dumps({"max_results": 100}),
        headers={**signed_in, "Origin": site, "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"},
    )
    found = {experiment["experiment_id"] for experiment in json.loads(answer.body)["experiments"]}
    assert sweep.mlflow_experiment_id in found


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Referer": "http://evil.example/page"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_request_from_another_site_is_refused(
    ask: Fetch, cookie: Cookie, service: Service, site: str, headers: dict[str, str]
) -> None:
    name = "made-by-another-site"
    if "Sec-Fetch-Site" in headers:
        headers = {"Origin": site, **headers}
    create = "/api/2.0/mlflow/experiments/create"
    # a browser adds the cookie to whatever any page asks for
    signed_in = {"Authorization": "", **await cookie()}
    body = json.dumps({"name": name})
    code, answer = await refused(ask(create, method="POST", body=body, headers={**signed_in, **headers}))
    assert (code, as_read(answer.body)["message"]) == (403, "This request came from another site.")
    assert mlflow_client(service).get_experiment_by_name(name) is None


async def test_nobody_is_let_in_without_signing_in(http_server_client: Any, ask: Fetch, site: str) -> None:
    path = f"{BASE_URL}mlops/mlflow/"
    # a page is led to the sign-in, a request for data is refused
    code, answer = await refused(http_server_client.fetch(path, follow_redirects=False))
    assert code in (302, 403)
    if code == 302:
        assert "/login" in answer.headers["Location"]
    search = f"{BASE_URL}mlops/mlflow{SEARCH}"
    code, _ = await refused(
        http_server_client.fetch(search, method="POST", body="{}", headers={"Origin": site}, follow_redirects=False)
    )
    assert code == 403


async def test_artifacts_come_whole_and_can_do_nothing(ask: Fetch, service: Service, sweep: Sweep) -> None:
    (run,) = service.store.runs.of_sweep(sweep.id)
    assert run.mlflow_run_id is not None
    get = f"/get-artifact?run_uuid={run.mlflow_run_id}&path=files/"
    big = await ask(get + "big.bin")
    assert big.body == bytes(range(250)) * 40_000
    page = await ask(get + "page.html")
    assert b"<script>" in page.body
    for answer in (big, page):
        # a script in it would otherwise act as this server's own
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["static-files/index.html", "get-artifact", "no-such-page", "graphql", "docs"])
async def test_nothing_else_than_mlflows_own_page_can_run_scripts(ask: Fetch, path: str) -> None:
    answer = await ask(f"/{path}", raise_error=False)
    assert answer.headers["Content-Security-Policy"] == "sandbox", (answer.code, answer.body[:200])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_token_stays_inside(ask: Fetch, service: Service) -> None:
    page = await ask("/")
    token = json.loads((service.settings.data_path / "mlflow.json").read_text())["token"]
    assert token not in page.body.decode() and token not in str(page.headers)
