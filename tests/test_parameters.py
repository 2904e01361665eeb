"""Parameters as notebooks declare them, in Python and in other languages; what counts as a secret."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.core.notebook.declared import read_parameters
from jupyter_mlops.core.parameters import Parameter
from jupyter_mlops.core.values import check_value, looks_secret, recorded_defaults


def only(source: str, language: str = "python") -> Parameter:
    (found,) = read_parameters(source, language)
    return found


@pytest.mark.parametrize(
    ("line", "kind", "default"),
    [
        ("x = 1", "int", 1),
        ("x = -1", "int", -1),
        ("x = +2.5", "float", 2.5),
        ("x = -1e-3", "float", -0.001),
        ("x = True", "bool", True),
        ("x = 'a#b'", "str", "a#b"),
        ("x = 'a=b'", "str", "a=b"),
        ("x = 'it''s'", "str", "its"),
        ("x = '''two\nlines'''", "str", "two\nlines"),
        ("x = [1, 'a', None]", "list", [1, "a", None]),
        ("x = (1, 2)", "list", [1, 2]),
        ("x = {'a': [1]}", "dict", {"a": [1]}),
        ("x: int = 3", "int", 3),
        ("x: float = 3", "float", 3),
        ("x: 'float' = 3", "float", 3),
        ("x: list[int] = [1]", "list", [1]),
        ("x: typing.Dict[str, int] = {}", "dict", {}),
        ("x: Final[int] = 3", "int", 3),
        ("x: Annotated[float, 'rate'] = 3", "float", 3),
        ("x: int | float = 3", "float", 3),
        ("x: int | str = 3", "any", 3),
        ("x: np.float64 = 0.5", "float", 0.5),
        ("x = [\n  1,\n  2,\n]", "list", [1, 2]),
        ("x = (1 +\n2j)", "any", None),
    ],
)
def test_type_and_default(line: str, kind: str, default: Any) -> None:
    found = only(line)
    assert (found.name, found.type, found.default, found.optional) == ("x", kind, default, False)
    assert type(found.default) is type(default)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("x = None", "any"),
        ("x: None = None", "none"),
        ("x: int | None = 3", "int"),
        ("x: None | int = 3", "int"),
        ("x: Optional[int] = 3", "int"),
        ("x: typing.Optional[float] = None", "float"),
        ("x: Union[str, None] = 'a'", "str"),
        ("x: 'int | None' = None", "int"),
        ("x: int | str | None = 3", "any"),
        ("x: int = None", "int"),
        ("x: Path | None = None", "any"),
    ],
)
def test_none_is_accepted(line: str, kind: str) -> None:
    found = only(line)
    assert (found.type, found.optional) == (kind, True)
    assert check_value(found, None) is None


@pytest.mark.parametrize(
    ("annotation", "choices", "optional"),
    [
        ("Literal['a', 'b']", ["a", "b"], False),
        ("typing.Literal[-1, 1]", [-1, 1], False),
        ("Literal['a', None]", ["a"], True),
        ("Literal['a'] | None", ["a"], True),
        ("Optional[Literal['a', 'b']]", ["a", "b"], True),
        ("Union[Literal['a'], Literal['b']]", ["a", "b"], False),
        ("Literal[True, False]", [True, False], False),
    ],
)
def test_choices(annotation: str, choices: list[Any], optional: bool) -> None:
    found = only(f"x: {annotation} = {choices[0]!r}")
    assert (found.type, found.choices, found.optional) == ("choice", choices, optional)
    assert repr(check_value(found, choices[-1])) == repr(choices[-1])
    with pytest.raises(InvalidInputError, match="must be one of"):
        check_value(found, "elsewhere")


def test_true_is_not_one() -> None:
    numbers, flags = only("x: Literal[0, 1] = 0"), only("x: Literal[True, False] = True")
    with pytest.raises(InvalidInputError):
        check_value(numbers, True)
    with pytest.raises(InvalidInputError):
        check_value(flags, 1)


@pytest.mark.parametrize("text", ["dict(a=1)", "Path('a')", "1 + 2", "f'{a}'", "[a, 1]", "{1, 2}", "b'x'", "{1: 2}"])
def test_a_default_that_is_no_literal(text: str) -> None:
    found = only(f"x = {text}")
    assert (found.type, found.default, found.default_text, found.optional) == ("any", None, text, False)


@pytest.mark.parametrize("text", ["1e400", "'\\ud800'"])
def test_a_default_that_json_cannot_hold(text: str) -> None:
    assert only(f"x = {text}").default is None


def test_an_annotation_stays_where_the_default_is_no_literal() -> None:
    found = only("x: int = len(names)")
    assert (found.type, found.default_text) == ("int", "len(names)")


@pytest.mark.parametrize(
    ("source", "help_text"),
    [
        ("x = 1  # how deep", "how deep"),
        ("x = '#1'  # how deep", "how deep"),
        ("# how deep\n# a tree grows\nx = 1", "how deep a tree grows"),
        ("# above\nx = 1  # behind", "behind"),
        ("x = [  # at the start\n  1,\n]", "at the start"),
        ("x = [\n  1,  # inside\n]  # at the end", "at the end"),
        ("x = 1  # type: int", ""),
        ("# a heading\n\nx = 1", ""),
        ("x = 1", ""),
        ("#\n# how deep\n#\nx = 1", "how deep"),
    ],
)
def test_help(source: str, help_text: str) -> None:
    assert only(source).help == help_text


def test_the_comment_of_one_is_not_the_help_of_the_next() -> None:
    a, b = read_parameters("a = 1  # of a\nb = 2", "python")
    assert (a.help, b.help) == ("of a", "")


def test_the_last_of_two_assignments_counts_at_the_place_of_the_first() -> None:
    found = read_parameters("x = 1\ny = 2\nx = 'later'", "python")
    assert [(parameter.name, parameter.default) for parameter in found] == [("x", "later"), ("y", 2)]


def test_only_names_assigned_at_top_level() -> None:
    source = "import os\nx: int\na.b = 1\nc[0] = 1\nif x:\n    y = 2\ndef f():\n    z = 3\nd += 1\ne = f = 4"
    assert [parameter.name for parameter in read_parameters(source, "python")] == ["e", "f"]


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\nx = 1",
        "!ls -l\nx = 1",
        "files = !ls\nx = 1",
        "took = %timeit -o f()\nx = 1",
        "x?\nx = 1",
        "?x\nx = 1",
        "%%time\nx = 1",
        "if True:\n    %load_ext y\nx = 1",
        "\n  \n%%capture out\nx = 1",
    ],
)
def test_magics(source: str) -> None:
    assert only(source).default == 1


def test_what_looks_like_a_magic_in_a_text_stays() -> None:
    assert only("x = '''\n%d items\n!'''").default == "\n%d items\n!"
    assert only("x = (7\n     % 4)").default_text == "7\n     % 4"


def test_another_language_by_cell_magic_declares_nothing() -> None:
    assert read_parameters("%%bash\nx=1", "python") == []


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\ny = (\nz = 2", 2),
        ("x =", 1),
        ("a = 1\n\nb = 'open", 3),
        ("%matplotlib inline\nx ==== 1", 2),
        ("x = 1\0", 1),
        ("x = '\ud800'", 1),
    ],
)
def test_what_does_not_parse_names_the_line(source: str, line: int) -> None:
    with pytest.raises(InvalidInputError, match=rf"not valid Python \(line {line}: ") as caught:
        read_parameters(source, "python")
    assert str(caught.value).endswith("mend it and save the notebook.")


@pytest.mark.parametrize("source", ["x = " + "(" * 5000 + ")" * 5000, "x = " + "[" * 5000, "-" * 20000])
def test_brackets_without_end_are_refused(source: str) -> None:
    with pytest.raises(InvalidInputError, match="not valid Python"):
        read_parameters(source, "python")


def test_a_long_line_is_read_at_once() -> None:
    # an expression that backtracks would take minutes
    for language in ("bash", "python"):
        assert len(read_parameters("x = 1" + " " * 200_000 + "\n" + " " * 200_000 + "y", "bash")) == 1
        assert only("x = '" + "a" * 200_000 + "'", language).type == "str"


@pytest.mark.parametrize(
    ("language", "line", "kind", "default"),
    [
        ("bash", "x=1", "int", 1),
        ("bash", "export x=-2.5", "float", -2.5),
        ("bash", "x=/data/a.csv", "str", "/data/a.csv"),
        ("bash", "x=10:30", "str", "10:30"),
        ("bash", "x='a # b'", "str", "a # b"),
        ("bash", 'x="a b"', "str", "a b"),
        ("bash", "x=true", "bool", True),
        ("r", "x <- 5L", "int", 5),
        ("r", "x <- 1e-3", "float", 0.001),
        ("r", "x = 'auc'", "str", "auc"),
        ("r", "x <- TRUE", "bool", True),
        ("r", 'x <- "a;b";', "str", "a;b"),
        ("julia", "x = 3", "int", 3),
        ("julia", "x::Float64 = 3.0", "float", 3.0),
        ("julia", "const x = false", "bool", False),
    ],
)
def test_other_languages(language: str, line: str, kind: str, default: Any) -> None:
    found = only(f"# above\n{line}  # how deep", language)
    assert (found.name, found.type, found.default, found.help) == ("x", kind, default, "how deep")


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("bash", 'x="$HOME/a"'),
        ("bash", "x=$(date)"),
        ("bash", "[ x == 1 ]"),
        ("bash", "echo x=1"),
        ("r", "x <- c(1, 2)"),
        ("r", "x <- y"),
        ("julia", "x = y"),
        ("julia", "x == 1"),
        ("r", "x <- " + "9" * 5000),
        ("r", "x <- 1e999"),
    ],
)
def test_lines_of_other_languages_that_assign_no_literal(language: str, line: str) -> None:
    assert read_parameters(line, language) == []


def test_nothing_of_another_language_is_anything() -> None:
    found = only("x <- NULL", "r")
    assert (found.type, found.optional, found.default) == ("any", True, None)


@pytest.mark.parametrize(
    ("kind", "value", "checked"),
    [("int", 3.0, 3), ("float", 3, 3.0), ("any", [1], [1]), ("str", "3", "3"), ("list", [], []), ("none", None, None)],
)
def test_values_that_fit(kind: Any, value: Any, checked: Any) -> None:
    found = check_value(Parameter(name="x", type=kind), value)
    assert found == checked
    assert type(found) is type(checked)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", 3.5),
        ("int", True),
        ("int", "3"),
        ("int", None),
        ("float", "high"),
        ("float", 10**400),
        ("bool", 1),
        ("str", 1),
        ("list", {}),
        ("dict", []),
        ("none", 1),
    ],
)
def test_values_that_do_not_fit(kind: Any, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"^depth (must be|cannot be)") as caught:
        check_value(Parameter(name="depth", type=kind), value)
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("password", "x"),
        ("db_password", "x"),
        ("dbPassword", "x"),
        ("PASSWD", None),
        ("token", "x"),
        ("hf_token", "x"),
        ("apiKey", "x"),
        ("API_KEY", "x"),
        ("apikey_2", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("secret", "x"),
        ("name", "AKIAABCDEFGHIJKLMNOP"),
        ("name", "ghp_" + "a" * 36),
        ("name", "sk-" + "a" * 40),
        ("name", "-----BEGIN RSA PRIVATE KEY-----\nx"),
        ("name", ["harmless", "ghp_" + "a" * 36]),
        ("options", {"password": "x"}),
    ],
)
def test_secrets(name: str, value: Any) -> None:
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tokens", 5),
        ("token", 5),
        ("tokens", "a b"),
        ("key_size", 2048),
        ("token_count", 5),
        ("max_tokens", "all"),
        ("monkey", "x"),
        ("keyboard", "x"),
        ("keys", ["a"]),
        ("depth", None),
        ("model", "sk-learn"),
        ("options", {"depth": 3}),
    ],
)
def test_no_secrets(name: str, value: Any) -> None:
    assert not looks_secret(name, value)


def test_defaults_are_recorded_as_literals_or_source_without_what_looks_secret() -> None:
    declared = read_parameters(
        "import math, os\n"
        "rate = 0.1\nlayers = (64, 32)\nlimit = None\nclip = float('inf')\nsize = 2 ** 4\n"
        "token = 'abc'\ntoken_count = 3\napi_key = os.environ['KEY']\nkey = None\n"
        f"client = connect('ghp_{'a' * 36}')\nother = connect(host='db', password='abc')\n"
        "third = {'password': 'a' + 'b'}\nlong = [" + "1, " * 9000 + "]",
        "python",
    )
    found = recorded_defaults(declared, ["rate"])
    assert len(found.pop("long")) == 1000
    assert found == {
        "layers": [64, 32],
        "limit": None,
        "clip": "float('inf')",
        "size": "2 ** 4",
        "token_count": 3,
        "key": None,
    }
