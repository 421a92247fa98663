"""How fast the simulator runs on this machine, and how much of that is the TCP itself.

Owns the run that is timed and what is printed of it. That depends on the machine, so it goes to standard
error.
"""

import time
from collections.abc import Iterator
from typing import Final

import msgspec

from gossamer.core.sim.end import Stepper
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.tcp.events import Event
from gossamer.core.tcp.step import Connection, Outcome, step

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
    outcomes: list[Outcome] = []
    plain_s, segments = min(_timed(TIMED) for _ in range(ROUNDS))
    watched_s, _ = min(_timed(TIMED, watches=True) for _ in range(ROUNDS))
    lossy_s, lossy_segments = min(_timed(LOSSY) for _ in range(ROUNDS))
    _timed(TIMED, stepper=_recorder(outcomes))
    rest_s, _ = min(_timed(TIMED, stepper=_player(outcomes)) for _ in range(ROUNDS))
    yield f"{segments:,} segments of a bulk transfer, best of {ROUNDS}, CPU time of one core:"
    yield f"  oracles off         {segments / plain_s:>9,.0f} segments/s"
    yield f"  oracles on          {segments / watched_s:>9,.0f} segments/s"
    yield f"  off, 0.5 % lost     {lossy_segments / lossy_s:>9,.0f} segments/s"
    yield (
        f"  without step()      {segments / rest_s:>9,.0f} segments/s: the TCP itself takes "
        f"{1 - rest_s / plain_s:.0%} of the time"
    )


def _timed(scenario: Scenario, watches: bool = False, stepper: Stepper = step) -> tuple[float, int]:
    run = Simulation(scenario, watches)
    run.stepper = stepper
    begin_s = time.process_time()
    report = run.run()
    return time.process_time() - begin_s, report.segments


def _recorder(outcomes: list[Outcome]) -> Stepper:
    """Steps, and remembers what came of it."""

    def record(connection: Connection, event: Event) -> Outcome:
        outcome = step(connection, event)
        outcomes.append(outcome)
        return outcome

    return record


def _player(outcomes: list[Outcome]) -> Stepper:
    """Gives what came of the same run before: the simulator is alone."""
    remembered = iter(outcomes)
    return lambda _connection, _event: next(remembered)
