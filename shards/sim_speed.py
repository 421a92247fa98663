"""How fast the simulator runs on this machine, and how much of that is the TCP itself.

Owns the run that is timed and what is told of it. What it prints depends on the machine: it goes to standard
error.
"""

import time
from collections.abc import Iterator
from typing import Final

import msgspec
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import Event
from gossamer.core.tcp.step import Connection, step

TIMED: Final = Scenario(
    congestion=("newreno",),
    transfer_bytes=30 << 20,
    rate_bps=100_000_000,
    delay_us=10_000,
    buffer_bytes=400_000,
)
"""A bulk transfer without loss: data one way, an ACK for two segments the other."""

LOSSY: Final = msgspec.structs.replace(TIMED, transfer_bytes=10 << 20, loss=0.005)
ROUNDS: Final = 3


def speed_lines() -> Iterator[str]:
    """Segments a second without the oracles, with them, with losses; and the share of `step`."""
    plain_s, segments = min(_timed(TIMED, False) for _ in range(ROUNDS))
    watched_s, _ = min(_timed(TIMED, True) for _ in range(ROUNDS))
    lossy_s, lossy_segments = min(_timed(LOSSY, False) for _ in range(ROUNDS))
    steps_s = min(_steps_s(*_recorded(TIMED)) for _ in range(ROUNDS))
    yield f"{segments:,} segments of a bulk transfer, best of {ROUNDS}, CPU time of one core:"
    yield f"  oracles off         {segments / plain_s:>9,.0f} segments/s"
    yield f"  oracles on          {segments / watched_s:>9,.0f} segments/s"
    yield f"  off, 0.5 % lost     {lossy_segments / lossy_s:>9,.0f} segments/s"
    yield f"  step() alone        {segments / steps_s:>9,.0f} segments/s: {steps_s / plain_s:.0%} of the time"


def _timed(scenario: Scenario, watches: bool) -> tuple[float, int]:
    run = Simulation(scenario, watches)
    begin_s = time.process_time()
    report = run.run()
    return time.process_time() - begin_s, report.segments


def _recorded(scenario: Scenario) -> tuple[list[Connection], list[Event]]:
    """Every step of a run, so that it can be taken again without the simulator around it."""
    befores: list[Connection] = []
    events: list[Event] = []

    def record(before: Connection, event: Event, _after: Connection | None, _actions: Actions) -> None:
        befores.append(before)
        events.append(event)

    run = Simulation(scenario, watches=False)
    run.observer = record
    run.run()
    return befores, events


def _steps_s(befores: list[Connection], events: list[Event]) -> float:
    begin_s = time.process_time()
    for before, event in zip(befores, events, strict=True):
        step(before, event)
    return time.process_time() - begin_s
