"""`python -m gossamer.loadtest.bench`: our server beside its peers, as CPU time per unit of work.

    1. keep-alive GET of a cached file of 1 KiB      ours on both stacks, nginx, uvicorn
    2. the same with a new connection per request    ours on both stacks, nginx
    3. a million threads blocked in a system call    bytes a thread
    4. idle keep-alive connections, functional TCP   bytes a connection

Owns the order of it all, the targets, and the result file. `loadtest.samples`, `loadtest.bench_http`,
`loadtest.bench_idle` and `loadtest.bench_threads` describe how each figure is made.
"""

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console

from gossamer.loadtest import bench_report, namespaces
from gossamer.loadtest.bench_http import CLOSE_HEADER, Said, run_rounds
from gossamer.loadtest.bench_idle import connections_possible, measure_idle
from gossamer.loadtest.namespaces import Namespace, NamespaceError
from gossamer.loadtest.peers import nginx_binary, start_nginx, start_uvicorn
from gossamer.loadtest.samples import Rounds, Threshold, median_ratio, summary
from gossamer.loadtest.servers import LocalMachine, Place, Server, ServerError, start_gossamer
from gossamer.shards.machine import find_nfqueue_obstacle

BODY_BYTES: Final = 1024
FILE: Final = "/one.bin"
NFQUEUE: Final = "gossamer nfqueue"
KERNEL: Final = "gossamer kernel"
NGINX: Final = "nginx"
UVICORN: Final = "uvicorn"
PORTS: Final = {NFQUEUE: 7901, KERNEL: 7902, NGINX: 7903, UVICORN: 7904}
RESULTS: Final = Path("bench-results")
THREADS_TIMEOUT_S: Final = 300
TABLE_WIDTH: Final = 132

KEEP_ALIVE: Final = "keep-alive"
NEW_CONNECTION: Final = "new connection per request"
LIMITS: Final = (
    (KEEP_ALIVE, NFQUEUE, KERNEL, 1.5),
    (KEEP_ALIVE, KERNEL, NGINX, 1.5),
    (KEEP_ALIVE, KERNEL, UVICORN, 0.5),
    (NEW_CONNECTION, NFQUEUE, KERNEL, 2.0),
)
"""Which cost may be how many times which other."""
THREAD_BYTES_MAX: Final = 600
IDLE_BYTES_MAX: Final = 2048


class Size(msgspec.Struct, frozen=True):
    """How long a run is."""

    rounds: int
    seconds: int
    threads: int
    idle: int


FULL: Final = Size(rounds=5, seconds=3, threads=1_000_000, idle=5_000)
QUICK: Final = Size(rounds=2, seconds=1, threads=200_000, idle=1_000)


class Bench:
    """One run: where, how long, and what was found."""

    def __init__(self, place: Place, folder: Path, size: Size, say: Said) -> None:
        self.place = place
        self.folder = folder
        self.size = size
        self.say = say
        self.notes: list[str] = []
        self.rounds: dict[str, Rounds] = {}
        self.targets: list[Threshold] = []

    def start_servers(self, stack: contextlib.ExitStack) -> list[Server]:
        """All servers that this machine and user can run; what is missing is noted."""
        site, work = self.folder / "site", self.folder
        starts: dict[str, Callable[[], Server]] = {
            NFQUEUE: lambda: self.start_ours("nfqueue", PORTS[NFQUEUE]),
            KERNEL: lambda: self.start_ours("kernel", PORTS[KERNEL]),
            NGINX: lambda: start_nginx(self.place, site, work / "nginx", port=PORTS[NGINX], user=own_name()),
            UVICORN: lambda: start_uvicorn(self.place, work / "uvicorn.log", port=PORTS[UVICORN]),
        }
        servers = []
        for name, start in starts.items():
            if reason := self.why_not(name):
                self.notes.append(f"{name}: not run, {reason}")
                continue
            server = start()
            stack.callback(server.close)
            server.name = name
            servers.append(server)
        return servers

    def why_not(self, name: str) -> str:
        """Why a server cannot run here; empty when it can."""
        if name == NFQUEUE and not isinstance(self.place, Namespace):
            return "no namespace can be made here"
        if name == NFQUEUE and (obstacle := find_nfqueue_obstacle()):
            return obstacle
        if name == NGINX and nginx_binary() is None:
            return "nginx is not installed"
        return ""

    def start_ours(self, kind: str, port: int) -> Server:
        """Our server with one worker."""
        options = ("--timeout-keep-alive", "300s", "--limit-concurrency", "20000")
        run_dir = self.folder / f"run-{kind}"
        return start_gossamer(
            self.place, self.folder / "site", run_dir, *options, stack=kind, workers=1, port=port
        )

    def http(self, servers: Sequence[Server]) -> None:
        """Figures 1 and 2."""
        for what, header in ((KEEP_ALIVE, ""), (NEW_CONNECTION, CLOSE_HEADER)):
            asked = [s for s in servers if what == KEEP_ALIVE or s.name != UVICORN]
            size = self.size
            found = run_rounds(self.place, asked, FILE, size.rounds, size.seconds, header, self.say)
            self.rounds[what] = found
            for case, above, below, limit in LIMITS:
                if case == what and above in found and below in found:
                    name = f"{what}: {above} / {below}"
                    made_by = "median ratio of worker CPU per request, pairs of one round"
                    ratio = median_ratio(found, above, below)
                    self.targets.append(Threshold(name, round(ratio, 3), limit, "x", made_by))

    def idle(self, servers: Sequence[Server]) -> None:
        """Figure 4."""
        ours = next((server for server in servers if server.name == NFQUEUE), None)
        if ours is None or not isinstance(self.place, Namespace):
            return
        count = connections_possible(self.size.idle)
        self.say(f"{count} idle connections")
        found = measure_idle(self.place.entered, ours, FILE, count)
        made_by = f"growth of the worker's RSS by {count} idle connections, one request on each"
        name = "idle connection on the functional TCP"
        self.targets.append(Threshold(name, round(found), IDLE_BYTES_MAX, "bytes", made_by))

    def threads(self) -> None:
        """Figure 3, in a process of its own."""
        count = self.size.threads
        self.say(f"{count:,} blocked threads")
        command = [sys.executable, "-P", "-m", "gossamer.loadtest.bench_threads"]
        argv = [*command, "--count", str(count), "--json"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=THREADS_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise ServerError(f"bench_threads: {done.stderr.strip()[-500:]}")
        found = json.loads(done.stdout)
        made_by = f"growth of RSS by {found['count']:,} threads blocked in a system call"
        each = round(found["bytes_per_thread"])
        self.targets.append(Threshold("blocked thread", each, THREAD_BYTES_MAX, "bytes", made_by))

    def result(self) -> dict[str, Any]:
        """Everything that was found."""
        return {
            "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "python": platform.python_version(),
            "kernel": platform.release(),
            "cpus": os.cpu_count(),
            "size": msgspec.structs.asdict(self.size),
            "http": {
                what: {name: summary(samples) for name, samples in found.items()}
                for what, found in self.rounds.items()
            },
            "http_rounds_cpu_us": {
                what: {
                    name: [round(sample.cost_us, 3) for sample in samples] for name, samples in found.items()
                }
                for what, found in self.rounds.items()
            },
            "targets": [{**msgspec.structs.asdict(t), "is_met": t.is_met} for t in self.targets],
            "notes": self.notes,
        }


def own_name() -> str:
    """The user that nginx's workers become (nginx minds it only when it is started by root)."""
    return "root" if os.geteuid() == 0 else "nobody"


@contextlib.contextmanager
def a_place(say: Said) -> Iterator[Place]:
    """A namespace of its own for root; the machine itself for anybody else."""
    if reason := namespaces.missing_requirement():
        say(f"on the machine's own loopback: a namespace {reason}")
        yield LocalMachine()
        return
    namespaces.remove_stale()
    with namespaces.namespace() as space:
        yield space


def write_site(folder: Path) -> None:
    """The one file that is asked for."""
    site = folder / "site"
    site.mkdir()
    (site / FILE.strip("/")).write_bytes(b"g" * BODY_BYTES)
    for path in (folder, site):
        path.chmod(0o755)


def write_result(result: dict[str, Any]) -> Path:
    """Keep the result; where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{result['made_at'].replace(':', '')}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    return path


def run_bench(size: Size, say: Said) -> dict[str, Any]:
    """All four figures; progress goes to `say`. Raises: ServerError, NamespaceError, OSError."""
    with (
        tempfile.TemporaryDirectory(prefix="gossamer-bench-") as folder,
        a_place(say) as place,
        contextlib.ExitStack() as stack,
    ):
        write_site(Path(folder))
        bench = Bench(place, Path(folder), size, say)
        servers = bench.start_servers(stack)
        bench.http(servers)
        bench.idle(servers)
        bench.threads()
        return bench.result()


@click.command()
@click.option("--quick", is_flag=True, help="Short runs: a look, not a figure to quote.")
@click.option("--rounds", type=click.IntRange(1, 99), help="Rounds of each HTTP benchmark.")
@click.option("--seconds", type=click.IntRange(1, 60), help="Length of one sample.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def main(quick: bool, rounds: int | None, seconds: int | None, as_json: bool) -> None:
    """Measure CPU time per request and memory per connection beside nginx and uvicorn, in one run."""
    size = QUICK if quick else FULL
    size = msgspec.structs.replace(size, rounds=rounds or size.rounds, seconds=seconds or size.seconds)
    console = Console(stderr=True)
    try:
        result = run_bench(size, lambda text: console.print(f"[dim]{text}[/dim]"))
    except (ServerError, NamespaceError, OSError) as error:
        raise click.ClickException(str(error)) from error
    path = write_result(result)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        bench_report.show(result, Console(width=max(TABLE_WIDTH, Console().width)))
    console.print(f"[dim]written to {path}[/dim]")


if __name__ == "__main__":
    main()
