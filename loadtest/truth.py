"""Whether the load generator tells the truth: runs against servers of known delays, beside arithmetic.

    make load-truth                    all cases, about four minutes
    python -m gossamer.loadtest.truth stall

Owns the cases, what each percentile must be, and how far from it a figure may lie. The arithmetic knows the
schedule and the delays alone. A case that fails is run again, TRIES_MAX times in all: another process on the
machine makes a server late, which no generator can undo. Where it may, it takes the priority of a real-time
process for all that it starts, so that others disturb it less; of one processor they use half at most. And it
keeps the processors awake (`loadtest.awake`), as the time in which one wakes is not the generator's.

A case is wrong where a figure is, though the machine was quiet; where something disturbed every try of it,
nothing is decided, and it says what that was (`loadtest.quiet`). Exit codes: 0 all are true, 1 one is wrong,
3 one is not decided.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.loadtest.arrivals import arrivals_of
from gossamer.loadtest.awake import processors_awake
from gossamer.loadtest.delays import DELAYS
from gossamer.loadtest.pace import Shape, due_at_us, due_total
from gossamer.loadtest.peers import start_nginx
from gossamer.loadtest.quiet import (
    WORDS,
    Disturbance,
    QuietWatch,
    TrialVerdict,
    of_tries,
    verdict_of,
    wait_until_quiet,
)
from gossamer.loadtest.servers import LocalMachine, Server, ServerError, running
from gossamer.loadtest.summary import PERCENTILES

TRIES_MAX: Final = 6
SHARE: Final = 0.03
FIXED_US: Final = 300
"""A percentile may lie 3 % and 0.3 ms from arithmetic."""
EDGE: Final = 0.002
BEYOND_MIN: Final = 10
"""So many samples must stand above a percentile: fewer are the machine's."""
TIMEOUT_US: Final = SECOND_US
WARM_UP_US: Final = SECOND_US // 2
"""Where the time since the first request says nothing."""
SEED: Final = 1
NGINX_RATE: Final = 2_000
NGINX_P50_US_MAX: Final = 400
NGINX_PORT: Final = 18_473


class KnownRun(msgspec.Struct, frozen=True):
    """One run."""

    delay: str
    rate: float
    connections: int
    duration_us: int
    process: str = "even"
    engines: int = 1

    @property
    def name(self) -> str:
        """As it is printed."""
        how = f", {self.process}" if self.process != "even" else ""
        how += f", {self.engines} processes" if self.engines > 1 else ""
        return f"{self.delay}, {self.rate:g}/s, {self.duration_us / SECOND_US:g} s{how}"

    @property
    def shape(self) -> Shape:
        """Its schedule."""
        return Shape(0, self.duration_us, 1 << 60, arrivals_of(self.process, self.rate, SEED))


CASES: Final = (
    *(KnownRun("constant", rate, 128, 3 * SECOND_US) for rate in (100, 1_000, 5_000)),
    *(
        KnownRun("one-percent", rate, connections, 4 * SECOND_US)
        for rate, connections in ((100, 32), (2_000, 64))
    ),
    *(KnownRun("stall", rate, 400, 5 * SECOND_US) for rate in (100, 300)),
    *(KnownRun("stall", 200, 300, 4 * SECOND_US + tenth * SECOND_US // 10) for tenth in range(1, 10)),
    *(KnownRun("hangs", rate, 128, 3 * SECOND_US) for rate in (100, 500)),
    KnownRun("constant", 1_000, 128, 3 * SECOND_US, "poisson"),
    KnownRun("constant", 1_000, 128, 3 * SECOND_US, "even", 2),
    KnownRun("hangs", 500, 128, 3 * SECOND_US, "poisson", 2),
    KnownRun("stall", 200, 300, 4_500_000, "even", 2),
    KnownRun("stall", 200, 400, 4_500_000, "poisson", 2),
)


def expected_us(case: KnownRun) -> dict[str, tuple[int, int]]:
    """The least and the most that each percentile of the response times may be, by arithmetic; NEVER_US where
    it is that of no answer.

    They differ where a percentile stands on a cliff, as the 99th of which one in a hundred is slow: EDGE of
    the samples to either side. One beyond which there are too few samples is left out.
    """
    shape = case.shape
    delay = DELAYS[case.delay]
    numbers = range(due_total(shape, case.duration_us))
    times = sorted(delay(number, due_at_us(shape, number)) for number in numbers)
    edge = max(1, int(EDGE * len(times)))
    found = {}
    for percent in PERCENTILES:
        rank = max(1, -int(-len(times) * percent // 100))
        if len(times) - rank >= BEYOND_MIN - 1:
            least, most = times[max(0, rank - 1 - edge)], times[min(len(times) - 1, rank - 1 + edge)]
            found[f"p{percent:g}"] = (least, min(most, NEVER_US))
    return found


def faults_of(case: KnownRun, found: dict[str, Any]) -> Iterator[str]:
    """What is not as it must be."""
    unanswered = [found[name] for name in ("failed_total", "timed_out_total", "in_flight_total")]
    total = found["requests_total"] + sum(unanswered) + sum(found["never_sent"].values())
    due = due_total(case.shape, case.duration_us)
    if not total == found["due_total"] == due:
        yield f"{due:,} were due, {found['due_total']:,} are said to, {total:,} have an outcome"
    response = found["response_us"]
    for name, (least_us, most_us) in expected_us(case).items():
        is_at_least = name in response["at_least"]
        too_low = response[name] < (1 - SHARE) * min(least_us, TIMEOUT_US) - FIXED_US
        too_high = response[name] > (1 + SHARE) * most_us + FIXED_US
        if too_low or too_high or (is_at_least and most_us < NEVER_US):
            yield f"{name} {'>= ' if is_at_least else ''}{response[name]} us; truth: {least_us} to {most_us}"


def load(
    url: str, rate: float, connections: int, duration_us: int, process: str = "even", engines: int = 1
) -> dict[str, Any]:
    """What `gossamer load --json` says. Raises: ServerError."""
    argv = [sys.executable, "-c", "from gossamer.cli.main import main; main()", "load", url, "--json"]
    argv += ["--rate", f"{rate:g}", "-c", str(connections), "-d", f"{duration_us}us"]
    argv += ["--arrivals", process, "--seed", str(SEED), "--processes", str(engines)]
    argv += ["--timeout", f"{TIMEOUT_US}us" if "hangs" in url else "30s"]
    argv += ["--warm-up", "0s" if "stall" in url else f"{WARM_UP_US}us"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise ServerError(f"gossamer load ended with {done.returncode}: {done.stderr}") from None
    return found


def against(case: KnownRun) -> tuple[dict[str, Any], Disturbance]:
    """One run of a case, with a server of its own, and what disturbed it."""
    argv = [sys.executable, "-P", "-m", "gossamer.loadtest.delays", case.delay]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/{case.delay}"
            watched = QuietWatch(server.pid)
            found = load(url, case.rate, case.connections, case.duration_us, case.process, case.engines)
            disturbance = watched.over(found["busy_share"] - found["cpu_share"])
        finally:
            server.stdin.close()
        said = json.loads(server.stdout.readline())
    return found, msgspec.structs.replace(disturbance, late=said["late"] / max(1, said["answers"]))


class Tried(msgspec.Struct, frozen=True):
    """One try of a case."""

    shown: str
    faults: list[str]
    disturbance: Disturbance


def judged(name: str, attempt: Callable[[], Tried]) -> TrialVerdict:
    """Try a case, and print how it went."""
    verdicts: list[TrialVerdict] = []
    while len(verdicts) < TRIES_MAX and TrialVerdict.TRUE not in verdicts:
        if verdicts:
            wait_until_quiet()
        found = attempt()
        verdicts.append(verdict_of(found.disturbance, is_met=not found.faults))
        print(f"{verdicts[-1]:<5} {name}: {found.shown}", flush=True)
        for fault in (*found.faults, *found.disturbance.said()) if found.faults else ():
            print(f"      {fault} (try {len(verdicts)})", flush=True)
    return of_tries(verdicts)


def tried(case: KnownRun) -> Tried:
    """One try against a server of known delays."""
    found, disturbance = against(case)
    response = {name: found["response_us"][name] for name in expected_us(case)}
    return Tried(str(response), list(faults_of(case, found)), disturbance)


def tried_on_nginx(nginx: Server) -> Tried:
    """One try at a rate that nginx does not notice: the median must not be ours."""
    watched = QuietWatch(nginx.worker_pids()[0])
    found = load(f"http://127.0.0.1:{nginx.port}/index.html", NGINX_RATE, 32, 3 * SECOND_US)
    disturbance = watched.over(found["busy_share"] - found["cpu_share"])
    p50_us = found["response_us"]["p50"]
    faults = [f"p50 {p50_us} us; at most {NGINX_P50_US_MAX}"] if p50_us > NGINX_P50_US_MAX else []
    return Tried(f"p50 {p50_us} us", faults, disturbance)


def nginx_judged() -> TrialVerdict:
    """The case of nginx, with one of its own. Raises: OSError, ServerError."""
    with tempfile.TemporaryDirectory() as name:
        site, folder = Path(name, "site"), Path(name, "nginx")
        site.mkdir()
        (site / "index.html").write_bytes(b"x" * 1024)
        with running(start_nginx(LocalMachine(), site, folder, port=NGINX_PORT)) as nginx:
            return judged(f"nginx, {NGINX_RATE}/s", lambda: tried_on_nginx(nginx))


def exit_code(verdicts: list[TrialVerdict]) -> int:
    """How the command ends."""
    if TrialVerdict.WRONG in verdicts:
        return 1
    return 3 if TrialVerdict.BUSY in verdicts else 0


def all_judged(wanted: list[str]) -> list[TrialVerdict]:
    """The cases whose delay is named, or every one."""
    cases = [case for case in CASES if not wanted or case.delay in wanted]
    verdicts = [judged(case.name, partial(tried, case)) for case in cases]
    if not wanted or "nginx" in wanted:
        try:
            verdicts.append(nginx_judged())
        except (OSError, ServerError) as error:
            print(f"nginx: not run, {error}")
    return verdicts


def main() -> None:
    """Every case, or those whose delay is named."""
    wanted = sys.argv[1:]
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    with processors_awake() as why_not:
        if why_not:
            print(f"processors may rest, and the time in which they wake is counted: {why_not}", flush=True)
        verdicts = all_judged(wanted)
    counts = ", ".join(f"{verdicts.count(each)} {WORDS[each]}" for each in TrialVerdict)
    print(f"{len(verdicts)} cases: {counts}")
    raise SystemExit(exit_code(verdicts))


if __name__ == "__main__":
    main()
