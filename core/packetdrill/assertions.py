"""%{ python }%: assertions on tcp_info, evaluated by walking their syntax tree; nothing is ever executed.

Owns which part of Python is understood: assert, print, assignments, if, comparisons, arithmetic, text with %,
a few functions. Anything else is reported by name, as unsupported.

Bounds: no loops, numbers of at most 4,096 bits, text of at most 65,536 characters.
"""

import ast
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.symbols import ASSERTION_WORDS

BITS_MAX: Final = 4096
TEXT_MAX: Final = 1 << 16
OLD_PRINT: Final = re.compile(r"^(\s*)print(\s+(?![=(]).*|\s*)$", re.MULTILINE)
"""Python 2's print statement, which older scripts have."""

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": abs, "min": min, "max": max, "int": int, "float": float, "round": round, "str": str, "len": len,
    "bool": bool, "hex": hex, "repr": repr, "sum": sum, "any": any, "all": all, "tuple": tuple, "list": list,
}  # fmt: skip
OPERATORS: Final[dict[type[ast.AST], Callable[..., Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}


class Assertions:
    """The names that the code of one script has given, from one piece to the next."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {}
        self.printed: list[str] = []

    def run(self, code: str, info: dict[str, int | str]) -> None:
        """Evaluate a piece of code. Raises: Mismatch for an assertion that does not hold, Unsupported."""
        text = OLD_PRINT.sub(
            lambda match: f"{match[1]}print({(match[2] or '').strip()})", code.strip().rstrip("\\").rstrip()
        )
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise Mismatch(f"code: {error.args[0] if error.args else 'too deep'}") from None
        walker = _Walker({**ASSERTION_WORDS, **info}, self._names, self.printed)
        try:
            walker.block(tree.body)
        except (ArithmeticError, TypeError, ValueError, IndexError, KeyError, RecursionError) as error:
            raise Mismatch(f"code: {error}") from None


class _Walker:
    """Walks one piece of code."""

    def __init__(self, given: dict[str, Any], names: dict[str, Any], printed: list[str]) -> None:
        self._given = given
        self._names = names
        self._printed = printed

    def block(self, statements: list[ast.stmt]) -> None:
        """Statements, one after the other."""
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assert):
            self._assert(node)
        elif isinstance(node, ast.Expr):
            self._value(node.value)
        elif isinstance(node, ast.If):
            self.block(node.body if self._value(node.test) else node.orelse)
        elif isinstance(node, ast.Assign):
            value = self._value(node.value)
            for target in node.targets:
                self._bind(target, value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            left = self._value(ast.Name(node.target.id, ast.Load()))
            self._names[node.target.id] = self._applied(node.op, left, self._value(node.value))
        elif not isinstance(node, ast.Pass):
            raise Unsupported(f"{type(node).__name__.lower()} in code")

    def _assert(self, node: ast.Assert) -> None:
        if self._value(node.test):
            return
        said = f" ({self._value(node.msg)})" if node.msg is not None else ""
        shown = ", ".join(f"{name} = {value!r}" for name, value in self._mentioned(node.test))
        raise Mismatch(f"assertion: expected {ast.unparse(node.test)}, got {shown or 'false'}{said}")

    def _mentioned(self, node: ast.expr) -> list[tuple[str, Any]]:
        names = sorted({part.id for part in ast.walk(node) if isinstance(part, ast.Name)})
        found = {**self._given, **self._names}
        return [(name, found[name]) for name in names if name in found and name not in ASSERTION_WORDS]

    def _bind(self, target: ast.expr, value: Any) -> None:
        if not isinstance(target, ast.Name):
            raise Unsupported("assignment to other than a name in code")
        self._names[target.id] = value

    def _value(self, node: ast.expr) -> Any:
        handler = HANDLERS.get(type(node))
        if handler is None:
            raise Unsupported(f"{type(node).__name__.lower()} in code")
        return handler(self, node)

    def _constant(self, node: ast.Constant) -> Any:
        return node.value

    def _name(self, node: ast.Name) -> Any:
        for space in (self._names, self._given):
            if node.id in space:
                return space[node.id]
        raise Unsupported(f"{node.id} in code")

    def _tuple(self, node: ast.Tuple | ast.List) -> Any:
        return [self._value(element) for element in node.elts]

    def _boolean(self, node: ast.BoolOp) -> Any:
        wants = isinstance(node.op, ast.Or)
        value: Any = None
        for part in node.values:
            value = self._value(part)
            if bool(value) is wants:
                return value
        return value

    def _compare(self, node: ast.Compare) -> Any:
        left = self._value(node.left)
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self._value(part)
            if not self._applied(op, left, right):
                return False
            left = right
        return True

    def _binary(self, node: ast.BinOp) -> Any:
        return self._applied(node.op, self._value(node.left), self._value(node.right))

    def _unary(self, node: ast.UnaryOp) -> Any:
        return OPERATORS[type(node.op)](self._value(node.operand))

    def _applied(self, op: ast.AST, left: Any, right: Any) -> Any:
        if type(op) not in OPERATORS:
            raise Unsupported(f"{type(op).__name__.lower()} in code")
        if isinstance(op, ast.Mod) and isinstance(right, list):
            right = tuple(right)
        if isinstance(op, ast.LShift | ast.Mult) and not _is_small(op, left, right):
            raise Unsupported("a number or text of that size in code")
        return OPERATORS[type(op)](left, right)

    def _choice(self, node: ast.IfExp) -> Any:
        return self._value(node.body if self._value(node.test) else node.orelse)

    def _call(self, node: ast.Call) -> Any:
        name = node.func.id if isinstance(node.func, ast.Name) else type(node.func).__name__
        if node.keywords:
            raise Unsupported(f"named arguments of {name} in code")
        values = [self._value(argument) for argument in node.args]
        if name == "print":
            self._printed.append(" ".join(map(str, values)))
            return None
        if name not in FUNCTIONS:
            raise Unsupported(f"function {name} in code")
        return FUNCTIONS[name](*values)

    def _formatted(self, node: ast.JoinedStr) -> str:
        parts = (part.value for part in node.values if isinstance(part, ast.FormattedValue | ast.Constant))
        return "".join(str(self._value(part) if isinstance(part, ast.expr) else part) for part in parts)

    def _subscript(self, node: ast.Subscript) -> Any:
        return self._value(node.value)[self._value(node.slice)]


def _is_small(op: ast.AST, left: Any, right: Any) -> bool:
    if isinstance(op, ast.LShift):
        return isinstance(right, int) and right <= BITS_MAX and abs(left) < 1 << BITS_MAX
    if isinstance(left, int | float) and isinstance(right, int | float):
        return abs(left) < 1 << BITS_MAX // 2 and abs(right) < 1 << BITS_MAX // 2
    size, times = (len(left), right) if isinstance(left, str | list) else (len(right), left)
    return isinstance(times, int) and size * max(times, 0) <= TEXT_MAX


HANDLERS: Final[dict[type[ast.expr], Callable[[_Walker, Any], Any]]] = {
    ast.Constant: _Walker._constant,
    ast.Name: _Walker._name,
    ast.Tuple: _Walker._tuple,
    ast.List: _Walker._tuple,
    ast.BoolOp: _Walker._boolean,
    ast.Compare: _Walker._compare,
    ast.BinOp: _Walker._binary,
    ast.UnaryOp: _Walker._unary,
    ast.IfExp: _Walker._choice,
    ast.Call: _Walker._call,
    ast.JoinedStr: _Walker._formatted,
    ast.Subscript: _Walker._subscript,
}
