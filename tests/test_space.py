"""The grammar of what to try, the spaces it makes, and the samplers that choose from them."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import msgspec
import pytest

from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.core.parameters import NotebookInfo, Parameter
from jupyter_mlops.core.search.grid import GridStudy, RandomStudy
from jupyter_mlops.core.search.samplers import make_study
from jupyter_mlops.core.search.space import MAX_COUNT, Space, build_space, check_space, parse_field
from jupyter_mlops.core.sweeps import Sampler

PARAMETERS = [
    Parameter(name="i", type="int", default=1),
    Parameter(name="f", type="float", default=0.1),
    Parameter(name="b", type="bool", default=True),
    Parameter(name="s", type="str", default="a"),
    Parameter(name="l", type="list", default=[1]),
    Parameter(name="d", type="dict", default={}),
    Parameter(name="c", type="choice", choices=["gini", "entropy", "a,b", "1:3"]),
    Parameter(name="n", type="choice", choices=[0.1, 1, None]),
    Parameter(name="o", type="int", optional=True),
    Parameter(name="any", type="any"),
    Parameter(name="none", type="none", optional=True),
]
KNOWN = {parameter.name: parameter for parameter in PARAMETERS}


def parsed(name: str, text: str) -> list[Any]:
    return parse_field(text, KNOWN[name])


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        # lists
        ("i", "3", [3]),
        ("i", "3, 1,2", [3, 1, 2]),
        ("i", "-3, +2", [-3, 2]),
        ("i", "1,1,1.0", [1]),
        ("f", "0.1,1,10", [0.1, 1.0, 10.0]),
        ("f", ".5, 1., 1e-3", [0.5, 1.0, 0.001]),
        ("b", "true,False", [True, False]),
        ("b", "1", [True]),
        ("s", "a, b ,a", ["a", "b"]),
        ("s", "1,true", ["1", "true"]),
        ("any", "1, 1.0, true, None, a", [1, 1.0, True, None, "a"]),
        # whole ranges, both ends
        ("i", "3:8", [3, 4, 5, 6, 7, 8]),
        ("i", " 2 : -1 ", [2, 1, 0, -1]),
        ("i", "5:5", [5]),
        ("i", "9007199254740993:9007199254740994", [9007199254740993, 9007199254740994]),
        ("any", "0:3", [0, 1, 2, 3]),
        # a:b:n
        ("f", "0.1:0.5:5", [0.1, 0.2, 0.3, 0.4, 0.5]),
        ("f", "1:0:3", [1.0, 0.5, 0.0]),
        ("f", "0.3:7:1", [0.3]),
        ("f", "1:1:9", [1.0]),
        ("f", "0.1234567890123456:1:2", [0.1234567890123456, 1.0]),
        ("f", "-1e308:1e308:3", [-1e308, 0.0, 1e308]),
        ("i", "1:10:4", [1, 4, 7, 10]),
        ("i", "1:3:50", [1, 2, 3]),
        ("i", "0.4:2.6:3", [0, 2, 3]),
        ("any", "0:1:3", [0.0, 0.5, 1.0]),
        # log:a:b:n
        ("f", "log:0.01:1:3", [0.01, 0.1, 1.0]),
        ("f", "log : 100 : 1 : 3", [100.0, 10.0, 1.0]),
        ("f", "log:0.3:9:1", [0.3]),
        ("i", "log:1:1000:4", [1, 10, 100, 1000]),
        ("i", "log:1:4:10", [1, 2, 3, 4]),
        ("any", "log:1:100:3", [1.0, 10.0, 100.0]),
        # a:b:step=s
        ("f", "0:1:step=0.25", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("f", "0:1:step=0.4", [0.0, 0.4, 0.8]),
        ("f", "0:0.3:step = 0.1", [0.0, 0.1, 0.2, 0.3]),
        ("f", "1:0:step=-0.5", [1.0, 0.5, 0.0]),
        ("f", "2:2:step=-1", [2.0]),
        ("i", "1:9:step=4", [1, 5, 9]),
        ("any", "1:9:step=4", [1, 5, 9]),
        ("any", "0:1:step=0.5", [0.0, 0.5, 1.0]),
        # JSON
        ("i", "[1, 2, 2]", [1, 2]),
        ("f", "[1, 2.5]", [1.0, 2.5]),
        ("s", '["a, b", "c"]', ["a, b", "c"]),
        ("s", '"a, b"', ["a, b"]),
        ("s", '"a, b", "c"', ["a, b", "c"]),
        ("s", '"[a-z]+"', ["[a-z]+"]),
        ("b", "[true, false]", [True, False]),
        ("o", "[null, 3]", [None, 3]),
        ("l", "[1, 2]", [[1, 2]]),
        ("l", "[]", [[]]),
        ("l", "[[1], [2], [1]]", [[1], [2]]),
        ("d", '{"a": [1, 2]}', [{"a": [1, 2]}]),
        ("d", '[{"a": 1}, {}]', [{"a": 1}, {}]),
        ("any", '[1, "a", null, {"x": 2}]', [1, "a", None, {"x": 2}]),
        # None
        ("o", "None, 3, null", [None, 3]),
        ("none", "None", [None]),
        # choices
        ("c", "entropy,gini", ["entropy", "gini"]),
        ("c", "a,b", ["a,b"]),
        ("c", "1:3", ["1:3"]),
        ("c", '["gini"]', ["gini"]),
        ("n", "0.1, 1, None", [0.1, 1, None]),
        ("n", "1e-1", [0.1]),
        # text keeps its colons
        ("s", "3:8", ["3:8"]),
        ("s", "log:1:2:3", ["log:1:2:3"]),
        ("s", "http://a:80/x?y=1#z, s3://b", ["http://a:80/x?y=1#z", "s3://b"]),
        ("any", "http://a:80/x", ["http://a:80/x"]),
        ("any", "12:30:45", pytest.approx([12 + 18 * i / 44 for i in range(45)])),
    ],
)
def test_what_a_field_stands_for(name: str, text: str, values: Any) -> None:
    found = parsed(name, text)
    assert found == values
    if isinstance(values, list):
        assert [type(value) for value in found] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("i", "", "Give a value"),
        ("i", "  ", "Give a value"),
        ("i", "[]", "at least one value"),
        ("i", " , ,", "at least one value"),
        ("i", "a", "i must be a whole number; “a” is not"),
        ("i", "1.5", "whole number"),
        ("i", "true", "whole number"),
        ("i", "None", "whole number"),
        ("i", "[1, null]", "whole number"),
        ("i", "1 2", "whole number"),
        ("f", "NaN", "is not finite, and values to try are"),
        ("f", "inf", "is not finite, and values to try are"),
        ("f", "-Infinity", "is not finite, and values to try are"),
        ("f", "[NaN]", "finite"),
        ("f", "[1e400]", "finite"),
        ("f", "[Infinity]", "finite"),
        ("f", "1e400", "too large"),
        ("f", "0:1e400:5", "too large"),
        ("f", "9" * 5000, "too large"),
        ("i", "9" * 5000, "too large"),
        ("i", "[" + "9" * 5000 + "]", "finite"),
        ("f", "[" + "9" * 400 + "]", "cannot be as large"),
        ("f", "0.1:0.5", "Say how many: 0.1:0.5:5 takes five points"),
        ("f", "1:5", "Say how many"),
        ("i", "0.5:5", "Say how many"),
        ("any", "0.1:0.5", "Say how many"),
        ("f", "log:1:10", "Say how many points"),
        ("f", "log:a:b:c", "log:from:to:count"),
        ("i", "log :1", "log:from:to:count"),
        ("f", "log:0:1:5", "above 0"),
        ("f", "log:-1:1:5", "above 0"),
        ("i", "1:2:0", "count must be 1 or more"),
        ("f", "log:1:2:0", "count must be 1 or more"),
        ("f", "0:1:1000001", "1,000,001 values are too many"),
        ("f", "0:1:" + "9" * 5000, "too many"),
        ("i", "0:1000000", "1,000,001 values; narrow it"),
        ("i", "0:" + "9" * 200, "narrow it"),
        ("f", "0:1:step=0", "must lead"),
        ("f", "0:1:step=-0.1", "must lead"),
        ("f", "1:0:step=0.1", "must lead"),
        ("f", "0:1:step=1e-9", "larger step"),
        ("f", "0:1:step=1e-320", "larger step"),
        ("f", "-1e308:1e308:step=1", "larger step"),
        ("f", "0:1:-5", "must be a number"),
        ("f", "0:1:2:3", "must be a number"),
        ("b", "yes", "true or false"),
        ("b", "[1]", "true or false"),
        ("l", "3", "must be a list"),
        ("l", "[[1], 2", "not valid JSON"),
        ("l", "[64,32], [128]", "put brackets around them: [[64,32], [128]]"),
        ("d", "{a: 1}", "not valid JSON (Expecting property name"),
        ("d", "[1]", "must be a mapping"),
        ("s", "[a]", "not valid JSON"),
        ("s", '{"a": 1}', "must be text"),
        ("s", r'"\ud800"', "cannot be stored"),
        ("s", "\udcff", "not valid Unicode"),
        ("l", "[" * 100_000, "nested more than 40 deep"),
        ("c", "mse", "must be one of gini, entropy, a,b, 1:3; “mse” is not"),
        ("c", "None", "must be one of"),
        ("none", "3", "must be None"),
    ],
)
def test_nonsense_gets_one_sentence(name: str, text: str, sentence: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parsed(name, text)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 400
    assert str(caught.value).endswith(".")


TOKENS = [
    *("0", "1", "-1", "7", "0.5", "1e9", "1e400", "1e-320", "9" * 30, "9" * 4400, "nan", "inf", "٣", "²"),
    *(
        "a",
        "None",
        "null",
        "true",
        "log",
        "step",
        "=",
        ":",
        ":",
        ":",
        ",",
        ",",
        " ",
        "\t",
        "\n",
        "\0",
        "-",
        "+",
        ".",
        "e",
    ),
    *("[", "]", "{", "}", '"', "'", "\\", "\\ud800", "\ud800", "\U0001f600", "#", "%", "$(", "<b>", "__import__('os')"),
]


def texts(seed: int) -> list[str]:
    generator = random.Random(seed)
    made = ["".join(generator.choices(TOKENS, k=generator.randint(1, 9))) for _ in range(1500)]
    letters = [chr(generator.randrange(0x110000)) for _ in range(200)]
    return made + ["".join(generator.choices(letters, k=5)) for _ in range(100)]


@pytest.mark.parametrize("seed", range(6))
def test_no_text_breaks_the_grammar(seed: int) -> None:
    parameters = [*PARAMETERS, None]
    for number, text in enumerate(texts(seed)):
        parameter = parameters[number % len(parameters)]
        try:
            values = parse_field(text, parameter)
        except InvalidInputError:
            continue
        assert values, text
        # whatever is accepted can be stored and sent, and is of its type
        assert msgspec.json.decode(msgspec.json.encode(values[:10])) == values[:10]
        if parameter and parameter.type == "float":
            assert all(math.isfinite(value) for value in values)
        if parameter and parameter.type == "int":
            assert all(type(value) is int for value in values if not (value is None and parameter.optional))


@pytest.mark.parametrize("seed", range(3))
def test_no_space_breaks_the_check(seed: int) -> None:
    generator = random.Random(seed)
    for text in texts(seed + 100)[:400]:
        space = {generator.choice([*KNOWN, text, ""]): text for _ in range(3)}
        check = check_space(space, known(PARAMETERS, open_names=generator.random() < 0.5), Sampler(), 100)
        assert set(check.fields) == set(space)
        assert bool(check.error) >= any(entry.error for entry in check.fields.values())


def test_a_long_text_is_refused_at_once() -> None:
    # an expression that backtracks would take minutes
    for text in ("1" * 200_000 + "x", "log" + " " * 200_000 + "x", "1" + " " * 100_000 + ":" + " " * 100_000):
        with pytest.raises(InvalidInputError):
            parsed("f", text)


def known(parameters: list[Parameter], **fields: Any) -> NotebookInfo:
    return NotebookInfo(path="", hash="", kernel="", parameters=parameters, **fields)


def check(space: dict[str, str], sampler: Sampler | None = None, **options: Any) -> Any:
    return check_space(space, known(PARAMETERS, **options), sampler or Sampler(), 100_000)


def test_a_space_is_counted() -> None:
    found = check({"i": "1:3", "f": "0.1, 0.2", "s": "x"})
    assert (found.total, found.combinations, found.error) == (6, 6, "")
    assert {name: entry.count for name, entry in found.fields.items()} == {"i": 3, "f": 2, "s": 1}
    assert found.fields["i"].preview == "1, 2, 3"
    assert check({"i": "1:20"}).fields["i"].preview == "1, 2, 3, 4, 5, 6, 7, 8, …"


def test_no_field_is_one_run_of_the_defaults() -> None:
    assert (check({}).total, check({}).error) == (1, "")


def test_a_million_runs_show_their_number_and_what_to_do() -> None:
    found = check({"i": "1:1000", "f": "0:1:1000"})
    assert found.combinations == found.total == 1_000_000
    assert found.error == (
        "This makes 1,000,000 runs, more than the 100,000 allowed; narrow it, or draw a random sample."
    )
    sampled = check({"i": "1:1000", "f": "0:1:1000"}, Sampler(kind="random", count=50))
    assert (sampled.total, sampled.combinations, sampled.error) == (50, 1_000_000, "")


def test_a_space_beyond_all_counting_is_answered_at_once() -> None:
    names = {f"p{number}": "0:999" for number in range(1600)}
    found = check_space(names, known([], open_names=True), Sampler(), 100_000)
    # 10 ** 4800 combinations: making them, or writing their number, would end the test
    assert found.total == found.combinations == MAX_COUNT
    assert "more than 1,000,000,000,000,000 runs" in found.error
    sampled = Sampler(kind="random", count=3)
    space = build_space(names, known([], open_names=True), sampled, 100_000)
    assert len(make_study(space, sampled).ask(3)) == 3


def test_an_unknown_name_suggests_a_near_one() -> None:
    parameters = [Parameter(name="max_depth", type="int")]
    found = check_space({"maxdepth": "1"}, known(parameters), Sampler(), 10)
    assert found.fields["maxdepth"].error == "The notebook has no parameter “maxdepth”; did you mean “max_depth”?"
    found = check_space({"zzz": "1"}, known(parameters), Sampler(), 10)
    assert found.fields["zzz"].error == "The notebook has no parameter “zzz”; it has max_depth."
    assert found.error == "Mend zzz first."
    assert check_space({"zzz": "1"}, known(parameters, open_names=True), Sampler(), 10).error == ""


@pytest.mark.parametrize("count", [None, 0, -3])
def test_a_random_sample_needs_a_count(count: int | None) -> None:
    assert check({"i": "1:3"}, Sampler(kind="random", count=count)).error == "Say how many combinations to draw."


def test_build_refuses_with_the_sentences_by_field() -> None:
    with pytest.raises(InvalidInputError) as caught:
        build_space({"i": "a", "f": "0:1", "s": "ok"}, known(PARAMETERS), Sampler(), 10)
    assert set(caught.value.fields) == {"i", "f"}
    with pytest.raises(InvalidInputError, match="12 runs, more than the 10 allowed"):
        build_space({"i": "1:12"}, known(PARAMETERS), Sampler(), 10)


@pytest.mark.parametrize(
    ("name", "kind", "text", "refused"),
    [
        ("api_key", "str", "x", True),
        ("api_key", "any", "None", True),
        ("tokens", "int", "5", False),
        ("key_size", "int", "1024,2048", False),
        ("token_count", "int", "5", False),
        ("s", "str", "a, ghp_" + "a" * 36, True),
        ("l", "list", '["AKIAABCDEFGHIJKLMNOP"]', True),
        ("o", "any", '[1, "AKIAABCDEFGHIJKLMNOP"]', True),
    ],
)
def test_secrets_are_no_parameters(name: str, kind: Any, text: str, refused: bool) -> None:
    found = check_space({name: text}, known([Parameter(name=name, type=kind)]), Sampler(), 10)
    assert ("looks like a secret" in found.fields[name].error) is refused
    assert bool(found.error) is refused
    assert "ghp_" not in json.dumps(msgspec.to_builtins(found, enc_hook=str))


SPACE = Space({"a": [1, 2, 3], "b": ["x", "y"], "c": [0]})


def test_grid_order() -> None:
    assert GridStudy(SPACE).ask(10) == [{"a": a, "b": b, "c": 0} for a in (1, 2, 3) for b in ("x", "y")]
    assert SPACE.names == ["a", "b", "c"]
    assert SPACE.varied == ["a", "b"]
    with pytest.raises(IndexError):
        SPACE.point(6)


def test_random_draws_without_replacement() -> None:
    drawn = RandomStudy(SPACE, 99, seed=3)
    assert drawn.limit == 6
    assert sorted(json.dumps(point) for point in drawn.ask(6)) == sorted(
        json.dumps(point) for point in GridStudy(SPACE).ask(6)
    )


def test_a_seed_repeats_and_another_does_not() -> None:
    space = Space({"a": list(range(1000)), "b": list(range(1000))})
    first, same, other = (RandomStudy(space, 20, seed=seed).ask(20) for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize("count", [1, 3, 6])
@pytest.mark.parametrize("kind", ["grid", "random"])
def test_a_study_made_anew_goes_on_where_it_was(kind: str, count: int) -> None:
    sampler = Sampler(kind=kind, count=count, seed=7)
    everything = make_study(SPACE, sampler).ask(100)
    assert len(everything) == SPACE.combinations
    for asked in range(SPACE.combinations + 1):
        assert make_study(SPACE, sampler, asked=asked).ask(2) == everything[asked : asked + 2]


@pytest.mark.parametrize("size", [6, 10**9])
def test_a_random_sweep_that_is_extended_keeps_its_first_draws(size: int) -> None:
    space = Space({"a": range(size)})  # type: ignore[dict-item]
    first = RandomStudy(space, 3, seed=1).ask(3)
    extended = RandomStudy(space, 3, seed=1).ask(6)
    assert extended[:3] == first
    assert len({point["a"] for point in extended}) == 6


def test_a_sample_of_more_combinations_than_a_machine_word_counts() -> None:
    space = Space({str(number): list(range(100)) for number in range(20)})
    drawn = RandomStudy(space, 50, seed=0).ask(50)
    assert len({json.dumps(point) for point in drawn}) == 50


def test_a_sampler_that_is_not_installed_is_named() -> None:
    with pytest.raises(InvalidInputError, match="no sampler “tpe” here; choose one of grid, random"):
        make_study(SPACE, Sampler(kind="tpe"))
