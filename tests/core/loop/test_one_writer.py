"""The rooms of the loops: each field of a record, and each queue in it, has one file that writes it."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

LOOP = Path(__file__).parents[3] / "core" / "loop"


def fields_of(room: str, record: str) -> frozenset[str]:
    """The slots of a record, as they are written."""
    tree = ast.parse((LOOP / room / "call.py").read_text())
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == record)
    (slots,) = (
        node.value
        for node in found.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__"
    )
    return frozenset(ast.literal_eval(slots))


FIELDS = {
    (room, record.lower()): fields_of(room, record)
    for room in ("tcp", "sock")
    for record in ("Connection", "Listener")
}
CHANGES = frozenset(
    [
        "add",
        "append",
        "appendleft",
        "clear",
        "discard",
        "extend",
        "insert",
        "pop",
        "popitem",
        "popleft",
        "remove",
        "update",
    ]
)
"""Methods that change a queue."""


def written(tree: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a file sets, or whose content it changes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield node
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            if isinstance(node.value, ast.Attribute):
                yield node.value
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CHANGES
            and isinstance(node.func.value, ast.Attribute)
        ):
            yield node.func.value


def owner_of(target: ast.Attribute) -> str:
    """The last name before the field: `connection` for `call.connection.remains`."""
    value = target.value
    return value.attr if isinstance(value, ast.Attribute) else getattr(value, "id", "")


def writers(room: str, source: dict[str, str]) -> dict[tuple[str, str], set[str]]:
    """Which files write each field of the two records. The record's own methods, `self`, are its own file's;
    `demux` has tables of its own."""
    fields = FIELDS[room, "connection"] | FIELDS[room, "listener"]
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, text in source.items():
        for target in written(ast.parse(text)):
            owner = owner_of(target)
            if target.attr not in fields or owner in ("self", "demux", "_demux"):
                continue
            assert (room, owner) in FIELDS, (
                f"{room}/{name}:{target.lineno}: call a record `connection` or `listener`, not {owner!r}"
            )
            found[owner, target.attr].add(name)
    return found


@pytest.mark.parametrize("room", ["tcp", "sock"])
def test_record__each_field_and_queue__is_written_in_one_file(room: str) -> None:
    source = {path.name: path.read_text() for path in sorted((LOOP / room).glob("*.py"))}
    found = writers(room, source)
    assert len(found) > 10, "the records or the files have moved"
    assert not {field: files for field, files in found.items() if len(files) > 1}


@pytest.mark.parametrize(
    "change",
    [
        "connection.send_rest = None",
        "connection.tcb = connection.send_rest = None",
        "thread, call.connection.send_rest = 1, 2",
        "connection.send_rest += b''",
        "del connection.send_rest",
        "connection.send_rest[0] = 1",
        "connection.send_rest.clear()",
    ],
)
def test_writers__of_a_second_writer__is_seen(change: str) -> None:
    source = {"sending.py": "connection.send_rest = 1", "other.py": change}
    assert writers("tcp", source)["connection", "send_rest"] == {"sending.py", "other.py"}


def test_writers__a_record_by_another_name__is_refused() -> None:
    with pytest.raises(AssertionError, match="not 'stream'"):
        writers("tcp", {"other.py": "stream.send_rest = None"})
