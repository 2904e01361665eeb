"""What follows from a pipeline's definition alone: references, conditions, order, and what is wrong with it."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import msgspec
import pytest

from jupyter_mlops.core.errors import InvalidInputError
from jupyter_mlops.core.pipelines.conditions import Condition
from jupyter_mlops.core.pipelines.definition import Alerts, PipelineDefinition, Retention, Step, StepSweep
from jupyter_mlops.core.pipelines.order import edges, graph, layers, order
from jupyter_mlops.core.pipelines.problems import problems_of
from jupyter_mlops.core.pipelines.references import Reference, find_references, resolve, resolve_text
from jupyter_mlops.core.runs import SecretRef
from jupyter_mlops.core.sweeps import Objective, Sampler

PARAMETERS: dict[str, Any] = {"month": 3, "root": "data", "none": None, "rates": [0.1, 0.2], "deep": {"a": 1}}
OUTPUTS: dict[str, dict[str, Any]] = {
    "prepare": {"table": "/runs/table.parquet", "rows": 1200, "empty": False},
    "train-big": {"auc": 0.75, "val/auc": 0.7, "eval.auc": 0.6, "name": "forest"},
}


def step(**fields: Any) -> Step:
    return Step(**{"notebook": "a.ipynb", **fields})


def pipeline(steps: dict[str, Step], **fields: Any) -> PipelineDefinition:
    return PipelineDefinition(steps=steps, **fields)


def sweep(**fields: Any) -> StepSweep:
    return StepSweep(**{"space": {"depth": "3:8"}, "objective": Objective(metric="auc"), **fields})


def chain(*names: str, **last: Any) -> PipelineDefinition:
    """Each step waits for the one before it."""
    steps = {name: step(after=[before] if before else []) for before, name in itertools.pairwise(["", *names])}
    return pipeline({**steps, names[-1]: msgspec.structs.replace(steps[names[-1]], **last)})


# -- references --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("plain $ text {x} $x", []),
        ("${month}", [Reference("", "month")]),
        ("${ month }", [Reference("", "month")]),
        ("${a.b}/${a.c}-${a.b}", [Reference("a", "b"), Reference("a", "c")]),
        ("${train-big.val/auc}", [Reference("train-big", "val/auc")]),
        ("${a.eval.auc}", [Reference("a", "eval.auc")]),
        ("$${a.b}", []),
        ("$${a} ${b}", [Reference("", "b")]),
        ("$$${a}", []),
    ],
)
def test_references_of_a_text(text: str, expected: list[Reference]) -> None:
    assert find_references(text) == expected


@pytest.mark.parametrize("text", ["${", "${}", "x ${a", "${a b}", "${a-b}", "${1a.b}", "${.a}", "${a.}", "${HOME:-x}"])
def test_what_is_no_reference_is_said(text: str) -> None:
    with pytest.raises(InvalidInputError, match="is no reference"):
        find_references(text)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${month}", 3),
        ("${none}", None),
        ("${rates}", [0.1, 0.2]),
        ("${deep}", {"a": 1}),
        ("${prepare.rows}", 1200),
        ("${prepare.empty}", False),
        ("${train-big.val/auc}", 0.7),
        ("${root}/${month}.csv", "data/3.csv"),
        (" ${month}", " 3"),
        ("${none} ${prepare.empty} ${rates}", "null false [0.1, 0.2]"),
        ("$${month}", "${month}"),
        ("$${", "${"),
        ("$${month} ${month}", "${month} 3"),
        (5, 5),
        (None, None),
        ([{"x": ["${month}", 1.5]}, True], [{"x": [3, 1.5]}, True]),
        ({"${month}": "${month}"}, {"${month}": 3}),
    ],
)
def test_references_are_replaced(value: Any, expected: Any) -> None:
    resolved = resolve(value, PARAMETERS, OUTPUTS)
    assert resolved == expected
    assert type(resolved) is type(expected)


def test_what_a_reference_stands_for_is_not_read_again() -> None:
    assert resolve("${a}", {"a": "${b}", "b": 1}, {}) == "${b}"
    assert resolve("<${a}>", {"a": "${b}", "b": 1}, {}) == "<${b}>"


def test_a_field_of_a_space_and_a_variable_of_an_environment_are_always_texts() -> None:
    assert resolve_text("${month}", PARAMETERS, {}) == "3"
    assert resolve_text("${rates}", PARAMETERS, {}) == "[0.1, 0.2]"
    assert resolve_text("${root}", PARAMETERS, {}) == "data"


def test_any_json_value_without_references_is_left_as_it_is() -> None:
    draw = random.Random(7)

    def value(depth: int) -> Any:
        kind = draw.randrange(7 if depth else 5)
        match kind:
            case 5:
                return [value(depth - 1) for _ in range(draw.randrange(4))]
            case 6:
                return {f"k{number}": value(depth - 1) for number in range(draw.randrange(4))}
            case _:
                return [None, True, draw.random(), draw.randrange(-9, 9), "".join(draw.choices("a$ {}ü.", k=6))][kind]

    for _ in range(500):
        made = value(3)
        if "${" not in json.dumps(made):
            assert resolve(made, {}, {}) == made


def test_an_output_that_nobody_made_is_said() -> None:
    with pytest.raises(InvalidInputError) as error:
        resolve("${prepare.tabel}", PARAMETERS, OUTPUTS, "train")
    assert str(error.value) == (
        "Step “train” refers to “${prepare.tabel}”, but “prepare” left no “tabel”; it left table, rows, empty."
    )
    with pytest.raises(InvalidInputError, match="but “x” left no “y”; it left nothing"):
        resolve("${x.y}", {}, {"x": {}})
    with pytest.raises(InvalidInputError, match="but “x” has left nothing: it did not run"):
        resolve("a ${x.y}", {}, {})
    with pytest.raises(InvalidInputError, match="has no parameter “mont”; did you mean “month”"):
        resolve(["${mont}"], PARAMETERS, {})


# -- conditions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train-big.auc > 0.7", True),
        ("train-big.auc>0.8", False),
        ("train-big.auc - 0.7 > 0", True),
        ("month-1 == 2", True),
        ("0.7 < train-big.auc <= 0.75", True),
        ("0.7 < train-big.auc < 0.75", False),
        ("${train-big.val/auc} >= 0.7", True),
        ("train-big.eval.auc == 0.6", True),
        ("not prepare.empty and prepare.rows > 1000", True),
        ("prepare.empty or prepare.rows % 7 == 3", True),
        ("prepare.empty", False),
        ("prepare.rows", True),
        ("root == 'data'", True),
        ('root == "prepare.rows"', False),
        ("root in ['data', \"other\"]", True),
        ("month not in (1, 2)", True),
        ("0.1 in rates", True),
        ("none is None and month is not None and none == null", True),
        ("True and true and not false", True),
        ("-month + 10 / 4 * 2 == +2", True),
        ("month == '3'", False),
        ("month\n  > 2", True),
        (" month > 2 ", True),
    ],
)
def test_conditions(text: str, expected: bool) -> None:
    assert Condition(text).holds(OUTPUTS, PARAMETERS) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("month >", "cannot be read"),
        ("month = 3", "write == to compare"),
        ("month > 1 && month < 3", "write “and” and “or”"),
        ("!month", "write “not”"),
        ("f(month)", "a call"),
        ("__import__('os').system('x')", "a call"),
        ("month.__class__()", "a call"),
        ("().__class__", "a dot"),
        ("rates[0]", "a subscript"),
        ("month ** 9", "a power"),
        ("month // 2", "an operator"),
        ("~month", "something"),
        ("{'a': 1}", "a mapping"),
        ("(x := 1)", "an assignment"),
        ("month is 3", "write =="),
        ("lambda: 1", "cannot be read"),
        ("[x for x in rates]", "cannot be read"),
        ("1 if month else 2", "cannot be read"),
        ("f'{month}'", "cannot be read"),
        ("b'x' == 1", "cannot be read"),
        ("1j", "“1j” is no number"),
        ("1and 2", "“1and” is no number"),
        ("...", "something"),
        ("*rates", "cannot be read"),
        ("'open", "cannot be read"),
        ("month > 1; month", "cannot be read"),
        ("1) or (2", "cannot be read"),
        ("${month > 2", "cannot be read"),
        ("${a b} > 2", "is no reference"),
        ("(" * 300 + "1" + ")" * 300, "cannot be read"),
        ("-" * 500 + "1", "nested too deeply"),
        ("1 + " * 200 + "1", "nested too deeply"),
        ("9" * 2000, "1,000 characters"),
        ("\0", "cannot be read"),
    ],
)
def test_nothing_else_is_allowed_in_conditions(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        Condition(text)
    assert said in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("root > 3", "“data” cannot be compared so with “3”"),
        ("1 in month", "“1” cannot be compared so with “3”"),
        ("'a' * 999999999 == 1", "“a” is no number"),
        ("'%999999999d' % 1 == 1", "is no number"),
        ("rates * 999999999 == 1", "is no number"),
        ("-root == 1", "is no number"),
        ("month / 0 > 1", "divides by 0"),
        ("month % 0 > 1", "divides by 0"),
        ("9" * 500 + " * 1.5 > 1", "too large"),
        ("train-big.f1 > 1", "left no “f1”; it left auc, val/auc, eval.auc, name."),
        ("evaluate.auc > 1", "“evaluate” has left nothing"),
        ("monht > 1", "did you mean “month”"),
    ],
)
def test_a_condition_that_cannot_be_decided_says_why(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        Condition(text).holds(OUTPUTS, PARAMETERS)
    assert said in str(error.value)


def test_what_decides_nothing_any_more_is_not_looked_up() -> None:
    assert Condition("month == 3 or gone.x > 1").holds({}, PARAMETERS)
    assert not Condition("month == 4 and gone.x > 1").holds({}, PARAMETERS)
    assert not Condition("4 < month < gone.x").holds({}, PARAMETERS)


def test_references_of_a_condition() -> None:
    condition = Condition("a.x > 1 and 'b.y' != c-d.z and not month or ${e.v/w} or a.x and 1e5 > 2.5")
    assert [reference.bare for reference in condition.references] == ["a.x", "c-d.z", "month", "e.v/w"]


def test_conditions_agree_with_python() -> None:
    draw = random.Random(11)
    values: dict[str, Any] = {"a": 3, "b": -1.5, "c": 0, "d": 7}

    def number(depth: int) -> str:
        if not depth or draw.random() < 0.3:
            return draw.choice([*values, "s.x", "2", "0.5"])
        return f"({number(depth - 1)} {draw.choice('+-*/%')} {number(depth - 1)})"

    def truth(depth: int) -> str:
        if not depth or draw.random() < 0.3:
            return f"{number(2)} {draw.choice(['<', '<=', '>', '>=', '==', '!='])} {number(2)}"
        return draw.choice(
            [f"not ({truth(depth - 1)})", f"({truth(depth - 1)}) {draw.choice(['and', 'or'])} {number(1)}"]
        )

    decided = 0
    for _ in range(1_000):
        text = truth(3)
        try:
            expected = bool(eval(text.replace("s.x", "5"), {"__builtins__": {}}, values))
        except ZeroDivisionError:
            continue
        decided += 1
        assert Condition(text).holds({"s": {"x": 5}}, values) is expected, text
    assert decided > 500


# -- order -------------------------------------------------------------------------------------


def test_a_step_waits_for_what_it_names_refers_to_and_asks_for() -> None:
    definition = pipeline(
        {
            "z": step(
                after=["a"],
                parameters={"x": {"y": ["${b.out}"]}, "own": "${month}"},
                env={"E": "x-${c.out}"},
                sweep=sweep(space={"s": "${d.best}"}),
                when="e.auc > 1 and not a.skip",
            ),
            **{name: step() for name in "abcde"},
        }
    )
    assert edges(definition) == {"z": ["a", "b", "d", "c", "e"], "a": [], "b": [], "c": [], "d": [], "e": []}
    assert layers(definition) == {"z": 1, "a": 0, "b": 0, "c": 0, "d": 0, "e": 0}
    assert order(definition) == ["a", "b", "c", "d", "e", "z"]


def test_an_escaped_reference_is_waited_for_by_nobody() -> None:
    assert edges(pipeline({"a": step(), "b": step(parameters={"x": "$${a.out}"})}))["b"] == []


def test_a_graph_has_what_is_drawn() -> None:
    definition = chain("collect", "train", "evaluate", when="train.auc > 0.7", run_if="always", sweep=sweep())
    assert [(drawn.name, drawn.layer, drawn.after) for drawn in graph(definition)] == [
        ("collect", 0, []),
        ("train", 1, ["collect"]),
        ("evaluate", 2, ["train"]),
    ]
    last = graph(definition)[-1]
    assert (last.notebook, last.sweep, last.when, last.run_if) == ("a.ipynb", True, "train.auc > 0.7", "always")


def test_a_long_chain_has_an_order() -> None:
    names = [f"s{number}" for number in range(3_000)]
    definition = chain(*names)
    assert order(definition) == names
    assert not problems_of(definition)


def test_random_graphs_are_ordered_and_layered() -> None:
    draw = random.Random(5)
    for _ in range(200):
        count = draw.randrange(1, 14)
        names = [f"s{number}" for number in range(count)]
        real = draw.sample(names, count)
        steps = {
            name: step(after=draw.sample(real[: real.index(name)], draw.randrange(0, real.index(name) + 1)))
            for name in names
        }
        definition = pipeline(steps)
        ordered, layer = order(definition), layers(definition)
        assert sorted(ordered) == sorted(names) and list(layer) == names
        for name, waits in edges(definition).items():
            assert all(ordered.index(source) < ordered.index(name) for source in waits)
            assert layer[name] == max((layer[source] + 1 for source in waits), default=0)
        # one wait back to a step that comes later closes a circle, and is found
        first, last = ordered[0], ordered[-1]
        closed = pipeline({**steps, first: step(after=[last]), last: step(after=[first])})
        (found,) = [sentence for _, sentence in problems_of(closed) if "wait" in sentence]
        assert first in found
        with pytest.raises(InvalidInputError, match="wait"):
            order(closed)


# -- what is wrong -----------------------------------------------------------------------------


def wrong(definition: PipelineDefinition) -> dict[str, str]:
    return {".".join(map(str, path)): sentence for path, sentence in problems_of(definition)}


def test_a_good_pipeline_has_no_problem() -> None:
    definition = pipeline(
        {
            "collect": step(parameters={"month": "${month}", "at": "${scheduled_time}"}, outputs=["rows"], retries=2),
            "my-train": step(sweep=sweep(), parameters={"rows": "${collect.rows}"}, files={"model": "out/model.bin"}),
            "gate": step(
                notebook="sub/../gate.ipynb",
                parameters={"m": "${my-train.model}", "d": "${my-train.depth}", "a": "${my-train.auc}"},
                when="my-train.some_metric > 0.7 and month",
                secrets={"API_KEY": SecretRef(env="KEY"), "B": SecretRef(keyring="mail/me")},
            ),
            "mend": step(run_if="failed", after=["gate"]),
            "month": step(),
        },
        parameters={"month": 1},
        alerts=Alerts(to=["mailto://x", SecretRef(file="/x")]),
    )
    assert wrong(definition) == {}


def test_a_cycle_is_told_step_by_step() -> None:
    definition = pipeline(
        {
            "first": step(),
            "a": step(after=["c"]),
            "b": step(parameters={"x": "${a.out}"}),
            "c": step(when="b.auc > 1"),
        }
    )
    assert wrong(pipeline({**definition.steps, "a": step(after=["c"], outputs=["out"])})) == {
        "steps.a": "These steps wait for each other: a → b → c → a."
    }
    assert wrong(pipeline({"a": step(after=["a"])})) == {"steps.a": "Step “a” waits for itself."}
    with pytest.raises(InvalidInputError, match="a → b → c → a"):
        graph(definition)


@pytest.mark.parametrize(
    ("fields", "place", "said"),
    [
        ({"after": ["prepair"]}, "after.0", "There is no step “prepair” to wait for; did you mean “prepare”?"),
        ({"parameters": {"a": [1, "${prepair.x}"]}}, "parameters.a.1", "there is no step “prepair”; did you mean"),
        ({"when": "prepair.x > 1"}, "when", "refers to “prepair.x” in its condition, but there is no step “prepair”"),
        ({"when": "1-prepare.x > 1 and a-prepare.x"}, "when", "a minus has spaces round it"),
        ({"parameters": {"a": "${mnth}"}}, "parameters.a", "no parameter “mnth”; did you mean “month”?"),
        ({"when": "mnth > 1"}, "when", "no parameter “mnth”; did you mean “month”?"),
        ({"when": "prepare"}, "when", "which is a step; say which output, such as prepare.NAME"),
        ({"parameters": {"a": "${prepare.tabel}"}}, "parameters.a", "hands on no “tabel”; did you mean “table”?"),
        ({"env": {"A": "${prepare.auc}"}}, "env.A", "hands on no “auc”; known are table, out."),
        ({"sweep": sweep(space={"x": "${tune.rows}"})}, "sweep.space.x", "hands on no “rows”; known are depth, auc."),
        ({"parameters": {"a": "${x y}"}}, "parameters.a", "“${x y}” is no reference"),
        ({"parameters": {"a": "${"}}, "parameters.a", "“${” is no reference"),
        ({"when": "month ="}, "when", "cannot be read; write == to compare"),
        ({"when": "f(month)"}, "when", "a call"),
        ({"notebook": ""}, "notebook", "the path is empty"),
        ({"notebook": "/a.ipynb"}, "notebook", "must be relative"),
        ({"notebook": "~/a.ipynb"}, "notebook", "must be relative"),
        ({"notebook": "../a.ipynb"}, "notebook", "leaves"),
        ({"notebook": "b/../../a.ipynb"}, "notebook", "leaves"),
        ({"notebook": "a\\b.ipynb"}, "notebook", "write / between folders"),
        ({"notebook": "a.py"}, "notebook", "must end with .ipynb"),
        ({"retries": -1}, "retries", "retries cannot be less than 0; -1 is."),
        ({"retry_delay": -0.5}, "retry_delay", "cannot be less than 0"),
        ({"retry_backoff": 0.5}, "retry_backoff", "cannot be less than 1"),
        ({"timeout": 0.0}, "timeout", "must be more than 0"),
        ({"cell_timeout": -1.0}, "cell_timeout", "must be more than 0"),
        ({"timeout": float("nan")}, "timeout", "must be more than 0"),
        ({"cpus": 0}, "cpus", "cannot be less than 1"),
        ({"gpus": -1}, "gpus", "cannot be less than 0"),
        ({"memory": 0}, "memory", "must be more than 0"),
        ({"run_if": "failed"}, "run_if", "nothing to wait for"),
        ({"run_if": "always", "parameters": {"a": "${month}"}}, "run_if", "nothing to wait for"),
        ({"outputs": ["a b"]}, "outputs.0", "cannot name an output"),
        ({"outputs": ["a", "a"]}, "outputs.1", "is there twice"),
        ({"files": {"a b": "x"}}, "files.a b", "cannot name a file"),
        ({"files": {"a": "x"}, "outputs": ["a"]}, "files.a", "is an output already"),
        ({"files": {"a": "/x"}}, "files.a", "MLOPS_RUN_DIR"),
        ({"files": {"a": "../x"}}, "files.a", "MLOPS_RUN_DIR"),
        ({"files": {"a": ""}}, "files.a", "MLOPS_RUN_DIR"),
        ({"parameters": {"api_key": "abc"}}, "parameters.api_key", "put it under “secrets”"),
        ({"env": {"DB_PASSWORD": "abc"}}, "env.DB_PASSWORD", "put it under “secrets”"),
        ({"env": {"A=B": "x"}}, "env.A=B", "cannot name a variable"),
        ({"secrets": {"A": SecretRef()}}, "secrets.A", "this has none"),
        ({"secrets": {"A": SecretRef(env="x", file="y")}}, "secrets.A", "this has env and file"),
        ({"secrets": {"A": SecretRef(keyring="x")}}, "secrets.A.keyring", "write service/user"),
        ({"secrets": {"A": SecretRef(env="x")}, "env": {"A": "y"}}, "secrets.A", "is set in “env”, too"),
        ({"sweep": sweep(slots=0)}, "sweep.slots", "cannot be less than 1"),
        ({"sweep": sweep(sampler=Sampler(kind="random"))}, "sweep.sampler.count", "how many combinations"),
        ({"sweep": sweep(objective=Objective(metric=" "))}, "sweep.objective.metric", "by which metric"),
        ({"sweep": sweep(), "parameters": {"depth": 1}}, "sweep.space.depth", "say it once"),
    ],
)
def test_what_is_wrong_with_a_step(fields: dict[str, Any], place: str, said: str) -> None:
    steps = {"prepare": step(outputs=["table"], files={"out": "o"}), "tune": step(sweep=sweep()), "it": step(**fields)}
    ((found, sentence),) = wrong(pipeline(steps, parameters={"month": 1})).items()
    assert found == f"steps.it.{place}"
    assert said in sentence


@pytest.mark.parametrize(
    ("fields", "place", "said"),
    [
        ({"steps": {}}, "steps", "at least one step"),
        ({"steps": {"a b": step()}}, "steps.a b", "“a b” cannot name a step"),
        ({"steps": {"1a": step()}}, "steps.1a", "cannot name a step"),
        ({"steps": {"": step()}}, "steps.", "cannot name a step"),
        ({"steps": {"a.b": step()}}, "steps.a.b", "cannot name a step"),
        ({"steps": {"é": step()}}, "steps.é", "cannot name a step"),
        ({"steps": {"a" * 101: step()}}, f"steps.{'a' * 101}", "cannot name a step"),
        ({"parameters": {"a-b": 1}}, "parameters.a-b", "cannot name a parameter"),
        ({"parameters": {"scheduled_time": ""}}, "parameters.scheduled_time", "needs no default"),
        ({"parameters": {"token": "abc"}}, "parameters.token", "looks like a secret"),
        ({"concurrency": 0}, "concurrency", "cannot be less than 1"),
        ({"deadline": -1.0}, "deadline", "must be more than 0"),
        ({"retention": Retention(runs=-1)}, "retention.runs", "cannot be less than 0"),
        ({"retention": Retention(days=-1.0)}, "retention.days", "cannot be less than 0"),
        ({"alerts": Alerts(slow=0.0)}, "alerts.slow", "must be more than 0"),
        ({"alerts": Alerts(on=["failure", "slow", "failure"])}, "alerts.on.2", "“failure” is there twice"),
        ({"alerts": Alerts(to=[""])}, "alerts.to.0", "is empty"),
        ({"alerts": Alerts(to=[SecretRef()])}, "alerts.to.0", "exactly one of env, keyring and file"),
    ],
)
def test_what_is_wrong_with_the_whole(fields: dict[str, Any], place: str, said: str) -> None:
    ((found, sentence),) = wrong(PipelineDefinition(**{"steps": {"a": step()}, **fields})).items()
    assert found == place
    assert said in sentence


@pytest.mark.parametrize(("gpus", "wrong"), [(1, False), (2, True)])
def test_a_run_has_one_device_at_most(gpus: int, wrong: bool) -> None:
    definition = PipelineDefinition(steps={"a": Step(notebook="a.ipynb", gpus=gpus)})
    assert bool(problems_of(definition)) is wrong
