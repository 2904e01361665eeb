"""Secrets: found on the worker, given to the kernel alone, and hidden in all that a worker keeps."""

from __future__ import annotations

import base64
import html
import json
import re
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from step_helpers import STARTS, step, went_well, why_failed
from warm_helpers import Notebook
from warm_kernels import OtherEnvironment
from worker_helpers import text_of

from jupyter_mlops.core.runs import RunExtras, RunResult, SecretRef
from jupyter_mlops.core.states import RunState
from jupyter_mlops.worker.fork.pool import fork_servers
from jupyter_mlops.worker.hiding import Hiding

VALUE = "s3cr/t \"q'\\é&<key>+abcdef"
HIDDEN = "[secret TOKEN]"


@pytest.fixture
def extras(monkeypatch: pytest.MonkeyPatch) -> RunExtras:
    monkeypatch.setenv("VAULT_TOKEN", VALUE)
    return RunExtras(secrets={"TOKEN": SecretRef(env="VAULT_TOKEN")})


def forms(value: str) -> list[str]:
    return [code(value) for code in (*CHARACTERS.values(), *DIGITS.values())]


def assert_nothing_kept(notebook: Notebook, value: str = VALUE) -> None:
    """No form of a value in any file of the run but those it wrote to its own folder itself."""
    attempt = Path(notebook.next_spec().directory).parent / f"notebook-{notebook.runs - 1}" / "1"
    files = [path for path in attempt.rglob("*") if path.is_file()]
    assert {"output.ipynb", "result.json"} <= {path.name for path in files}
    for path in files:
        text = path.read_text(errors="replace")
        # as it stands, and as a string of JSON stands in a file of JSON
        around = [base64.b64encode(b"x" * n + value.encode() + b"y").decode()[4:-5] for n in range(3)]
        for form in [*forms(value), *around]:
            assert form not in text and json.dumps(form)[1:-1] not in text, (path, form)
            assert json.dumps(form, ensure_ascii=False)[1:-1] not in text, (path, form)


TELL = """
import base64, html, json, os, sys, time, urllib.parse, warnings
from IPython.display import HTML, JSON, display, update_display
token = os.environ["TOKEN"]
data = token.encode()
print("plain", token, repr(token), json.dumps(token), json.dumps({"a": token}, ensure_ascii=False))
print(urllib.parse.quote(token), urllib.parse.quote(token, safe=""), urllib.parse.quote_plus(token))
print(base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode(), data.hex())
print(data, data.hex().upper(), data.hex(":"), base64.b32encode(data).decode(), list(data))
for before in (b"", b"a", b"ab"):
    print(base64.b64encode(before + data + b":password").decode())
print(base64.encodebytes(b"0123456789" * 5 + data).decode())
print(html.escape(token), file=sys.stderr)
warnings.warn(token)
print("\\x1b[31m" + token[:5] + "\\x1b[0m" + token[5:])
os.write(1, ("by the process itself: " + token).encode())
os.system("echo shell $TOKEN")
"""
SHOW = """
handle = display(HTML("<b>" + token + "</b>"), display_id="d1")
update_display(HTML("<i>" + html.escape(token) + "</i>"), display_id="d1")
display(JSON({"deep": [{token: token}]}), metadata={"note": token})
display({"image/png": base64.b64encode(b"PNG" + data).decode()}, raw=True)
{"result": token}
"""
SPLIT = """
for piece in (token[:3], token[3:9], token[9:]):
    print(piece, end="", flush=True)
    time.sleep(0.05)
print()
print(token[:7], end="", flush=True); time.sleep(0.05)
print("err", file=sys.stderr, flush=True); time.sleep(0.05)
print(token[7:], flush=True)
"""


@pytest.mark.parametrize("start", STARTS)
def test_nothing_that_is_kept_holds_a_secret(tmp_path: Path, extras: RunExtras, start: str) -> None:
    notebook = step(tmp_path, TELL, SHOW, SPLIT, extras=extras, kernel_start=start)
    result = went_well(notebook.run())
    assert result.kernel_start == ("warm" if start == "auto" else "fresh"), result.kernel_reason
    assert_nothing_kept(notebook)
    told, shown, split = notebook.executed(1).cells
    assert f"plain {HIDDEN} " in text_of(told)
    assert text_of(told).count(HIDDEN) >= 21
    assert shown.outputs[0].data["text/html"] == f"<i>{HIDDEN}</i>"
    assert shown.outputs[1].data["application/json"] == {"deep": [{HIDDEN: HIDDEN}]}
    assert shown.outputs[1].metadata["note"] == HIDDEN
    assert HIDDEN in shown.outputs[-1].data["text/plain"]
    assert [out.text for out in split.outputs] == [f"{HIDDEN}\n{HIDDEN}", "err\n", "\n"]
    assert VALUE not in str(result)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError('no access with ' + os.environ['TOKEN'])",
        "raise ValueError('x' * 290 + os.environ['TOKEN'])",
        "raise KeyError(os.environ['TOKEN'])",
        "raise ValueError(os.environb[b'TOKEN'], os.environb[b'TOKEN'].hex('-').upper())",
        "exec(os.environ['TOKEN'])",
        "raise type(os.environ['TOKEN'], (Exception,), {})(1)",
        "import sys; sys.exit(os.environ['TOKEN'])",
    ],
)
def test_an_error_holds_no_secret(tmp_path: Path, extras: RunExtras, code: str, start: str) -> None:
    notebook = step(tmp_path, "import os", code, extras=extras, kernel_start=start)
    result = notebook.run()
    assert result.state is RunState.FAILED and result.error is not None
    text = result.error.name + result.error.message + result.error.traceback
    assert "s3cr" not in text, text
    if "exec" not in code:
        assert HIDDEN in text or "[secret" in text
    assert_nothing_kept(notebook)


def test_half_a_secret_is_hidden_where_the_kernel_died(tmp_path: Path, extras: RunExtras) -> None:
    code = (
        "import os, time\nprint('at', os.environ['TOKEN'][:15], end='', flush=True)\ntime.sleep(0.3)\n"
        "os.write(2, os.environ['TOKEN'].encode())\nos._exit(3)"
    )
    notebook = step(tmp_path, code, extras=extras)
    result = notebook.run()
    assert why_failed(result, "Exit") == "The kernel exited with 3 in cell 1 of 1."
    assert text_of(notebook.executed().cells[0]) == f"at {HIDDEN}"
    log = Path(tmp_path / "data" / "notebook-1" / "1" / "kernel.log")
    assert log.read_text() == HIDDEN
    assert_nothing_kept(notebook)


def test_a_notebook_that_is_saved_meanwhile_holds_no_half(tmp_path: Path, extras: RunExtras) -> None:
    """Its file is looked at from within: what was printed so far may go on."""
    code = (
        "import os, pathlib, time\ntoken = os.environ['TOKEN']\nseen = []\n"
        "path = pathlib.Path(os.environ['MLOPS_OUTPUTS']).with_name('output.ipynb')\n"
        "print('begin')\n"
        "for piece in (token[:8], token[8:]):\n"
        "    print(piece, end='', flush=True)\n    time.sleep(1.5)\n    seen.append(path.read_text())\n"
        "print([token[:8] in text for text in seen], ['begin' in text for text in seen])"
    )
    notebook = step(tmp_path, code, extras=extras)
    text = notebook.texts()[0]
    assert text == f"begin\n{HIDDEN}[False, False] [True, True]\n"


def test_output_beyond_the_limit_is_cut_before_half_a_secret_shows(tmp_path: Path, extras: RunExtras) -> None:
    code = "import os, sys\nsys.stdout.write('x' * 990 + os.environ['TOKEN'] + 'y' * 5000)"
    notebook = step(tmp_path, code, extras=extras, max_output=1000)
    went_well(notebook.run())
    text = text_of(notebook.executed(1).cells[0])
    assert text.startswith("x" * 990 + HIDDEN)
    assert_nothing_kept(notebook)


def test_widgets_hold_no_secret(tmp_path: Path, extras: RunExtras) -> None:
    code = (
        "import os\nfrom comm import create_comm\n"
        "state = {'_model_name': 'TextModel', '_model_module': 'x', 'value': os.environ['TOKEN']}\n"
        "data = {'state': state, 'buffer_paths': []}\n"
        "comm = create_comm(target_name='jupyter.widget', data=data, metadata={'version': '2.1.0'})"
    )
    notebook = step(tmp_path, code, extras=extras)
    went_well(notebook.run())
    assert HIDDEN in str(notebook.executed(1).metadata.widgets)
    assert_nothing_kept(notebook)


@pytest.mark.parametrize(
    "code",
    [
        "x = [{'a': 'https://me:' + os.environ['TOKEN'] + '@host'}]",
        "x = {os.environ['TOKEN']: 1}",
        "import json, base64\nt = base64.b64encode(b'me:' + os.environ['TOKEN'].encode()).decode()\n"
        "x = 1; open(os.environ['MLOPS_OUTPUTS'], 'w').write(json.dumps({'x': t}))",
    ],
)
def test_a_secret_is_not_handed_on(tmp_path: Path, code: str, extras: RunExtras) -> None:
    import msgspec

    notebook = step(tmp_path, "import os", code, extras=msgspec.structs.replace(extras, outputs=["x"]))
    assert why_failed(notebook.run(), "Output") == (
        "The output “x” holds a secret, which is never handed on; name the secret in each step that needs it."
    )
    assert_nothing_kept(notebook)


def test_a_number_may_be_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_PIN", "204857")
    extras = RunExtras(secrets={"PIN": SecretRef(env="VAULT_PIN")}, outputs=["other"])
    code = "import os\npin = int(os.environ['PIN'])\nother = 0.20485712"
    notebook = step(tmp_path, code, extras=extras, metrics=["pin", "other"])
    result = went_well(notebook.run())
    assert result.metrics == {"other": 0.20485712} == result.outputs
    assert result.warnings == ["The metric 'pin' is a secret and was left out."]


def test_a_short_secret_is_said_to_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_PIN", "123")
    extras = RunExtras(secrets={"PIN": SecretRef(env="VAULT_PIN")})
    notebook = step(tmp_path, "import os\nprint(os.environ['PIN'])", extras=extras)
    result = went_well(notebook.run())
    assert result.warnings == ["The secret “PIN” has fewer than 4 characters, too few to hide it in outputs."]
    assert notebook.texts(1) == ["123\n"]


def test_a_bash_step_has_and_hides_its_secret(tmp_path: Path, extras: RunExtras) -> None:
    notebook = step(tmp_path, 'printf "%s" "$TOKEN" | wc -m; echo "$TOKEN"', extras=extras, kernel="bash")
    went_well(notebook.run())
    text = text_of(notebook.executed(1).cells[0])
    assert text.split("\n")[-2] == HIDDEN and str(len(VALUE)) in text
    assert_nothing_kept(notebook)


# -- the kernel's environment ------------------------------------------------------------------------------


def test_the_process_that_kernels_are_forked_from_never_has_it(
    tmp_path: Path, extras: RunExtras, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import hashlib, json, os\nenviron = open(f'/proc/{os.getppid()}/environ', 'rb').read()\n"
        "own = {n: hashlib.sha1(os.environ[n].encode()).hexdigest() for n in ('TOKEN', 'VAULT_TOKEN')}\n"
        "print(json.dumps([os.getppid(), [n for n in own if n.encode() + b'=' in environ], own['TOKEN'], "
        "own['TOKEN'] == own['VAULT_TOKEN']]))"
    )
    notebook = step(tmp_path, code, extras=extras)
    first = notebook.last()
    assert first[1] == [] and first[3] is True
    monkeypatch.setenv("VAULT_TOKEN", "another value")
    second = notebook.last()
    # from the same process, with the value of its own time
    assert second[0] == first[0] and second[2] != first[2]
    for key, _ in fork_servers._idle:
        assert VALUE not in repr(key) and "another value" not in repr(key)


def test_an_import_that_reads_a_secret_is_left_to_the_notebook(
    tmp_path: Path, extras: RunExtras, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Done before the fork, it would find none, or that of another run."""
    environment = OtherEnvironment(tmp_path)
    monkeypatch.setenv("JUPYTER_PATH", str(environment.jupyter))
    (environment.packages / "secretive.py").write_text("import os\nTOKEN = os.environ.get('TOKEN', 'none')\n")
    code = "import early, secretive, os\nprint(early.PID == os.getppid(), len(secretive.TOKEN))"
    notebook = step(tmp_path, code, extras=extras, kernel="other")
    assert notebook.texts() == [f"True {len(VALUE)}\n"]
    monkeypatch.setenv("VAULT_TOKEN", "another value")
    assert notebook.texts() == ["True 13\n"]


def test_runs_forked_after_shared_cells_have_it(tmp_path: Path, extras: RunExtras) -> None:
    notebook = step(
        tmp_path,
        "rate = 1",
        "import os\nprint('shared', os.environ['TOKEN'])",
        "print(rate, os.environ['TOKEN'])",
        extras=extras,
        prefix=2,
        varied=["rate"],
    )
    for rate in (1, 2):
        result = went_well(notebook.run(parameters={"rate": rate}))
        assert result.kernel_start == "shared", result.kernel_reason
        assert notebook.texts(rate)[-2:] == [f"shared {HIDDEN}\n", f"{rate} {HIDDEN}\n"]
        assert_nothing_kept(notebook)
        notebook.runs = rate


# -- where they are found ----------------------------------------------------------------------------------


def found(tmp_path: Path, reference: SecretRef) -> RunResult:
    notebook = step(
        tmp_path,
        "import hashlib, os\nx = hashlib.sha1(os.environb[b'TOKEN']).hexdigest()",
        extras=RunExtras(secrets={"TOKEN": reference}, outputs=["x"]),
    )
    return notebook.run()


class Keyring(ModuleType):
    """What is asked of the package, over entries in memory: a test machine has no keyring."""

    def get_password(self, service: str, user: str) -> str | None:
        if service == "locked":
            raise RuntimeError("value in the message")
        return {("https://host/path", "ada"): "from the keyring"}.get((service, user))


def test_secrets_are_found_in_files_and_keyrings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hashlib import sha1

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "keyring", Keyring("keyring"))
    (tmp_path / "token").write_bytes(b"line one\nline two\r\n")
    expected = sha1(b"line one\nline two").hexdigest()
    for place in ("~/token", str(tmp_path / "token")):
        assert went_well(found(tmp_path, SecretRef(file=place))).outputs == {"x": expected}
    entry = SecretRef(keyring="https://host/path/ada")
    assert went_well(found(tmp_path, entry)).outputs == {"x": sha1(b"from the keyring").hexdigest()}


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ({"env": "ABSENT_1"}, "the worker's environment has no variable ABSENT_1"),
        ({"env": "EMPTY_1"}, "the environment variable EMPTY_1 of the worker is empty"),
        ({"keyring": "service/user"}, "the keyring of this account has no entry service/user"),
        ({"keyring": "service"}, "the keyring's entry must be SERVICE/USER, not service"),
        ({"keyring": "locked/user"}, "the keyring did not give locked/user (RuntimeError)"),
        ({"file": "/absent/file"}, "the file /absent/file cannot be read: No such file or directory"),
        ({"file": "relative"}, "the path of its file must be absolute or begin with ~, not relative"),
        ({"file": "/"}, "the file / cannot be read: Is a directory"),
        ({"file": sys.executable}, f"the file {sys.executable} is no text in UTF-8"),
        ({}, "one of env, keyring and file must say where it is"),
        ({"env": "A", "file": "/b"}, "one of env, keyring and file must say where it is"),
    ],
)
def test_a_secret_that_is_not_found_fails_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: dict[str, str], why: str
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", Keyring("keyring"))
    monkeypatch.setenv("EMPTY_1", "")
    result = found(tmp_path, SecretRef(**reference))
    assert why_failed(result, "Secret") == f"The secret “TOKEN” could not be found: {why}."
    assert result.cell == 0 and result.kernel_start == ""


# -- the forms it may have ----------------------------------------------------------------------------------


def coded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


CHARACTERS = {
    "plain": str,
    "repr": lambda value: repr(value)[1:-1],
    "ascii": lambda value: ascii(value)[1:-1],
    "bytes": lambda value: repr(value.encode())[2:-1],
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON of UTF-8": lambda value: json.dumps(value, ensure_ascii=False)[1:-1].replace("/", "\\/"),
    "names": lambda value: value.replace("\\", "\\\\").encode("ascii", "namereplace").decode(),
    "all escaped": lambda value: "".join(f"\\x{byte:02X}" for byte in value.encode()),
    "octal": lambda value: "".join(f"\\{byte:03o}" for byte in value.encode()),
    "shell": lambda value: re.sub(r"([^\w\n])", r"\\\1", value),
    "address": lambda value: quote(value, safe=""),
    "address, lower case": lambda value: re.sub("%..", lambda match: match[0].lower(), quote(value)),
    "form": quote_plus,
    "HTML": html.escape,
    "HTML, ASCII": lambda value: html.escape(value).encode("ascii", "xmlcharrefreplace").decode(),
    "HTML, all": lambda value: "".join(f"&#x{ord(character):X};" for character in value),
    "colours": "\x1b[0;31m".join,
}
DIGITS = {
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "fingerprint": lambda value: value.encode().hex(":").upper(),
    "words": lambda value: value.encode().hex(" ", 2),
    "0x": lambda value: ", ".join(f"0x{byte:02x}" for byte in value.encode()),
    "UTF-16": lambda value: value.encode("utf-16-le").hex(),
    "list": lambda value: str(list(value.encode())),
    "array": lambda value: str(list(value.encode())).replace(",", "\n     "),
    "base32": lambda value: base64.b32encode(value.encode()).decode(),
    "base64": coded,
    "base64, urlsafe": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "base64, lines": lambda value: base64.encodebytes(b"z" * 40 + value.encode() + b"z" * 40).decode(),
    "base64, within": lambda value: coded(f"me:{value}@host"),
    "base64, bytes": lambda value: repr(base64.encodebytes(b"z" * 50 + value.encode())),
    "base64 twice": lambda value: f" {coded(coded(value))} ",
    "base64 of JSON": lambda value: f"'{coded(json.dumps({'user': 'me', 'key': value}))}'",
}
# what the codes treat specially is drawn as often as all other characters
SECRETS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs", "Co"], exclude_characters="\0\x1b"),
        st.sampled_from("\\\"'%&<>/+= xu4n;#é€😀\n-"),
    ),
    min_size=8,
    max_size=60,
).filter(lambda value: len(set(value)) > 5)
AROUND = st.sampled_from(["", " ", "'", '"', "<b>", "</b>", "key: ", "\n", "(", "]"])


@given(SECRETS, AROUND, AROUND)
def test_a_secret_is_hidden_in_any_code_of_characters(value: str, before: str, after: str) -> None:
    hiding = Hiding({"TOKEN": value})
    for name, code in CHARACTERS.items():
        assert hiding.text(before + code(value) + after) == before + HIDDEN + after, name


@given(SECRETS)
def test_a_secret_is_hidden_in_one_code_within_another(value: str) -> None:
    hiding = Hiding({"TOKEN": value})
    for outer in ("repr", "JSON", "address", "HTML"):
        for name, inner in CHARACTERS.items():
            assert hiding.text(f"<{CHARACTERS[outer](inner(value))}>") == f"<{HIDDEN}>", (outer, name)


@given(SECRETS, AROUND, AROUND)
def test_a_secret_is_hidden_in_any_digits(value: str, before: str, after: str) -> None:
    hiding = Hiding({"TOKEN": value})
    for name, code in DIGITS.items():
        hidden = hiding.text(before + code(value) + after)
        assert hidden.count(HIDDEN) == 1, name
        if name in ("hex", "HEX", "fingerprint", "words", "UTF-16", "base32"):
            assert hidden.replace("=", "") == before + HIDDEN + after, name


@given(st.text(max_size=300))
def test_what_holds_no_secret_stays(text: str) -> None:
    hiding = Hiding({"TOKEN": "correct horse battery staple"})
    for name, code in {**CHARACTERS, **DIGITS}.items():
        assert hiding.text(code(text)) == code(text), name


@pytest.mark.parametrize("value", ["abcd", "12345", "[secret X]", "a" * 300, "p\udcff\udcfess w\udcf6rd"])
def test_odd_secrets_are_hidden(value: str) -> None:
    hiding = Hiding({"TOKEN": value})
    data = value.encode("utf-8", "surrogateescape")
    for form in (value, repr(value)[1:-1], json.dumps(value)[1:-1], repr(data)[2:-1], data.hex(), quote(data)):
        assert hiding.text(f"<{form}>") == f"<{HIDDEN}>"
    assert hiding.text(base64.b64encode(data).decode()).rstrip("=") == HIDDEN


def test_the_beginning_of_a_coded_secret_is_hidden_where_it_may_go_on() -> None:
    hiding = Hiding({"TOKEN": VALUE})
    for code in ("JSON", "HEX", "base64"):
        form = {**CHARACTERS, **DIGITS}[code](VALUE)
        assert hiding.texts(["at ", form[: 2 * len(form) // 3]], going_on=True)[1].startswith(HIDDEN), code


def test_looking_for_secrets_takes_time_that_grows_with_the_text_alone() -> None:
    """Linear: ten times the text takes less than thirty times the processor's time."""
    hiding = Hiding({"TOKEN": VALUE, "KEY": "ghp_x9Zk3Fq0"})
    line = (
        "2026-11-29 INFO epoch 12: loss=0.3423 n=10 \\x41 %20 &lt; \x1b[31mred\x1b[0m [12, 13, 14] QUJDREVGR0g= "
        + VALUE
    )

    def seconds(lines: int) -> float:
        text = f"{line}\n" * lines
        began = time.process_time()
        assert hiding.text(text).count(HIDDEN) == lines
        return time.process_time() - began

    seconds(10)
    assert seconds(10_000) < 30 * seconds(1_000)


def test_of_several_secrets_the_longest_that_fits_counts() -> None:
    hiding = Hiding({"A": "pass", "B": "password", "C": "word-extra"})
    assert hiding.text("password pass passing") == "[secret B] [secret A] [secret A]ing"
    assert hiding.text("password-extra") == "[secret B]"
    assert hiding.text("a key:\n" + "pass\nword") == "a key:\n[secret A]\nword"


def test_the_lines_of_a_key_are_hidden_one_by_one() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----"
    hiding = Hiding({"KEY": key})
    shown: Any = hiding.tree({"lines": ["  MIIEvQIBADANBgkq", "hkiG9w0BAQEFAASC"], "n": 1})
    assert shown == {"lines": ["  [secret KEY]", "[secret KEY]"], "n": 1}
    assert hiding.text(key) == "[secret KEY]"
