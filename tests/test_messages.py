"""What a person reads is a message with a template that can be translated, and nothing is decided by how it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import jupyter_mlops
from jupyter_mlops.core.errors import MlopsError
from jupyter_mlops.core.messages import Message
from jupyter_mlops.core.record import Record

ROOT = Path(jupyter_mlops.__file__).parent
SOURCES = sorted(path for path in ROOT.rglob("*.py") if "labextension" not in path.parts)
# of the records, where nothing else has these names
FIELDS = {"message", "kernel_reason", "kernel_problem", "mlflow_message", "warnings", "remark", "doing", "keeper"}
# tables of templates: Message(says) is filled from one
TABLES = {"says"}


def faults(source: str) -> list[str]:
    """What in a source a translation could not reach, or decides by a text."""
    return [f"line {node.lineno}: {fault}" for node, fault in _faults(ast.parse(source))]


def _faults(tree: ast.Module) -> Iterator[tuple[Any, str]]:
    templates = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_template(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Message"), args=[first, *_]):
                if not _is_template(first) and not (isinstance(first, ast.Name) and first.id in templates | TABLES):
                    yield node, "a message's template is no literal"
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr=name), attr="startswith" | "endswith")):
                if name in FIELDS:
                    yield node, f"{name} decides by its words"
            case ast.Compare(left=left, comparators=[right]):
                sides = (left, right)
                if any(_is_text(side) for side in sides) and any(_is_shown(side) for side in sides):
                    yield node, "a message decides by its words"
            case ast.Raise(exc=ast.Call(func=ast.Name(id=name), args=[first, *_])) if name.endswith("Error"):
                if name in ERRORS and _is_text(first):
                    yield node, f"{name} has a bare text"
        for name, value in _named(node):
            if name in FIELDS and any(_is_text(part) for part in _parts(value)):
                yield value, f"{name} is a bare text"


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """What is passed, kept or assigned by a name."""
    match node:
        case ast.keyword(arg=str() as name, value=value):
            yield name, value
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if isinstance(key, ast.Constant):
                    yield str(key.value), value
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if isinstance(target, ast.Attribute):
                    yield target.attr, value


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.IfExp(body=first, orelse=second):
            yield from (*_parts(first), *_parts(second))
        case ast.BoolOp(values=values) | ast.List(elts=values) | ast.Tuple(elts=values):
            for value in values:
                yield from _parts(value)
        case ast.BinOp(left=left, right=right):
            yield from (*_parts(left), *_parts(right))
        case _:
            yield node


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _is_template(node: ast.AST) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_template(node.body) and _is_template(node.orelse)
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_shown(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in FIELDS


def _all(kind: type) -> Iterator[type]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _all(sub)


ERRORS = {kind.__name__ for kind in _all(MlopsError)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_text_that_a_person_reads_can_be_translated(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "Message(f'{count} runs')",
        "Message('It is ' + state)",
        "Message(text)",
        "store.change(run.id, message='Stopped')",
        "store.change(run.id, message=f'Stopped by {who}')",
        "store.change(run.id, message=why or 'Stopped')",
        "fields = {'message': 'Stopped'}",
        "Version(warnings=['It cannot be frozen'])",
        "self.message = 'Starting'",
        "raise ConflictError('It is over')",
        "if sweep.message.startswith('Waiting: '): pass",
        "if run.message == 'Stopped': pass",
        "if 'lost' in run.message: pass",
    ],
)
def test_a_text_that_no_translation_reaches_is_found(source: str) -> None:
    assert len(faults(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "Message('{count} runs', count=count)",
        "Message('One run' if count == 1 else '{count} runs', count=count)",
        "template = 'One run'\nMessage(template)",
        "Message.verbatim(str(error))",
        "store.change(run.id, message=Message('Stopped'), state='stopped')",
        "if sweep.reason is Reason.UNREACHABLE: pass",
    ],
)
def test_what_can_be_translated_is_not(source: str) -> None:
    assert faults(source) == []


def test_these_fields_are_messages_in_every_record() -> None:
    bare = {
        (kind.__name__, field.name)
        for kind in _all(Record)
        if kind.__module__.startswith("jupyter_mlops.core")
        for field in msgspec.structs.fields(kind)
        if field.name in FIELDS and field.type is str
    }
    assert bare == set()
    assert any(field.type is Message for kind in _all(Record) for field in msgspec.structs.fields(kind))


def test_sentences_one_after_the_other() -> None:
    first, second = Message("{count} runs failed.", count=3), Message("Stopped.")
    assert Message.together([]) == ""
    # an empty one leaves no gap, wherever it stands
    for parts in ([first], [Message(), first], [first, Message()]):
        assert Message.together(parts) is first
    whole = Message.together([first, Message(), second], "; ")
    assert (whole, whole.template) == ("3 runs failed.; Stopped.", "{part0}; {part1}")
    assert whole.values == {"part0": first, "part1": second}
