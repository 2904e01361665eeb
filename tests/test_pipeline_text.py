"""A pipeline's file: what it says, what is wrong with it in which line and column, and how it is written."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from jupyter_mlops.compute import Catalog
from jupyter_mlops.core.errors import ConflictError, InvalidInputError
from jupyter_mlops.core.pipelines.definition import Alerts, PipelineDefinition, Retention, Step, StepSweep
from jupyter_mlops.core.pipelines.editing import add_step
from jupyter_mlops.core.pipelines.text import MAX_PROBLEMS, check_text
from jupyter_mlops.core.pipelines.yaml_reader import MAX_LENGTH, read
from jupyter_mlops.core.runs import SecretRef
from jupyter_mlops.core.sweeps import Objective, Sampler
from jupyter_mlops.services.pipelines.pipeline_file import wrong_targets
from jupyter_mlops.settings import MlopsSettings
from jupyter_mlops.store import Store

FLIGHTS = """\
# delays of flights
name: flights
parameters:
  month: 1
  on: yes  # a text: this is YAML 1.2

steps:
  collect:  # from the archive
    notebook: collect.ipynb
    parameters: {month: "${month}"}
    outputs: [table]

  # the long one
  train:
    notebook: train.ipynb
    sweep:
      space:
        depth: 3:8
        rate: [0.1, 0.2]
        rows: 0.10
        table: ${collect.table}
      objective: {metric: auc}
    env: {THREADS: 4, FAST: true}
    # that is all

# who is told
alerts:
  on: [failure]
"""


def said(text: str) -> list[tuple[int, int, str]]:
    return [(problem.line, problem.column, problem.message) for problem in check_text(text).problems]


def value(text: str) -> Any:
    document = read(text)
    assert document.readable and not document.problems
    return document.value


# -- what a text says --------------------------------------------------------------------------


def test_a_pipeline_is_read() -> None:
    check = check_text(FLIGHTS)
    assert check.problems == []
    definition = check.definition
    assert definition is not None
    assert definition.name == "flights"
    assert definition.parameters == {"month": 1, "on": "yes"}
    assert definition.alerts.on == ["failure"]
    train = definition.steps["train"]
    assert train.sweep is not None
    # numbers and lists as the grammar of spaces has them, as they are written
    assert train.sweep.space == {"depth": "3:8", "rate": "[0.1, 0.2]", "rows": "0.10", "table": "${collect.table}"}
    assert train.env == {"THREADS": "4", "FAST": "true"}
    assert [(step.name, step.after, step.layer) for step in check.graph] == [
        ("collect", [], 0),
        ("train", ["collect"], 1),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[on, off, yes, no, y, n, 3:8, 1_000, 2026-01-01, 12:30:00, =]", None),
        ("[true, True, TRUE, false, False, FALSE]", [True, True, True, False, False, False]),
        ("[null, Null, NULL, ~]", [None, None, None, None]),
        ("{a: , b: }", {"a": None, "b": None}),
        ("[1, -2, +3, 007, 0o17, 0x1F]", [1, -2, 3, 7, 15, 31]),
        ("[1.5, -.5, 2., 1e3, 1.5E-3]", [1.5, -0.5, 2.0, 1000.0, 0.0015]),
        ("['1', \"true\", !!str 5, ! 6]", ["1", "true", "5", "6"]),
        ("[!!int 5, !!float 5, !!bool true, !!null ~, !!float 1.5]", [5, 5.0, True, None, 1.5]),
        ("{1: a, true: b, null: c, 1.5: d}", {"1": "a", "true": "b", "null": "c", "1.5": "d"}),
        ("{a: &x {b: 1, c: 2}, d: *x, e: {<<: *x, c: 3}, f: {'<<': 1}}", None),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("\ufeffa: 1", {"a": 1}),
        ("%YAML 1.1\n---\non: yes\n...\n", {"on": "yes"}),
        ("", None),
        ("# nothing\n---\n", None),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, expected: Any) -> None:
    if text.startswith("[on"):
        expected = text.strip("[]").split(", ")
    if text.startswith("{a: &x"):
        expected = {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 2}, "e": {"b": 1, "c": 3}, "f": {"<<": 1}}
    read_value = value(text)
    assert read_value == expected
    if isinstance(expected, list):
        assert [type(item) for item in read_value] == [type(item) for item in expected]


def test_merged_steps_are_read() -> None:
    check = check_text(
        "steps:\n  a: &base\n    notebook: a.ipynb\n    retries: 3\n  b:\n    <<: *base\n    notebook: b.ipynb\n"
    )
    assert check.problems == [] and check.definition
    assert check.definition.steps["b"] == Step(notebook="b.ipynb", retries=3)


# -- what is wrong, and where ------------------------------------------------------------------

A = "steps:\n  a:\n    notebook: a.ipynb\n"


@pytest.mark.parametrize(
    ("text", "line", "column", "sentence"),
    [
        # wrong types
        (A + "    retries: three\n", 4, 14, "retries must be a whole number; “three” is a text."),
        (A + "    retries: 1.5\n", 4, 14, "retries must be a whole number; “1.5” is a number."),
        (A + "    reuse: maybe\n", 4, 12, "reuse must be true or false; “maybe” is a text."),
        (
            A + "    timeout: soon\n",
            4,
            14,
            "timeout must be a number of seconds, or a time such as 2h30m; “soon” is not.",
        ),
        (A + "    after: b\n", 4, 12, "after must be a list; write [b]."),
        (A + "    after: [5]\n", 4, 13, "Entry 1 of after must be a text; put 5 into quotes."),
        (A + "    after:\n      - {b: 1}\n", 5, 9, "Entry 1 of after must be a text; this is a mapping."),
        (A + "    env:\n", 4, 5, "env must be a mapping; there is nothing."),
        (A + "    env: {A: [1]}\n", 4, 11, "A must be a text; this is a list."),
        (A + "    env:\n      A:\n", 5, 7, "A must be a text; there is nothing."),
        (A + "    run_if: fail\n", 4, 13, "must be one of succeeded, failed, always; “fail” is not; did you mean"),
        (A + "    sweep: 5\n", 4, 12, "sweep must be a mapping with space, objective, sampler, slots, …; “5” is a"),
        (A + "    sweep:\n      space: {x: 1}\n", 4, 5, "sweep lacks “objective”."),
        (A + "name: 2026\n", 4, 7, "name must be a text; put 2026 into quotes."),
        (A + "alerts: {on: [failures]}\n", 4, 15, "“failures” is not; did you mean “failure”?"),
        (A + "alerts: {to: [5]}\n", 4, 15, "Entry 1 of to must be a text; put 5 into quotes."),
        ("steps: [a]\n", 1, 1, "steps must be a mapping; this is a list."),
        ("steps:\n  a: a.ipynb\n", 2, 6, "Step “a” must be a mapping with notebook, sweep, parameters, after, …;"),
        ("steps:\n  a:\n", 2, 3, "Step “a” must be a mapping with notebook"),
        ("steps:\n  a: {}\n", 2, 3, "Step “a” lacks “notebook”."),
        ("name: x\n", 1, 1, "A pipeline lacks “steps”."),
        ("- steps\n", 1, 1, "A pipeline must be a mapping"),
        ("text\n", 1, 1, "A pipeline must be a mapping"),
        # unknown and doubled keys
        (A + "    retrys: 3\n", 4, 5, "Step “a” has no “retrys”; did you mean “retries”?"),
        (A + "colour: red\n", 4, 1, "A pipeline has no “colour”; it has name, description, parameters"),
        (A + "alerts:\n  to:\n    - {env: X, fil: y}\n", 6, 16, "Entry 1 of to has no “fil”; did you mean “file”?"),
        (A + "  a:\n    notebook: b.ipynb\n", 4, 3, "“a” is there twice; the first is in line 2."),
        (A + "    notebook: b.ipynb\n", 4, 5, "“notebook” is there twice; the first is in line 3."),
        # what problems_of finds
        (A + "    after: [a]\n", 2, 3, "Step “a” waits for itself."),
        (A + "    after: [b]\n  b:\n    notebook: b.ipynb\n    after: [a]\n", 2, 3, "wait for each other: a → b → a."),
        (A + "    after:\n      - b\n", 5, 9, "There is no step “b” to wait for"),
        (A + "  b:\n    notebook: b.ipynb\n    parameters:\n      x: ${a.out}\n", 7, 10, "“a” hands on no “out”."),
        (A + "    when: b.auc > 0.7\n", 4, 11, "there is no step “b”"),
        (A + "    when: >\n      1 >\n", 4, 11, "The condition “1 >” cannot be read"),
        (A + "    secrets:\n      K: {env: A, file: b}\n", 5, 7, "this has env and file"),
        (A + "    retries: -1\n", 4, 14, "retries cannot be less than 0"),
        (A + "  b c: {notebook: b.ipynb}\n", 4, 3, "“b c” cannot name a step"),
        ("steps:\n  a:\n    notebook:   ../a.ipynb\n", 3, 17, "leaves the pipeline file's folder"),
        (
            A + "    sweep:\n      objective: {metric: m}\n      space: {}\n      sampler: {kind: random}\n",
            7,
            7,
            "draw",
        ),
        ("steps: {}\n", 1, 1, "A pipeline needs at least one step."),
        (A + "alerts: {on: [slow, slow]}\n", 4, 21, "“slow” is there twice"),
        # YAML itself
        ("", 1, 1, "There is nothing here yet"),
        ("# later\n", 1, 1, "There is nothing here yet"),
        ("steps:\n\ta: 1\n", 2, 1, "YAML is not indented with tabs; use spaces."),
        ("steps: [a\n", 1, 8, "This bracket is never closed."),
        ("steps: 'a\n", 1, 8, "This quote is never closed."),
        ("name: a: b\n", 1, 8, "A “:” cannot stand here"),
        ("name: @a\n", 1, 7, "Put a text with “@” into quotes."),
        ("name: x\nsteps\n", 2, 1, "A “:” is missing behind this."),
        ("a:\n   b: 1\n  c: 2\n", 3, 3, "This line is not indented as those around it are."),
        (A + "    parameters: {x: ${a}}\n", 4, 22, "a text with { or } needs quotes"),
        (A + "---\nb: 1\n", 4, 1, "One file holds one pipeline"),
        (A + "name: \0", 4, 7, "This character cannot stand in a text file."),
        ("\x7fELF\x02\x01", 1, 1, "This character cannot stand in a text file."),
        ("name: x\nsteps: \ud800", 2, 8, "This character cannot stand in a text file."),
        (A + 'name: "\\ud800"\n', 4, 7, "half a character"),
        (A + "parameters:\n  x: .nan\n", 5, 6, "is no number that can be stored"),
        (A + "parameters:\n  x: 1e999\n", 5, 6, "is no number that can be stored"),
        (A + f"parameters:\n  x: {'9' * 5000}\n", 5, 6, "is no number that can be stored"),
        (A + "parameters:\n  x: !!python/object/apply:os.system [ls]\n", 5, 6, "A tag has no meaning here"),
        (A + "parameters:\n  x: !!int a\n", 5, 6, "is not of the kind that its tag !!int says"),
        (A + "? [x]\n: 1\n", 4, 3, "Only a text can be a key."),
        (A + "parameters:\n  x: &x [*x]\n", 5, 10, "“*x” stands for nothing that ends before it."),
        (A + "parameters:\n  x: *y\n", 5, 6, "“*y” stands for nothing that ends before it."),
        (A + "    <<: 5\n", 4, 5, "“<<” takes in mappings only."),
        ("%YAML 3.0\n---\na: 1\n", 1, 1, "This is no valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_column(text: str, line: int, column: int, sentence: str) -> None:
    ((found_line, found_column, message),) = said(text)
    assert sentence in message
    assert (found_line, found_column) == (line, column)


def test_all_problems_are_said_in_the_order_of_the_lines() -> None:
    text = (
        A.replace("notebook", "notebok") + "    retries: three\n  b:\n    notebook: b.ipynb\n    after: [c, 5]\nx: 1\n"
    )
    problems = said(text)
    assert [(line, column) for line, column, _ in problems] == [(2, 3), (3, 5), (4, 14), (7, 13), (7, 16), (8, 1)]


def test_a_wrong_type_hides_nothing_else_and_has_no_consequences(settings: MlopsSettings, store: Store) -> None:
    """Problems came in stages: what a person mistyped first hid all else until it was mended."""
    text = (
        "parametrs: {month: 1}\n"
        "target: nowhere\n"
        "alerts: {on: [failures], to: ['']}\n"
        "steps:\n"
        "  a:\n    notebook: a.ipynb\n    outputs: total\n    retries: -1\n"
        "  b:\n    notebook: b.ipynb\n    after: a\n    run_if: always\n    target: moon\n"
        "    parameters: {x: '${a.total}', y: '${month}', z: '${c.total}'}\n"
        "  d: 5\n"
        "  e:\n    notebook: e.ipynb\n    parameters: {x: '${d.total}'}\n    sweep: {space: {x: 1}}\n"
    )
    targets = Catalog(settings, store.targets)
    found = check_text(text, lambda definition: wrong_targets(definition, targets)).problems
    assert [problem.message.split(";")[0] for problem in found] == [
        "A pipeline has no “parametrs”",
        "“nowhere” is no target",
        "Entry 1 of on must be one of failure, success, slow, recovery, drift",
        "This address is empty.",
        "outputs must be a list",
        "retries cannot be less than 0",
        "after must be a list",
        "“moon” is no target",
        "Step “b” refers to “${c.total}”, but there is no step “c”",
        "Step “d” must be a mapping with notebook, sweep, parameters, after, …",
        "sweep lacks “objective”.",
        "“x” is set in “parameters”, too",
    ]


def test_a_graph_is_drawn_unless_steps_wait_for_each_other() -> None:
    missing = check_text(A + "    after: [b]\n")
    assert missing.definition and [step.name for step in missing.graph] == ["a"]
    circle = check_text(A + "    after: [a]\n")
    assert circle.definition and circle.graph == []
    assert check_text(A + "    retries: x\n").definition is None


def test_windows_lines_have_the_same_places() -> None:
    text = A + "    retries: three\n"
    assert said(text.replace("\n", "\r\n")) == said(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 100_000, "nested too deeply"),
        ("{a: " * 40_000, "nested too deeply"),
        ("- " * 90_000, "nested too deeply"),
        ("? " * 90_000, "Only a text can be a key"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(500)), "nested too deeply"),
        ("- a\n" * 49_999 + "- b\n", "too many parts"),
        ("#" * (MAX_LENGTH + 1), "too long: 200,001 characters"),
        ("'" * 190_001, "never closed"),
        ("&a " * 60_000, "no valid YAML"),
        ("!" * 190_000, "A tag has no meaning"),
        ("a" * 190_000, "must be a mapping"),
    ],
    ids=lambda text: text[:6],
)
def test_what_would_take_for_ever_is_refused(text: str, sentence: str) -> None:
    # read to their ends, some of these take longer than a test may
    messages = [message for _, _, message in said(text)]
    assert any(sentence in message for message in messages)
    assert all(len(message) < 500 for message in messages)


def test_what_aliases_stand_for_is_counted_each_time() -> None:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, 12)]
    ((line, _, message),) = said("\n".join(lines))
    assert "too many parts, aliases counted each time" in message
    assert line < 7


def test_only_so_many_problems_are_said() -> None:
    assert len(said(A + "".join(f"key{number}: 1\n" for number in range(500)))) == MAX_PROBLEMS


def test_random_damage_is_never_a_traceback() -> None:
    draw = random.Random(13)
    found = 0
    for _ in range(400):
        text = list(FLIGHTS)
        for _ in range(draw.randrange(1, 6)):
            place = draw.randrange(len(text))
            text[place : place + draw.randrange(4)] = draw.choices(
                "\t\n :-#[]{}&*!|>'\"%@`,?$ax0\0\ud800\x85é", k=draw.randrange(3)
            )
        check = check_text("".join(text))
        lines = "".join(text).count("\n") + "".join(text).count("\x85") + 1
        assert all(1 <= problem.line <= lines + 1 and problem.column >= 1 for problem in check.problems)
        found += bool(check.problems)
        assert check.definition is not None or check.problems
    assert found > 200


# -- how it is written -------------------------------------------------------------------------


def test_a_step_is_written_as_a_person_would() -> None:
    step = Step(
        notebook="train.ipynb",
        parameters={"note": "Delays\nof flights", "month": "${month}", "zone": "on", "at": "12:30"},
        sweep=StepSweep(space={"depth": "3:8"}, objective=Objective(metric="auc")),
        outputs=["table", "rows"],
        secrets={"KEY": SecretRef(env="K")},
        timeout=60.0,
    )
    assert add_step("", "train", step) == (
        "steps:\n"
        "  train:\n"
        "    notebook: train.ipynb\n"
        "    sweep:\n"
        "      space:\n"
        '        depth: "3:8"\n'
        "      objective:\n"
        "        metric: auc\n"
        "    parameters:\n"
        "      note: |-\n"
        "        Delays\n"
        "        of flights\n"
        "      month: ${month}\n"
        '      zone: "on"\n'
        '      at: "12:30"\n'
        "    outputs: [table, rows]\n"
        "    timeout: 60.0\n"
        "    secrets:\n"
        "      KEY:\n"
        "        env: K\n"
    )


ODD = [
    *(
        "",
        "on",
        "3:8",
        "null",
        "~",
        "0x1",
        "1_000",
        "2026-01-01",
        "<<",
        "=",
        "- a",
        "a: b",
        "# c",
        "a #b",
        "'q'",
        '"d"',
    ),
    *(
        "l\nl",
        "l\n\nl\n",
        " lead",
        "trail ",
        "\ttab",
        "a\tb",
        "@x",
        "`x",
        "!x",
        "&a",
        "*a",
        "%x",
        "{a}",
        "[a",
        "${a.b}",
    ),
    *(
        "x" * 300,
        "word " * 60,
        "ü😀",
        "\x85",
        "\u2028x",
        "\x07",
        "a\\n",
        "|",
        ">",
        "?",
        "?x",
        "---",
        "...",
        "- ",
        "1e3",
    ),
    *(
        ".5",
        ".inf",
        "0o7",
        "+1",
        "\n",
        "a\n b",
        "a\r\nb",
        "\ufeff",
        "true",
        "a:\n  - b",
        ":",
        ": x",
        "x:",
        ",",
        "a, b",
        "]",
    ),
]


class Drawn:
    """Definitions with what YAML takes for something else."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)

    def text(self) -> str:
        return "".join(self.draw.choices(ODD, k=self.draw.choice([1, 1, 1, 2])))

    def value(self, depth: int) -> Any:
        match self.draw.randrange(8 if depth else 6):
            case 0:
                return None
            case 1:
                return self.draw.random() < 0.5
            case 2:
                return self.draw.random() * 10.0 ** self.draw.randrange(-9, 20)
            case 3:
                return self.draw.randrange(-(2**63), 2**64)
            case 6:
                return [self.value(depth - 1) for _ in range(self.draw.randrange(4))]
            case 7:
                return {self.text(): self.value(depth - 1) for _ in range(self.draw.randrange(4))}
            case _:
                return self.text()

    def step(self) -> Step:
        sweep = StepSweep(
            space={self.text(): self.text()},
            objective=Objective(metric=self.text(), direction="minimize"),
            sampler=Sampler(kind="random", count=3),
        )
        return Step(
            notebook=self.text(),
            sweep=self.draw.choice([None, sweep]),
            parameters={self.text(): self.value(3) for _ in range(self.draw.randrange(3))},
            after=[self.text() for _ in range(self.draw.randrange(3))],
            when=self.text(),
            retries=self.draw.randrange(3),
            env={self.text(): self.text()},
            secrets={self.text(): SecretRef(env=self.text())},
            memory=self.draw.choice([None, 5]),
        )

    def definition(self) -> PipelineDefinition:
        names = self.draw.sample(["on", "null", "a-b", "_x", "yes", "s1"], self.draw.randrange(1, 5))
        return PipelineDefinition(
            name=self.text(),
            description=self.text(),
            parameters={self.text(): self.value(3)},
            steps={name: self.step() for name in names},
            frozen=[self.text()],
            alerts=Alerts(to=[self.text(), SecretRef(file=self.text())], on=self.draw.choice([[], ["drift"]])),
            retention=Retention(runs=self.draw.choice([None, 3])),
        )


# -- a step more -------------------------------------------------------------------------------

GATE = Step(notebook="gate.ipynb", when="train.auc > 0.7", parameters={"x": [1, "on"]})


def test_a_step_is_added_and_all_else_stays_as_it_is_written() -> None:
    new = '\n  gate:\n    notebook: gate.ipynb\n    parameters:\n      x: [1, "on"]\n    when: train.auc > 0.7\n'
    assert add_step(FLIGHTS, "gate", GATE) == FLIGHTS.replace("    # that is all\n", "    # that is all\n" + new)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "steps:\n  b:\n    notebook: b.ipynb\n"),
        ("# mine\nname: x\n", "# mine\nname: x\n\nsteps:\n  b:\n    notebook: b.ipynb\n"),
        ("steps:\nname: x\n", "steps:\n  b:\n    notebook: b.ipynb\nname: x\n"),
        ("steps: {} # none\n", "steps: # none\n  b:\n    notebook: b.ipynb\n"),
        (A.rstrip("\n"), A + "  b:\n    notebook: b.ipynb\n"),
        (A + "\n\n# end\n", A + "  b:\n    notebook: b.ipynb\n\n\n# end\n"),
        (A + "  # a's\n# top\nname: x\n", A + "  # a's\n  b:\n    notebook: b.ipynb\n# top\nname: x\n"),
        (A.replace("  ", "    "), A.replace("  ", "    ") + "    b:\n      notebook: b.ipynb\n"),
        (A.replace("\n", "\r\n"), (A + "  b:\n    notebook: b.ipynb\n").replace("\n", "\r\n")),
        (A + "    when: |\n      1 > 0\n", A + "    when: |\n      1 > 0\n  b:\n    notebook: b.ipynb\n"),
        (
            "steps: {a: {notebook: a.ipynb}} # c\nname: 'x'\n",
            "steps: {a: {notebook: a.ipynb}, b: {notebook: b.ipynb}} # c\nname: 'x'\n",
        ),
    ],
)
def test_a_step_is_added_to_any_text(text: str, expected: str) -> None:
    assert add_step(text, "b", Step(notebook="b.ipynb")) == expected


def test_steps_of_all_kinds_are_added_one_by_one() -> None:
    drawn = Drawn(8)
    for _ in range(25):
        definition = drawn.definition()
        text = "# first\n"
        for name, step in definition.steps.items():
            text = add_step(text, name, step)
        check = check_text(text)
        assert check.definition is not None
        assert check.definition.steps == definition.steps
        assert text.startswith("# first\n")


@pytest.mark.parametrize(
    ("text", "name", "kind", "sentence"),
    [
        (A, "a", ConflictError, "There is a step “a” already."),
        (A, "a b", InvalidInputError, "“a b” cannot name a step"),
        (A + "\tx", "b", InvalidInputError, "Mend line 4 first: YAML is not indented with tabs"),
        ("- a\n", "b", InvalidInputError, "a pipeline is a mapping"),
        ("steps: [a]\n", "b", InvalidInputError, "“steps” must be a mapping"),
        ("steps: *a\n", "b", InvalidInputError, "cannot be put into this text"),
        ("name: x\nname: y\nsteps: {a: {notebook: x}}\n", "b", InvalidInputError, "cannot be put into this text"),
    ],
)
def test_a_step_that_cannot_be_added(text: str, name: str, kind: type[Exception], sentence: str) -> None:
    with pytest.raises(kind) as error:
        add_step(text, name, Step(notebook="b.ipynb"))
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "steps:\n" + "".join(f"  s{i}: {{notebook: a.ipynb, after: [x{i}]}}\n" for i in range(4_200)),
        "steps:\n  a:\n    notebook: a.ipynb\n    outputs: [" + ", ".join(f"o{i}" for i in range(22_000)) + "]\n",
        "steps:\n  a:\n    notebook: a.ipynb\n    outputs: ["
        + ", ".join(f"o{i}" for i in range(10_000))
        + "]\n  b:\n    notebook: a.ipynb\n    parameters:\n"
        + "".join(f"      p{i}: ${{a.o{i}}}\n" for i in range(3_500)),
    ],
    ids=["steps that wait for none", "outputs", "references"],
)
def test_the_longest_text_is_checked_in_seconds(text: str) -> None:
    """Editors check while a person types; thousands of wrong names took minutes, as each was compared with all."""
    assert MAX_LENGTH * 0.7 < len(text) <= MAX_LENGTH
    started = time.process_time()
    check_text(text)
    assert time.process_time() - started < 10
