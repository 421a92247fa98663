"""What the load generator can do, each figure beside one of the same run: what a request costs it beside wrk,
on the functional TCP beside kernel sockets, two engines beside one, Locust with our engines beside Locust's.

    python -m gossamer.loadtest.bench_generator [PAIRS]

Owns the rows, and what each must be. CPU time of the whole process is counted, less what it takes to start;
rates are compared only where both sides have the same processors. All are of one nginx, of which two engines
meet two workers: each pair of them has a processor of its own, as one engine and its worker have one.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import msgspec

from gossamer.loadtest.peers import start_nginx
from gossamer.loadtest.servers import LocalMachine, Server, running

PORT: Final = 18_474
CONNECTIONS: Final = 64
SECONDS: Final = 2
LOCUST_SECONDS: Final = 8
PAIRS: Final = 5
COMMAND: Final = (sys.executable, "-P", "-c", "from gossamer.cli.main import main; main()", "load")
LOCUST: Final = str(Path(sys.executable).with_name("locust"))
DONE: Final = re.compile(r"([0-9]+) requests in")
CLOSING: Final = ("-H", "Connection: close")
EXIT_MISSED: Final = 1

Ratio = Callable[[Server, str], float]
"""One measurement of each side, on nginx at an address: what ours is over the other's."""


class PowerRow(msgspec.Struct, frozen=True):
    """A figure of ours over another's, and what it must be."""

    name: str
    beside: str
    must: float
    ratio: Ratio
    at_least: bool = False
    """It is a rate; else it is a cost, and `must` the most."""
    pairs_max: int = PAIRS * 4

    def is_met(self, found: float) -> bool:
        """Whether it is as it must be."""
        return found >= self.must if self.at_least else found <= self.must


def spent(argv: list[str]) -> tuple[float, str]:
    """The CPU seconds of a command, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def of_wrk(url: str, *how: str) -> float:
    """Seconds a request."""
    cpu, said = spent(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *how, url])
    found = DONE.search(said)
    assert found is not None, said
    return cpu / int(found[1])


def of_ours(url: str, *how: str) -> float:
    """The same of `gossamer load`."""
    start, _ = spent([*COMMAND, url, "-n", "1", "-c", "1", "--json", *how])
    cpu, said = spent([*COMMAND, url, "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--json", *how])
    return (cpu - start) / int(json.loads(said)["requests_total"])


def beside_wrk(file: str, ours: tuple[str, ...], wrk: tuple[str, ...], _nginx: Server, url: str) -> float:
    """CPU a request."""
    return of_ours(url + file, *ours) / of_wrk(url + file, *wrk)


def beside_kernel_sockets(_nginx: Server, url: str) -> float:
    """CPU a request."""
    return of_ours(f"{url}small", "--stack", "nfqueue") / of_ours(f"{url}small", "--stack", "kernel")


def rate_of_engines(url: str, cpus: str, engines: int) -> float:
    """Requests a second, on these processors alone."""
    argv = ["taskset", "-c", cpus, *COMMAND, url, "-c", str(CONNECTIONS * 2), "-d", f"{SECONDS}s", "--json"]
    _, said = spent([*argv, "--processes", str(engines)])
    return float(json.loads(said)["requests_per_second"])


def beside_one_engine(nginx: Server, url: str) -> float:
    """Requests a second of two processors over one's."""
    first, second = sorted(os.sched_getaffinity(0))[:2]
    workers = nginx.worker_pids()[:2]
    place(workers, [first, first])
    one = rate_of_engines(f"{url}small", str(first), 1)
    place(workers, [first, second])
    two = rate_of_engines(f"{url}small", f"{first},{second}", 2)
    for pid in workers:
        os.sched_setaffinity(pid, os.sched_getaffinity(0))
    return two / one


def place(pids: list[int], cpus: list[int]) -> None:
    """Have each process run on one processor."""
    for pid, cpu in zip(pids, cpus, strict=True):
        os.sched_setaffinity(pid, {cpu})


def rate_of_locust(file: str, users: int, url: str) -> float:
    """Requests a second in Locust's own table, of a master and two workers."""
    with tempfile.TemporaryDirectory() as name:
        argv = ["env", "GOSSAMER_LOAD_PATH=/small", LOCUST, "-f", str(Path(__file__).with_name(file))]
        argv += ["--host", url.rstrip("/"), "--headless", "-u", str(users), "-r", str(users)]
        argv += [
            "-t",
            f"{LOCUST_SECONDS}s",
            "--processes",
            "2",
            "--only-summary",
            "--json-file",
            f"{name}/found",
        ]
        spent(argv)
        found: list[dict[str, Any]] = json.loads(Path(name, "found.json").read_text())
    assert not any(entry["num_failures"] for entry in found), found
    return sum(float(entry["num_requests"]) for entry in found) / LOCUST_SECONDS


def beside_fast_http_user(_nginx: Server, url: str) -> float:
    """Requests a second that Locust counts."""
    return rate_of_locust("engineuser.py", 2, url) / rate_of_locust("locust_onefile.py", 100, url)


ROWS: Final = (
    PowerRow("keep-alive, 1 KiB", "wrk", 1.75, partial(beside_wrk, "small", (), ())),
    PowerRow("keep-alive, 64 KiB", "wrk", 2.0, partial(beside_wrk, "large", (), ())),
    PowerRow("a connection each", "wrk", 2.0, partial(beside_wrk, "small", ("--no-keepalive",), CLOSING)),
    PowerRow("functional TCP", "kernel sockets", 1.2, beside_kernel_sockets),
    PowerRow("two engines, rate", "one", 1.8, beside_one_engine, at_least=True),
    PowerRow("EngineUser, rate", "FastHttpUser", 3.0, beside_fast_http_user, at_least=True, pairs_max=2),
)


def measured(nginx: Server, url: str, row: PowerRow, pairs: int) -> bool:
    """The median ratio of pairs, printed with the least and the greatest; whether it is as it must be."""
    ratios = sorted(row.ratio(nginx, url) for _ in range(min(pairs, row.pairs_max)))
    found = median(ratios)
    verdict = "met" if row.is_met(found) else "MISSED"
    bound = f"{'at least' if row.at_least else 'at most'} {row.must}x"
    print(
        f"{row.name:<20} {found:.2f}x {row.beside} ({ratios[0]:.2f} to {ratios[-1]:.2f}); {bound}: {verdict}",
        flush=True,
    )
    return row.is_met(found)


def main() -> None:
    """All rows; exit code 1 where one is not as it must be."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    with tempfile.TemporaryDirectory() as name:
        site, folder = Path(name, "site"), Path(name, "nginx")
        site.mkdir()
        for file, size in (("small", 1 << 10), ("large", 1 << 16)):
            (site / file).write_bytes(b"x" * size)
        with running(start_nginx(LocalMachine(), site, folder, workers=2, port=PORT)) as nginx:
            url = f"http://127.0.0.1:{nginx.port}/"
            verdicts = [measured(nginx, url, row, pairs) for row in ROWS]
    raise SystemExit(0 if all(verdicts) else EXIT_MISSED)


if __name__ == "__main__":
    main()
