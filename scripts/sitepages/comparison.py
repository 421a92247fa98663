"""The tables of docs/comparison.md, made of the record of a `make bench` that is kept beside the page. Pure.

Owns what is kept of a record, and how the tables are written; the figures are `gossamer bench http`'s.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

LINK = "veth4"
"""The link that every contender was asked over."""
BASELINE = "kernel"
NAMES = {
    "frames": "functional TCP",
    "native": "its native build",
    "nginx": "nginx",
    "granian": "granian",
    "uvicorn": "uvicorn",
    "hypercorn": "hypercorn",
    "gunicorn": "gunicorn",
    "asyncio": "bare asyncio",
}
"""Who stands in the tables beside ours on kernel sockets, in this order."""
WORK = {
    "keep-alive": "GET of 1 KiB, keep-alive",
    "pipelining": "the same, pipelined",
    "new-connection": "a connection for each request",
    "64k": "GET of 64 KiB",
    "bulk-down": "500 MB down",
    "bulk-up": "500 MB up",
}
TABLES = re.compile(r"(?<=<!-- tables -->\n).*?(?=<!-- end of tables -->)", re.DOTALL)

Record = Mapping[str, Any]


def kept(result: Record) -> dict[str, Any]:
    """What is kept of a result of `gossamer bench http --json` (gossamer-bench-http/3)."""
    where = result["environment"]
    names = ("started", "command", "commit", "python", "kernel", "processor", "processors", "versions")
    cases = [
        {
            **{name: case[name] for name in ("row", "link", "title", "conditions", "unit")},
            "contenders": {name: _contender(case, name) for name in case["figures"]},
        }
        for case in result["cases"]
    ]
    return {name: where[name] for name in names} | {"rounds": result["settings"]["rounds"], "cases": cases}


def _contender(case: Record, name: str) -> dict[str, float]:
    figures, over = case["figures"][name], case["over_kernel"].get(name)
    found = {
        "cpu_us": figures["cpu_us_per_unit"],
        "rate": figures["units_per_second"],
        "peak_rss_bytes": figures["peak_rss_bytes"],
    }
    return found | ({f"{of}_over": over[of]["median"] for of in ("cpu", "rate")} if over else {})


def written(record: Record) -> str:
    """The tables, and what they are of."""
    date, versions = record["started"][:10], record["versions"]
    of = ", ".join(f"{name} {versions[name]}" for name in ("gossamer", *NAMES) if name in versions)
    parts = [
        f"`make bench` (`{record['command']}`), {date}: medians of {record['rounds']} rounds",
        f"over a veth pair with an MTU of 1500, one worker each, {record['processors']} processors",
        f"({record['processor']}), Linux {record['kernel']}, Python {record['python']}.",
        f"{of}.",
    ]
    parts = [
        "\n".join(parts),
        "CPU time of the server over that of ours on kernel sockets; less is better:",
        _table(record, "cpu", "CPU us, ours on kernel sockets"),
        "Requests a second (MB a second in bulk) over those of ours on kernel sockets; more is better:",
        _table(record, "rate", "a second, ours on kernel sockets"),
        "Memory of the whole server at its peak, MiB, in the first row of work:",
        _memory(record),
    ]
    return "\n" + "\n\n".join(parts) + "\n\n"


def _cases(record: Record) -> Iterator[tuple[str, Record]]:
    for case in record["cases"]:
        if case["link"] == LINK and case["row"] in WORK:
            yield WORK[case["row"]], case["contenders"]


def _table(record: Record, figure: str, first: str) -> str:
    lines = [f"| work | {first} | {' | '.join(NAMES.values())} |", "|---" * (len(NAMES) + 2) + "|"]
    for work, contenders in _cases(record):
        own = contenders[BASELINE]["cpu_us" if figure == "cpu" else "rate"]
        cells = [times(contenders.get(name, {}).get(f"{figure}_over")) for name in NAMES]
        lines.append(f"| {work} | {number(own)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _memory(record: Record) -> str:
    _, contenders = next(_cases(record))
    names = {BASELINE: "ours on kernel sockets", **NAMES}
    cells = [f"{contenders[name]['peak_rss_bytes'] / (1 << 20):.0f}" for name in names]
    return "\n".join(
        (f"| {' | '.join(names.values())} |", "|---" * len(names) + "|", f"| {' | '.join(cells)} |")
    )


def times(ratio: float | None) -> str:
    """A ratio with three digits; "-" where nothing was asked."""
    return "-" if ratio is None else f"{float(f'{ratio:.3g}'):g}x"


def number(value: float) -> str:
    """A figure with three digits, or whole."""
    return f"{value:,.0f}" if value >= 100 else f"{float(f'{value:.3g}'):g}"


def with_tables(page: str, record: Record) -> str:
    """The page with the tables of a record."""
    return TABLES.sub(lambda _: written(record), page)
