"""How a module is written so that mypyc makes its records native: each change, and nothing else."""

import ast
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

FOLDER = Path(__file__).parent.parent / "scripts" / "native"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


transform = load("transform")

SOURCE = '''"""A module."""

from typing import ClassVar, TypeVar

import msgspec

R = TypeVar("R")
replace = msgspec.structs.replace

LARGEST = 1 << 16
FIRST, SECOND = 1, 2
Names = tuple[str, ...]


class Run(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A stretch."""

    right: int
    """Where it ends."""
    sent_at_us: int = 0
    kind: ClassVar[int] = 5

    @property
    def is_old(self) -> bool:
        return self.sent_at_us < 5


class Open:
    """A base."""


class Counts(msgspec.Struct):
    """No record: it changes."""

    runs: int = 0


def sent(run: Run, now_us: int) -> Run:
    """Sent."""
    return replace(
        run,
        sent_at_us=now_us,
    )


def counted(counts: Counts) -> Counts:
    return replace(counts, runs=1)
'''


def written(source: str = SOURCE) -> str:
    text: str = transform.transformed(source, transform.surveyed([source]))
    return text


def run(text: str) -> dict[str, object]:
    # Interpreted, the decorators are called.
    decorators = SimpleNamespace(mypyc_attr=lambda **_: lambda decorated: decorated)
    names: dict[str, object] = {"__name__": "run", "_mypyc": decorators}
    exec(compile(text, "run", "exec"), names)
    return names


def test_record__written__is_a_final_class_with_the_same_fields() -> None:
    text = written()
    assert "@_typing.final\n@_mypyc.mypyc_attr(acyclic=True)\nclass Run:" in text
    names = run(text)
    kind = names["Run"]
    assert isinstance(kind, type)
    record = kind(7, sent_at_us=3)
    assert repr(record) == "Run(right=7, sent_at_us=3)"
    assert record == kind(7, 3) != kind(8, 3)
    assert hash(record) == hash(kind(7, 3))
    assert record.is_old
    assert kind.kind == 5
    assert kind.__record_types__ == {"right": "int", "sent_at_us": "int"}
    assert kind.__record_defaults__ == {"sent_at_us": 0}
    assert kind.__record_is_array__ is True


def test_replace__of_a_record__is_a_method_of_it() -> None:
    text = written()
    assert "(run)._replaced__sent_at_us(" in text
    names = run(text)
    sent, kind = names["sent"], names["Run"]
    assert callable(sent)
    assert callable(kind)
    assert sent(kind(7), 9) == kind(7, 9)


def test_replace__of_what_is_no_record__stays() -> None:
    assert "return replace(counts, runs=1)" in written()
    assert "class Counts(msgspec.Struct):" in written()


def test_constant__written__is_final() -> None:
    assert "\nLARGEST: _typing.Final = 1 << 16\n" in written()
    assert "\nFIRST: _typing.Final = 1; SECOND: _typing.Final = 2\n" in written()
    assert "\nNames = tuple[str, ...]\n" in written()
    assert '\nR = TypeVar("R")\n' in written()


def test_class_that_is_no_record__may_be_subclassed_by_a_user() -> None:
    assert "@_mypyc.mypyc_attr(allow_interpreted_subclasses=True)\nclass Open:" in written()


def test_generic_class__may_be_subclassed_too() -> None:
    source = SOURCE + "\n\nclass Heap(Generic[R]):\n    pass\n\n\nclass Late(Heap[int]):\n    pass\n"
    text = written(source)
    for name in ("Heap(Generic[R])", "Late(Heap[int])"):
        assert f"@_mypyc.mypyc_attr(allow_interpreted_subclasses=True)\nclass {name}:" in text


def test_lines_without_records__stay_where_they_are() -> None:
    source = '"""A module."""\n\nimport os\n\n\ndef f(x: int) -> int:\n    return x\n'
    text = written(source)
    assert text.replace(transform.IMPORTS, "") == source


def test_transformed__at_run_time__imports_nothing_that_a_wheel_does_not_bring() -> None:
    """mypy_extensions came with mypyc alone: a native wheel in a bare environment could not serve."""
    tree = ast.parse(transform.transformed(SOURCE, transform.surveyed([SOURCE])))
    roots = set()
    for node in tree.body:  # not what stands below TYPE_CHECKING
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(str(node.module).partition(".")[0])
    assert roots - sys.stdlib_module_names == {"msgspec"}
