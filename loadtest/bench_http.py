"""Server CPU time per request, of several servers side by side, under wrk.

Owns the running of wrk and the order of the rounds. Servers run at the same time in one place, and only one
is asked at a time; each round asks all of them, in another order than the round before. `loadtest.samples`
says what the figures mean.
"""

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Final

from gossamer.loadtest.cpu import machine_cpu, processes_us
from gossamer.loadtest.samples import Rounds, Sample
from gossamer.loadtest.servers import Place, Server, ServerError

CONNECTIONS: Final = 64
WARM_UP_SECONDS: Final = 1
CLOSE_HEADER: Final = "Connection: close"

Said = Callable[[str], None]


def wrk_command(port: int, path: str, seconds: int, header: str, cpu: int | None) -> list[str]:
    """The client's command line. One thread of wrk outruns any of these servers."""
    pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *(["-H", header] if header else [])]
    return [*pinned, "wrk", *options, f"http://127.0.0.1:{port}{path}"]


def parse_wrk(output: str) -> tuple[int, int]:
    """Requests answered and errors. Raises: ServerError when that is not output of wrk."""
    done = re.search(r"(\d+) requests in", output)
    if done is None:
        raise ServerError(f"wrk said: {output.strip()[-500:]}")
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = sum(map(int, sockets.groups())) if sockets else 0
    return int(done[1]), errors + (int(refused[1]) if refused else 0)


def run_wrk(place: Place, argv: Sequence[str], seconds: int) -> tuple[int, int]:
    """Run it to its end. Raises: ServerError."""
    done = subprocess.run(
        place.command(argv), capture_output=True, text=True, timeout=seconds + 30, check=False
    )
    return parse_wrk(done.stdout + done.stderr)


def measure(place: Place, server: Server, argv: Sequence[str], seconds: int) -> Sample:
    """One sample: what the worker processes and the machine used while wrk ran. Raises: ServerError."""
    pids = server.worker_pids()
    machine, used, started = machine_cpu(), processes_us(pids), time.monotonic()
    requests, errors = run_wrk(place, argv, seconds)
    elapsed, after, spent = time.monotonic() - started, machine_cpu(), processes_us(pids) - used
    if not requests:
        raise ServerError(f"{server.name} answered no request")
    softirq_us = after.softirq_us - machine.softirq_us
    return Sample(requests, errors, elapsed, spent, after.busy_us - machine.busy_us, softirq_us)


def pin(servers: Sequence[Server]) -> int | None:
    """Keep all servers on one processor and leave another to the client, if there are two; the client's."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return None
    for server in servers:
        for pid in server.worker_pids():
            os.sched_setaffinity(pid, {cpus[0]})
    return cpus[1]


def run_rounds(
    place: Place, servers: Sequence[Server], path: str, rounds: int, seconds: int, header: str, say: Said
) -> Rounds:
    """Ask every server once a round. Raises: ServerError."""
    cpu = pin(servers)
    samples: Rounds = {server.name: [] for server in servers}
    for server in servers:
        run_wrk(place, wrk_command(server.port, path, WARM_UP_SECONDS, header, cpu), WARM_UP_SECONDS)
    for number in range(rounds):
        start = number % len(servers)
        for server in (*servers[start:], *servers[:start]):
            say(f"round {number + 1} of {rounds}: {server.name}{', ' + header if header else ''}")
            argv = wrk_command(server.port, path, seconds, header, cpu)
            samples[server.name].append(measure(place, server, argv, seconds))
    return samples
