"""One sample: what a server's process tree, the client and the machine used while the client ran.

Owns the order of reading, and where the client runs: in its place, on a processor of its own where there are
two. A server's CPU time is the scheduler's sum of every task of its tree, supervisor and all; the client's
that of the finished child. On a link of two namespaces what the kernel's TCP does for a receiver in softirq
is charged to who sends: so the sum of both stands beside.
"""

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gossamer.loadtest.cpu import forget_peak, machine_cpu, peak_rss_bytes, processes_ns, tree
from gossamer.loadtest.servers import Place, Server, ServerError

PATIENCE_S: Final = 30
"""How much longer than it was told a client may take."""


class Usage(msgspec.Struct, frozen=True):
    """What one run of a client cost, and what it printed."""

    output: str
    seconds: float
    server_ns: int
    client_ns: int
    machine_us: int
    peak_rss_bytes: int


def processors() -> tuple[int, int]:
    """One for servers and one for clients; the same where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 % len(allowed)]


@contextlib.contextmanager
def on_processor(number: int) -> Iterator[None]:
    """What the calling thread starts runs there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {number})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(client: Place, server: Server, argv: Sequence[str], seconds: float) -> Usage:
    """Run the client to its end, beside the server. Raises: ServerError, OSError."""
    pids = tree(server.process.pid)
    for pid in pids:
        forget_peak(pid)
    machine, server_ns, client_ns = machine_cpu(), processes_ns(pids), children_ns()
    started_s = time.monotonic()
    output = run_client(client, argv, seconds)
    elapsed_s = time.monotonic() - started_s
    return Usage(
        output,
        elapsed_s,
        processes_ns(pids) - server_ns,
        children_ns() - client_ns,
        machine_cpu().busy_us - machine.busy_us,
        sum(map(peak_rss_bytes, pids)),
    )


def run_client(client: Place, argv: Sequence[str], seconds: float) -> str:
    """Run it to its end in its place; what it said. Raises: ServerError."""
    try:
        with client.entered(), on_processor(processors()[1]):
            done = subprocess.run(
                argv, capture_output=True, text=True, timeout=seconds + PATIENCE_S, check=False
            )
    except subprocess.TimeoutExpired as error:
        raise ServerError(f"{argv[0]} did not end within {error.timeout:.0f} s") from error
    return done.stdout + done.stderr


def children_ns() -> int:
    """CPU time of all children that have ended. Units: the kernel counts microseconds of them."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((spent.ru_utime + spent.ru_stime) * 1e9)
