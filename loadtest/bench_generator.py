"""What a request costs the load generator, in CPU, beside wrk on the same nginx: pairs in one run.

    python -m gossamer.loadtest.bench_generator [PAIRS]

Owns the rows, and what each may cost at most. CPU time of the whole process is counted, less what it takes to
start; rates are not compared, since the server is at the limit of its own processor.
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from gossamer.loadtest.peers import start_nginx
from gossamer.loadtest.servers import LocalMachine, running

PORT: Final = 18_474
CONNECTIONS: Final = 64
SECONDS: Final = 2
PAIRS: Final = 5
COMMAND: Final = (sys.executable, "-P", "-c", "from gossamer.cli.main import main; main()", "load")
DONE: Final = re.compile(r"([0-9]+) requests in")


class PowerRow(msgspec.Struct, frozen=True):
    """A kind of requests, and how many times wrk's CPU one may cost."""

    name: str
    path: str
    most: float
    for_wrk: tuple[str, ...] = ()
    for_ours: tuple[str, ...] = ()


ROWS: Final = (
    PowerRow("keep-alive, 1 KiB", "small", 1.75),
    PowerRow("keep-alive, 64 KiB", "large", 2.0),
    PowerRow("a connection each", "small", 2.0, ("-H", "Connection: close"), ("--no-keepalive",)),
)


def spent(argv: list[str]) -> tuple[float, str]:
    """The CPU seconds of a command, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def of_wrk(url: str, row: PowerRow) -> float:
    """Seconds a request."""
    cpu, said = spent(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *row.for_wrk, url])
    found = DONE.search(said)
    assert found is not None, said
    return cpu / int(found[1])


def of_ours(url: str, row: PowerRow) -> float:
    """The same of `gossamer load`."""
    start, _ = spent([*COMMAND, url, "-n", "1", "-c", "1", "--json"])
    cpu, said = spent([*COMMAND, url, "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--json", *row.for_ours])
    return (cpu - start) / int(json.loads(said)["requests_total"])


def measured(url: str, row: PowerRow, pairs: int) -> float:
    """The median ratio of pairs, printed with the least and the greatest."""
    ratios = sorted(of_ours(url + row.path, row) / of_wrk(url + row.path, row) for _ in range(pairs))
    found = median(ratios)
    verdict = "met" if found <= row.most else "MISSED"
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    print(f"{row.name:<20} {found:.2f}x wrk ({spread}); at most {row.most}x: {verdict}", flush=True)
    return found


def main() -> None:
    """All rows."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    with tempfile.TemporaryDirectory() as name:
        site, folder = Path(name, "site"), Path(name, "nginx")
        site.mkdir()
        for file, size in (("small", 1 << 10), ("large", 1 << 16)):
            (site / file).write_bytes(b"x" * size)
        with running(start_nginx(LocalMachine(), site, folder, port=PORT)) as nginx:
            for row in ROWS:
                measured(f"http://127.0.0.1:{nginx.port}/", row, pairs)


if __name__ == "__main__":
    main()
