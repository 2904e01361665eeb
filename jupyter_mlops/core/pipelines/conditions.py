"""Conditions of steps, such as ``evaluate.auc > 0.7 and not prepare.empty``.

They consist of comparisons, ``and``, ``or``, ``not``, ``in``, numbers, strings, lists, True, False, None and
``+ - * / %`` over references. References are written bare (``evaluate.auc``, ``month``), or in braces if the metric's
name needs it (``${evaluate.val/auc}``). Step names may contain a dash, so a minus before an output needs spaces. The
text is parsed with :mod:`ast`, and nothing else is ever evaluated.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from ..errors import InvalidInputError
from ..messages import Message
from ..values import show
from .references import Outputs, Reference, look_up, read_reference

MAX_LENGTH = 1_000
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    |(?P<odd>\d[\w.]*)
    |\$\{(?P<braced>[^{}]*)\}
    |(?P<step>[A-Za-z_][A-Za-z0-9_-]*)\.(?P<output>[A-Za-z_]\w*(?:\.\w+)*)
    |(?P<name>[A-Za-z_]\w*)""",
    re.VERBOSE,
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "True", "False", "None"})
_CONSTANTS = {"true": "True", "false": "False", "null": "None"}

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
    ast.Is: lambda left, right: left is right,
    ast.IsNot: lambda left, right: left is not right,
}
_CALCULATE: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
_ALLOWED = "comparisons, and, or, not, in, numbers, texts, lists and + - * / %"
_REJECTED = {
    ast.Call: "a call",
    ast.Attribute: "a dot behind something that is no step",
    ast.Subscript: "a subscript",
    ast.NamedExpr: "an assignment",
    ast.Pow: "a power",
    ast.Dict: "a mapping",
}


class Condition:
    """A parsed condition.

    Attributes:
        references: in order, without duplicates.
        tree: the parsed expression; each name in it is a placeholder for :meth:`reference`.

    Raises:
        InvalidInputError: it cannot be parsed, or uses syntax that conditions do not allow.
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split("\n")).strip()
        if len(self.text) > MAX_LENGTH:
            raise InvalidInputError(
                Message(
                    "A condition may have {max_length:,} characters; this one has {count:,}.",
                    max_length=MAX_LENGTH,
                    count=len(self.text),
                )
            )
        self._by_name: dict[str, Reference] = {}
        source = _TOKEN.sub(self._placeholder, self.text)
        self.references = list(dict.fromkeys(self._by_name.values()))
        try:
            self.tree = ast.parse(source, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            hint = _hint(self.text)
            raise InvalidInputError(
                Message("The condition {text} cannot be read; {hint}.", text=show(self.text), hint=hint)
            ) from None
        self._check(self.tree, 0)

    def holds(self, outputs: Outputs, parameters: Mapping[str, Any], step: str = "") -> bool:
        """Whether the condition is true; arguments as for :func:`~.references.resolve`.

        Operands are looked up only when needed: ``prepare.empty or train.auc > 0.7`` needs no ``train`` if ``prepare``
        was empty.

        Raises:
            InvalidInputError: an operand is missing, or the operands cannot be compared.
        """
        return bool(_Evaluation(self, outputs, parameters, step).value(self.tree))

    def reference(self, name: str) -> Reference:
        """The reference that a name in :attr:`tree` stands for."""
        return self._by_name[name]

    def _placeholder(self, match: re.Match[str]) -> str:
        if match["odd"]:
            raise InvalidInputError(
                Message(
                    "The condition {text} cannot be read; “{match}” is no number.",
                    text=show(self.text),
                    match=match["odd"],
                )
            )
        if match["text"]:
            # a backslash escapes the next character
            return repr(re.sub(r"\\(.)", r"\1", match[0][1:-1]))
        if match["number"] or match["name"] in _KEYWORDS:
            return match[0]
        if match["name"] in _CONSTANTS:
            return _CONSTANTS[match["name"]]
        if match["braced"] is not None:
            reference = read_reference(match["braced"])
        else:
            reference = Reference(match["step"] or "", match["output"] or match["name"])
        placeholder = f"r{len(self._by_name)}"
        self._by_name[placeholder] = reference
        return placeholder

    def _check(self, node: ast.expr, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise InvalidInputError(Message("This condition is nested too deeply."))
        children: list[ast.expr] = []
        match node:
            case ast.BoolOp(values=values) | ast.List(elts=values) | ast.Tuple(elts=values):
                children = values
            case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
                children = [operand]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _CALCULATE:
                children = [left, right]
            case ast.Compare(left=left, ops=ops, comparators=right):
                children = [left, *right]
                for comparison, other in zip(ops, right, strict=True):
                    if isinstance(comparison, ast.Is | ast.IsNot) and not (
                        isinstance(other, ast.Constant) and other.value is None
                    ):
                        self._reject("“is” with something else than None; write ==")
            case ast.Constant(value=str() | bool() | int() | float() | None) | ast.Name():
                pass
            case ast.BinOp(op=op):
                self._reject(_REJECTED.get(type(op), "an operator"))
            case _:
                self._reject(_REJECTED.get(type(node), "something"))
        for child in children:
            self._check(child, depth + 1)

    def _reject(self, what: str) -> NoReturn:
        raise InvalidInputError(
            Message(
                "The condition {text} has what conditions may not: {what}. They have {allowed}.",
                text=show(self.text),
                what=what,
                allowed=_ALLOWED,
            )
        )


class _Evaluation:
    def __init__(self, condition: Condition, outputs: Outputs, parameters: Mapping[str, Any], step: str) -> None:
        self.condition = condition
        self.outputs = outputs
        self.parameters = parameters
        self.step = step

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return look_up(self.condition.reference(name), self.parameters, self.outputs, self.step)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self.value(item) for item in items]
            case ast.BoolOp(op=ast.And(), values=values):
                return all(self.value(item) for item in values)
            case ast.BoolOp(values=values):
                return any(self.value(item) for item in values)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.value(operand)
            case ast.UnaryOp(op=op, operand=operand):
                number = self._number(self.value(operand))
                return -number if isinstance(op, ast.USub) else number
            case ast.BinOp(left=left, op=op, right=right):
                return self._calculated(op, self._number(self.value(left)), self._number(self.value(right)))
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                return self._compared(self.value(left), ops, comparators)
        raise AssertionError(node)

    def _compared(self, left: Any, ops: list[ast.cmpop], comparators: list[ast.expr]) -> bool:
        for op, node in zip(ops, comparators, strict=True):
            right = self.value(node)
            try:
                if not _COMPARE[type(op)](left, right):
                    return False
            except TypeError:
                self._fail(f"{show(left)} cannot be compared so with {show(right)}")
            left = right
        return True

    def _number(self, value: Any) -> int | float:
        # * and % of strings could exhaust memory
        if not isinstance(value, int | float):
            self._fail(f"{show(value)} is no number")
        return value

    def _calculated(self, op: ast.operator, left: float, right: float) -> Any:
        try:
            return _CALCULATE[type(op)](left, right)
        except ZeroDivisionError:
            self._fail("it divides by 0")
        except OverflowError:
            self._fail("its numbers are too large")

    def _fail(self, why: str) -> NoReturn:
        raise InvalidInputError(
            Message("The condition {text} cannot be decided: {why}.", text=show(self.condition.text), why=why)
        )


def _hint(text: str) -> str:
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    if re.search(r"(?<![=!<>])=(?!=)", bare):
        return "write == to compare"
    if "&" in bare or "|" in bare:
        return "write “and” and “or”"
    if re.search(r"!(?!=)", bare):
        return "write “not”"
    return "write something like evaluate.auc > 0.7 and not prepare.empty"
