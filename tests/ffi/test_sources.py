"""The C files among each other: who calls whom goes one way."""

import graphlib
import re
from pathlib import Path

SOURCES = Path(__file__).parents[2] / "ffi" / "src"
DEFINITION = re.compile(r"^(?!static\b)(?:\w+[ *]+)+(\w+)\([^;{]*\)\n\{", re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def code() -> dict[str, str]:
    """The C files without their comments, by name."""
    return {path.name: COMMENT.sub("", path.read_text()) for path in SOURCES.glob("*.c")}


def callers(sources: dict[str, str]) -> dict[str, set[str]]:
    """The files that each file calls."""
    home = {name: file for file, text in sources.items() for name in DEFINITION.findall(text)}
    return {
        file: {home[word] for word in re.findall(r"\b(\w+)\(", text) if home.get(word, file) != file}
        for file, text in sources.items()
    }


def test_calls_between_files__no_circle() -> None:
    graph = callers(code())
    assert graph["parse_ip.c"] == {"checksum.c", "parse_icmp.c", "parse_tcp.c", "upper.c"}
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("upper.c") < order.index("parse_tcp.c") < order.index("parse_ip.c")


def test_files__are_named_for_what_they_hold() -> None:
    sources = code()
    for call in ("accept4", "openat2", "mallopt"):
        users = [file for file, text in sources.items() if re.search(rf"\b(SYS_)?{call}\b", text)]
        assert [file for file in users if file != "systemcalls.c"] == [f"{call}.c"], call
