"""A module of the pure core, written so that mypyc makes its records native.

    class Run(msgspec.Struct, frozen=True, gc=False):  ->  @final
        right: Seq                                         class Run:
        sent_at_us: int                                        def __init__(self, right, sent_at_us): ...
                                                               def _replaced__sent_at_us(self, ...): ...
    replace(run, sent_at_us=now_us)                    ->  (run)._replaced__sent_at_us(sent_at_us=now_us)
    LARGEST, LEAST = 1 << 16, 1                        ->  LARGEST: Final = 1 << 16; LEAST: Final = 1
    class Control:                                     ->  @mypyc_attr(allow_interpreted_subclasses=True)
                                                           class Control:

Owns these four changes, and the names by which `gossamer.core.records` finds the fields of a native record.
All else stays as it is written. It knows nothing of files and compilers.
"""

import ast
from collections.abc import Iterator
from typing import NamedTuple

IMPORTS = """import typing as _typing, functools as _functools
if _typing.TYPE_CHECKING:
    import mypy_extensions as _mypyc
"""
"""mypyc reads its decorators and calls none of them: whoever runs what it makes need not have them."""

Names = frozenset[str]


class Field(NamedTuple):
    """A field of a record: its name, its type and its default, as they are written."""

    name: str
    type: str
    default: str | None

    @property
    def parameter(self) -> str:
        """As it stands in a list of parameters."""
        return f"{self.name}: {self.type}" + (f" = {self.default}" if self.default is not None else "")


class Record(NamedTuple):
    """A record that becomes native: a frozen msgspec.Struct through which no circle of references can go."""

    node: ast.ClassDef
    fields: tuple[Field, ...]
    options: Names
    """The keywords of msgspec.Struct that are True."""

    @property
    def names(self) -> Names:
        """Of its fields."""
        return frozenset(field.name for field in self.fields)


class Core(NamedTuple):
    """What is native in all modules together, since each is transformed with regard to the others."""

    records: tuple[Names, ...]
    """The names of each record's fields."""
    changes: tuple[Names, ...]
    """The sets of fields that `replace` is called with."""
    bases: Names
    """Classes that are no records and have no base but each other."""


def surveyed(sources: list[str]) -> Core:
    """What there is in these modules."""
    trees = [ast.parse(source) for source in sources]
    records = tuple(record.names for tree in trees for record in records_of(tree))
    changes = {changed_by(call) for tree in trees for call in _replaces(tree)}
    bases: set[str] = set()
    for tree in trees * 3:  # A base may stand in a later module.
        bases |= {
            node.name for node in tree.body if isinstance(node, ast.ClassDef) and _is_plain(node, bases)
        }
    return Core(records, tuple(sorted(changes, key=sorted)), frozenset(bases))


def transformed(source: str, core: Core) -> str:
    """The module as mypyc is to compile it."""
    tree, text = ast.parse(source), Text(source)
    for record in records_of(tree):
        _write_record(text, record, core)
    for call in _replaces(tree):
        if any(changed_by(call) <= names for names in core.records):
            _write_replace(text, call)
    for node in tree.body:
        if isinstance(node, ast.Assign) and (name := _constant(node)):
            text.put(node, node.value, f"{name}: _typing.Final = ")
        elif isinstance(node, ast.Assign) and (several := _constants(node)):
            text.put_between(node, None, "; ".join(several), start=node)
        elif isinstance(node, ast.ClassDef) and node.name in core.bases:
            text.put(node, node, "@_mypyc.mypyc_attr(allow_interpreted_subclasses=True)\n")
    first = next(node for node in tree.body if not isinstance(node, ast.Expr))
    text.put(first, first, IMPORTS)
    return text.result()


def records_of(tree: ast.Module) -> Iterator[Record]:
    """The records of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == [
            "msgspec.Struct"
        ]:
            options = {keyword.arg or "" for keyword in node.keywords if ast.unparse(keyword.value) == "True"}
            if "frozen" in options and any(ast.unparse(keyword) == "gc=False" for keyword in node.keywords):
                yield Record(node, tuple(_fields(node)), frozenset(options))


def changed_by(call: ast.Call) -> Names:
    """The fields that a call of `replace` names."""
    return frozenset(keyword.arg or "**" for keyword in call.keywords)


def _is_field(line: ast.stmt) -> bool:
    return isinstance(line, ast.AnnAssign) and not ast.unparse(line.annotation).startswith("ClassVar")


def _fields(node: ast.ClassDef) -> Iterator[Field]:
    for line in node.body:
        if _is_field(line):
            assert isinstance(line, ast.AnnAssign)
            assert isinstance(line.target, ast.Name)
            default = ast.unparse(line.value) if line.value is not None else None
            yield Field(line.target.id, ast.unparse(line.annotation), default)


def _replaces(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("replace", "msgspec.structs.replace"):
            yield node


def _is_plain(node: ast.ClassDef, bases: set[str]) -> bool:
    names = [ast.unparse(base).partition("[")[0] for base in node.bases]
    return not node.decorator_list and all(name in bases or name == "Generic" for name in names)


def _constant(node: ast.Assign) -> str:
    """The name of a module's constant, "" where it is none."""
    target = node.targets[0]
    is_type = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "TypeVar"
    return target.id if isinstance(target, ast.Name) and target.id.isupper() and not is_type else ""


def _constants(node: ast.Assign) -> list[str]:
    """Constants of a module that are written in one line, each by itself: none where they are none."""
    names, values = node.targets[0], node.value
    if not (isinstance(names, ast.Tuple) and isinstance(values, ast.Tuple)):
        return []
    named = [ast.unparse(name) for name in names.elts]
    if not all(name.isupper() for name in named):
        return []
    given = [ast.unparse(value) for value in values.elts]
    return [f"{name}: _typing.Final = {value}" for name, value in zip(named, given, strict=True)]


def _write_replace(text: "Text", call: ast.Call) -> None:
    text.put(call, call.args[0], "(")
    text.put_between(call.args[0], call.keywords[0], f").{_method(changed_by(call))}(")


def _method(changed: Names) -> str:
    return "_replaced__" + "__".join(sorted(changed))


def _write_record(text: "Text", record: Record, core: Core) -> None:
    node = record.node
    text.put(
        node, node.body[0], f"@_typing.final\n@_mypyc.mypyc_attr(acyclic=True)\nclass {node.name}:\n    "
    )
    for line in node.body:
        if _is_field(line):
            text.put_between(line, None, "", start=line)
    changes = [changed for changed in core.changes if changed <= record.names]
    lines = [*_described(record), *_made(record), *_compared(record), *_replaced(record, changes)]
    text.put_between(node, None, "".join(f"\n    {line}" for line in lines))


def _described(record: Record) -> Iterator[str]:
    """What `gossamer.core.records` reads, and `match`."""
    names = tuple(field.name for field in record.fields)
    defaults = ", ".join(f"{f.name!r}: {f.default}" for f in record.fields if f.default is not None)
    yield f"__struct_fields__: _typing.ClassVar[tuple[str, ...]] = {names}"
    places = () if "kw_only" in record.options else names
    yield f"__match_args__: _typing.ClassVar[tuple[str, ...]] = {places}"
    yield f"__record_types__: _typing.ClassVar[dict[str, str]] = { {f.name: f.type for f in record.fields} }"
    yield f"__record_defaults__: _typing.ClassVar[dict[str, _typing.Any]] = {{{defaults}}}"
    yield f"__record_is_array__: _typing.ClassVar[bool] = {'array_like' in record.options}"


def _made(record: Record) -> Iterator[str]:
    star = "*, " if "kw_only" in record.options else ""
    yield f"def __init__(self, {star}{', '.join(field.parameter for field in record.fields)}) -> None:"
    yield from (f"    self.{field.name}: {field.type} = {field.name}" for field in record.fields)
    yield "def __reduce__(self) -> tuple[_typing.Any, ...]:"
    values = ", ".join(f"{field.name}=self.{field.name}" for field in record.fields)
    yield f"    return _functools.partial({record.node.name}, {values}), ()"


def _compared(record: Record) -> Iterator[str]:
    name, fields = record.node.name, record.fields
    yield "def __eq__(self, other: object) -> bool:"
    yield f"    if not isinstance(other, {name}):"
    yield "        return NotImplemented"
    equal = " and ".join(f"self.{field.name} == other.{field.name}" for field in fields)
    yield f"    return {equal or 'True'}"
    yield "def __hash__(self) -> int:"
    yield f"    return hash(({''.join(f'self.{field.name}, ' for field in fields)}))"
    yield "def __repr__(self) -> str:"
    shown = ", ".join(f"{field.name}={{self.{field.name}!r}}" for field in fields)
    yield f'    return f"{name}({shown})"'


def _replaced(record: Record, changes: list[Names]) -> Iterator[str]:
    name = record.node.name
    for changed in changes:
        parameters = ", ".join(
            f"{f.name}: {'int' if f.type == 'Seq' else f.type}" for f in record.fields if f.name in changed
        )
        values = ", ".join(f"{f.name}={_taken(f, changed)}" for f in record.fields)
        yield f"def {_method(changed)}(self, {parameters}) -> '{name}':"
        yield f"    return {name}({values})"
    values = ", ".join(f"{field.name!r}: self.{field.name}" for field in record.fields)
    yield f"def __replace__(self, **changes: _typing.Any) -> '{name}':"
    yield f"    values: dict[str, _typing.Any] = {{{values}}}"
    yield f"    return {name}(**(values | changes))"


def _taken(field: Field, changed: Names) -> str:
    """The value of a field after `replace`, which takes any int for a sequence number."""
    if field.name not in changed:
        return f"self.{field.name}"
    return f"_typing.cast(Seq, {field.name})" if field.type == "Seq" else field.name


class Text:
    """A source with places that are to be replaced."""

    def __init__(self, source: str) -> None:
        self._data = source.encode()
        lines = self._data.splitlines(keepends=True)
        self._starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]
        self._edits: list[tuple[int, int, str]] = []

    def put(self, node: ast.AST, until: ast.AST, text: str) -> None:
        """`text` instead of all from the begin of `node` to the begin of `until`."""
        self._edits.append((self._begin(node), self._begin(until), text))

    def put_between(
        self, node: ast.AST, until: ast.AST | None, text: str, start: ast.AST | None = None
    ) -> None:
        """`text` instead of all from the end of `node`, or the begin of `start`, to the begin of `until`."""
        end = self._end(node)
        begin = self._begin(start) if start is not None else end
        self._edits.append((begin, self._begin(until) if until is not None else end, text))

    def _begin(self, node: ast.AST) -> int:
        assert isinstance(node, (ast.stmt, ast.expr, ast.keyword))
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.AST) -> int:
        assert isinstance(node, ast.stmt | ast.expr)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._starts[node.end_lineno - 1] + node.end_col_offset

    def result(self) -> str:
        """The source with all of them replaced."""
        data = self._data
        for begin, end, text in sorted(self._edits, key=lambda edit: edit[:2], reverse=True):
            data = data[:begin] + text.encode() + data[end:]
        return data.decode()
