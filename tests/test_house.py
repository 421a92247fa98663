"""The house rules that a machine can hold: floors, purity, heads of files, reasons beside exceptions."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("gossamer", "core", "ffi", "shards", "loadtest")

FLOORS = (
    ("__main__",),
    ("cli",),
    ("__init__", "aio", "public", "lowlevel", "tcp", "testing", "websocket", "wsgi"),
    ("loadtest",),
    ("shards.supervisor", "shards.worker"),
    ("shards.opening",),
    ("shards.admin", "shards.doctor", "shards.keeper"),
    ("shards.rundir", "shards.confinement", "shards.moving"),
    ("shards.letters",),
    ("shards.plan", "shards.wsgi"),
    ("shards.configuration", "shards.firewall", "shards.seen", "shards.asgi"),
    ("shards.log", "shards.web"),
    ("shards.machine", "shards.exitcode", "shards.units", "shards"),
    ("core.sim", "core.packetdrill"),
    ("core.aio",),
    ("core.io", "core.http", "core.tls"),
    ("core.loop",),
    ("core.demux", "core.networks"),
    ("core.tcp",),
    ("core.threads", "core.wire"),
    (
        "core.seq",
        "core.errors",
        "core.printable",
        "core.clock",
        "core.entropy",
        "core.records",
        "core.native",
        "core.checkpoint_rows",
        "core.log_linear",
        "core.layout",
        "ffi",
    ),
)
"""From the top down, as in ARCHITECTURE.md."""

PURE = ("core.tcp", "core.wire")
IMPURE = {
    "time",
    "random",
    "os",
    "socket",
    "logging",
    "secrets",
    "threading",
    "asyncio",
    "select",
    "datetime",
}
NOT_FOR_THE_PURE = ("core.loop", "core.io", "core.threads", "ffi", "core.entropy", "core.demux", "core.sim")


def sources() -> list[Path]:
    return sorted(
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
        if path.name[0] != "_" or "__init__" in path.name
    )


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = parts[1:] if parts[0] == "gossamer" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """Every module that a file imports when it is loaded, those of this project without `gossamer.`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                assert path.is_relative_to(ROOT / "tests"), f"{path}: a relative import"
                continue
            found += [
                f"{base}.{alias.name}" if is_module(f"{base}.{alias.name}") else base for alias in node.names
            ]
    return tuple(found)


def is_module(name: str) -> bool:
    place = ROOT / "gossamer" / name.removeprefix("gossamer.").replace(".", "/")
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def ours(path: Path) -> Iterator[str]:
    for name in imports_of(path):
        if name.startswith("gossamer."):
            yield name.removeprefix("gossamer.")


def floor_of(module: str) -> int:
    if module == "core":
        return len(FLOORS) - 1  # It chooses the build of all that stands above.
    for height, rooms in enumerate(FLOORS):
        if any(module == room or module.startswith(f"{room}.") for room in rooms):
            return height
    raise AssertionError(f"{module} stands on no floor: name it in ARCHITECTURE.md and here")


SOURCES = sources()


def test_files__begin_with_what_they_own() -> None:
    texts = {module_of(path): path.read_text() for path in SOURCES}
    bare = [module for module, text in texts.items() if text and not ast.get_docstring(ast.parse(text))]
    assert bare == [], "no docstring at the head of the file"


def by_short_name(paths: Iterable[Path]) -> dict[str, list[str]]:
    """What each file imports past `gossamer`, which would load a second copy of a module from the root of the
    repository."""
    found = {path: [name for name in imports_of(path) if name.split(".")[0] in FOLDERS[1:]] for path in paths}
    return {str(path.relative_to(ROOT)): names for path, names in found.items() if names}


def test_imports__by_full_name() -> None:
    assert by_short_name([*SOURCES, *(ROOT / "tests").rglob("*.py")]) == {}


def test_imports__never_upward() -> None:
    assert {module_of(path): names for path in SOURCES if (names := list(above(path)))} == {}


def above(path: Path) -> Iterator[str]:
    """What a file imports that stands above it."""
    if not imports_of(path):
        return
    here = floor_of(module_of(path))
    for name in ours(path):
        room = next(room for rooms in FLOORS for room in rooms if name == room or name.startswith(f"{room}."))
        if floor_of(room) < here:
            yield name


def test_pure__no_clock_no_chance_no_kernel_no_thread() -> None:
    """Law 1."""
    found = {
        module_of(path): [
            *IMPURE.intersection(name.split(".")[0] for name in imports_of(path)),
            *(name for name in ours(path) if name.startswith(NOT_FOR_THE_PURE)),
        ]
        for path in SOURCES
        if module_of(path).startswith(PURE)
    }
    assert len(found) > 50
    assert {module: names for module, names in found.items() if names} == {}


def on_its_stack(module: str) -> str:
    """The files of the two stacks' rooms answer to each other one by one, and so do their classes."""
    return module.replace("core.loop.sock.", "core.loop.tcp.")


def test_classes__each_has_a_name_of_its_own() -> None:
    places: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module_of(path))
    places["Listener"].remove("core.tcp.tcb")  # law 7: LISTEN is a record of its own, of that name
    shared = {
        name: where for name, where in places.items() if len({on_its_stack(each) for each in where}) > 1
    }
    assert shared == {}


MEET_FFI = (
    "core.threads",
    "core.loop.tcp",
    "core.loop.sock",
    "core.loop.disk",
    "core.loop.epoll",
    "core.io",
    "core.sim",
    "shards",
    "loadtest",
    "ffi",
)
"""As in ARCHITECTURE.md."""


def is_in(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def meet_ffi() -> set[str]:
    return {module_of(path) for path in SOURCES if any(is_in(name, ("ffi",)) for name in ours(path))}


def test_ffi__is_met_in_these_rooms_only() -> None:
    met = meet_ffi()
    assert [module for module in met if not is_in(module, MEET_FFI) or is_in(module, ("shards.web",))] == []


def test_rooms_that_meet_ffi__each_does() -> None:
    met = meet_ffi()
    assert [room for room in MEET_FFI if not any(is_in(module, (room,)) for module in met)] == []


def test_ffi__imports_nothing_of_the_floors_above() -> None:
    paths = [path for path in SOURCES if module_of(path).startswith("ffi")]
    assert len(paths) > 10
    assert [(path, name) for path in paths for name in ours(path) if not name.startswith("ffi")] == []


def test_imports__no_circle() -> None:
    graph = {module_of(path): {name for name in ours(path) if name != module_of(path)} for path in SOURCES}
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, f"a circle: {' -> '.join((*way[way.index(module) :], module))}"
        if module not in done:
            for following in sorted(graph.get(module, ())):
                visit(following, (*way, module))
            done.add(module)

    for module in sorted(graph):
        visit(module, ())


NOQA = re.compile(r"#\s*noqa(?::\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?(?P<reason>.*)")


def test_exceptions_from_lint__each_has_its_reason_beside_it() -> None:
    found = [
        (path, number, noqa["reason"])
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (noqa := NOQA.search(line))
    ]
    assert [each for each in found if len(each[2].strip(" -#()")) <= 3] == [], "a noqa without a reason"


def test_names__nothing_that_means_everything() -> None:
    anything = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert [module_of(path) for path in SOURCES if anything.intersection(module_of(path).split("."))] == []


def test_core__nothing_unfinished() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    paths = [path for path in SOURCES if module_of(path).startswith("core")]
    assert [path for path in paths if unfinished.search(path.read_text())] == []


def test_records_of_the_core__changed_by_core_records() -> None:
    """`msgspec.structs.replace` takes no record of the native build. The core itself may say it, since the
    transform writes it anew."""
    compiled = (ROOT / "core" / "tcp", ROOT / "core" / "wire")
    places = [ROOT / name for name in ("core", "tests/core", "tests/ffi", "tests/regression")]
    paths = [path for place in places for path in place.rglob("*.py") if not path.is_relative_to(compiled[0])]
    found = [
        path
        for path in paths
        if not path.is_relative_to(compiled[1]) and "structs.replace" in path.read_text()
    ]
    assert found == [ROOT / "core" / "records.py"]
