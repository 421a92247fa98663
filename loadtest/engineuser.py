"""A user for Locust that is a whole engine: `gossamer load` in a process of its own, in Locust's own table.

    locust -f loadtest/engineuser.py --host http://127.0.0.1:8080 --headless -u 1 -t 30s
    locust -f loadtest/engineuser.py --host http://127.0.0.1:8080 --headless -u 2 -t 30s --processes 2

Take one user a worker (-u): each asks for its part of GOSSAMER_LOAD_RATE, a rate or phases; without it, as
fast as it is answered. GOSSAMER_LOAD_PATH names the path, GOSSAMER_LOAD_OPTIONS further flags.

Or GOSSAMER_LOAD_SHAPE=stages.py:Stages names a `LoadTestShape`, whose users are requests a second then;
Locust has one engine on each worker.

Owns how an engine is started and ended, and how its seconds become Locust's. Locust stays what distributes,
shows and reports.

Source: Locust's `StatsEntry.extend`, by which a master adds up what its workers report.
"""

import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from locust import LoadTestShape, User, task
from locust.exception import StopUser
from locust.stats import RequestStats, StatsEntry, StatsError

from gossamer.core.errors import what_failed
from gossamer.loadtest.histogram import bucket_top_us
from gossamer.loadtest.shaped import phases_of, rates_of

FOREVER: Final = "24h"
"""Locust says when a run ends."""
COMMAND: Final = (sys.executable, "-P", "-c", "from gossamer.cli.main import main; main()", "load")
END_SECONDS: Final = 10.0
SHAPE: Final = os.environ.get("GOSSAMER_LOAD_SHAPE", "")
SHAPE_END_SECONDS: Final = 60.0
"""Engines that have not ended so long after the last phase are ended."""


class EngineShape(LoadTestShape):
    """One engine on each worker, all together at the rates of a shape."""

    abstract = True
    rates: ClassVar[type[LoadTestShape]]
    """Its users are requests a second; it looks at the time alone."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        try:
            self.seconds = rates_of(self.rates())
            self.course = phases_of(self.seconds)
        except ValueError as error:
            raise SystemExit(f"gossamer: GOSSAMER_LOAD_SHAPE: {error}") from None
        """As `gossamer load --rate` reads it."""

    def tick(self) -> tuple[int, float] | None:
        """As many engines as workers, until they have ended."""
        runner = self.runner
        assert runner is not None
        over_s = self.get_run_time() - len(self.seconds)  # type: ignore[no-untyped-call]
        has_ended = over_s > 0 and not runner.user_count
        if has_ended or over_s > SHAPE_END_SECONDS:
            return None
        engines = workers_of(runner.environment)
        return engines, float(engines)


def shape_named(text: str) -> type[LoadTestShape]:
    """The class of FILE:CLASS. Raises: SystemExit, in one line."""
    path, _, name = text.rpartition(":")
    try:
        found = runpy.run_path(path).get(name) if path else None
    except OSError as error:
        raise SystemExit(f"gossamer: GOSSAMER_LOAD_SHAPE: {what_failed(error)}") from None
    if not (isinstance(found, type) and issubclass(found, LoadTestShape)):
        raise SystemExit(
            f"gossamer: GOSSAMER_LOAD_SHAPE: found {text!r}; allowed: FILE:CLASS of a LoadTestShape"
        )
    return found


if SHAPE:

    class NamedShape(EngineShape):
        """That of GOSSAMER_LOAD_SHAPE."""

        rates = shape_named(SHAPE)


def workers_of(environment: Any) -> int:
    """How many workers share a run: those that the master waits for."""
    return max(1, getattr(environment.parsed_options, "expect_workers", None) or 1)


class EngineUser(User):
    """One engine. A subclass may set what the environment sets."""

    path: ClassVar[str] = os.environ.get("GOSSAMER_LOAD_PATH", "/")
    rate: ClassVar[str] = os.environ.get("GOSSAMER_LOAD_RATE", "")
    options: ClassVar[tuple[str, ...]] = tuple(shlex.split(os.environ.get("GOSSAMER_LOAD_OPTIONS", "")))
    engine: "subprocess.Popen[bytes] | None" = None
    is_ending: bool = False

    @task
    def load(self) -> None:
        """Have the engine run to its end, or to Locust's."""
        argv = engine_argv(f"{self.host}{self.path}", self._own_rate(), self.options)
        self.engine = subprocess.Popen(argv, stdout=subprocess.PIPE)
        self._take(self.engine)
        if self.engine.wait() not in (0, 1):
            self.environment.runner.quit()
        raise StopUser

    def _own_rate(self) -> str:
        """This engine's part of the rate of all."""
        shape = self.environment.shape_class
        if isinstance(shape, EngineShape):
            return part_of(shape.course, workers_of(self.environment))
        return part_of(self.rate, getattr(self.environment.parsed_options, "num_users", None) or 1)

    def on_stop(self) -> None:
        """End the engine, and take what it still says."""
        engine = self.engine
        if engine is None or engine.poll() is not None:
            return
        self.is_ending = True
        engine.send_signal(signal.SIGINT)
        self._take(engine)
        try:
            engine.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            engine.kill()

    def _take(self, engine: "subprocess.Popen[bytes]") -> None:
        assert engine.stdout is not None
        for line in engine.stdout:
            found = json.loads(line)
            if self.is_ending:
                found |= {"unanswered": 0, "floors": []}  # what we have ended ourselves has not failed
            if "schema" not in found:  # the last line is the whole result, of which all is counted already
                count(self.environment.stats, self.path, found, time.time())


def engine_argv(url: str, rate: str, options: tuple[str, ...]) -> list[str]:
    """The command of an engine: a line of JSON a second, and one at the end."""
    argv = [*COMMAND, url, "--json", "--intervals", "/dev/stdout", *options]
    argv += ["--rate", rate] if rate else []
    return argv if ":" in rate else [*argv, "-d", FOREVER]


def part_of(rate: str, users: int) -> str:
    """A rate, or the rates of phases, by a number of engines."""
    if not rate:
        return ""
    phases = [phase.partition(":") for phase in rate.split(",")]
    return ",".join(
        "-".join(f"{float(each) / users:.10g}" for each in rates.split("-")) + colon + duration
        for rates, colon, duration in phases
    )


def count(stats: RequestStats, name: str, interval: dict[str, Any], now: float) -> None:
    """Add the second of an engine to Locust's table."""
    entry = entry_of(stats, name, interval, now)
    stats.get(name, "GET").extend(entry)
    stats.total.extend(entry)
    if entry.num_failures:
        error = "failed, timed out, or wrong: gossamer load says which"
        key = StatsError.create_key("GET", name, error)
        noted = stats.errors.setdefault(key, StatsError("GET", name, error))
        noted.occurrences += entry.num_failures


def entry_of(stats: RequestStats, name: str, interval: dict[str, Any], now: float) -> StatsEntry:
    """A second of an engine as Locust has it."""
    entry = StatsEntry(stats, name, "GET")
    for ms, number in times_of(interval):
        entry.response_times[rounded(ms)] += number
        entry.total_response_time += ms * number
        entry.min_response_time = ms if entry.min_response_time is None else min(entry.min_response_time, ms)
        entry.max_response_time = max(entry.max_response_time, ms)
    entry.num_requests = interval["answered"] + interval["unanswered"]
    entry.num_failures = min(entry.num_requests, max(interval["errors"], interval["unanswered"]))
    entry.num_reqs_per_sec[int(now)] = entry.num_requests
    entry.num_fail_per_sec[int(now)] = entry.num_failures
    entry.last_request_timestamp = now
    return entry


def times_of(interval: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Milliseconds, and how many took them."""
    for sparse in (interval["counts"], interval["floors"]):
        for bucket, number in zip(sparse[::2], sparse[1::2], strict=True):
            yield round(bucket_top_us(bucket) / 1000), number


def rounded(ms: int) -> int:
    """As Locust rounds, so that its table has few keys."""
    digits = 0 if ms < 100 else -1 if ms < 1_000 else -2 if ms < 10_000 else -3
    return round(ms, digits)
