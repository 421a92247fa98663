"""How fast the simulator runs on this machine, and how much of that is the TCP itself.

Owns what is printed of it; `loadtest.experiments.simulator` owns the runs that are timed. It depends on the
machine, so it goes to standard error.
"""

from collections.abc import Iterator
from typing import Final

from gossamer.core.sim.end import Stepper
from gossamer.core.tcp.events import Event
from gossamer.core.tcp.step import Connection, Outcome, step
from gossamer.loadtest.experiments.simulator import TIMED, lossy, timed

ROUNDS: Final = 3
LOSS: Final = 0.005


def speed_lines() -> Iterator[str]:
    """Segments a second without the oracles, with them, with losses; and the share of `step`."""
    outcomes: list[Outcome] = []
    plain_s, segments = min(timed(TIMED) for _ in range(ROUNDS))
    watched_s, _ = min(timed(TIMED, watches=True) for _ in range(ROUNDS))
    lossy_s, lossy_segments = min(timed(lossy(LOSS)) for _ in range(ROUNDS))
    timed(TIMED, stepper=_recorder(outcomes))
    rest_s, _ = min(timed(TIMED, stepper=_player(outcomes)) for _ in range(ROUNDS))
    yield f"{segments:,} segments of a bulk transfer, best of {ROUNDS}, CPU time of one core:"
    yield f"  oracles off         {segments / plain_s:>9,.0f} segments/s"
    yield f"  oracles on          {segments / watched_s:>9,.0f} segments/s"
    yield f"  off, 0.5 % lost     {lossy_segments / lossy_s:>9,.0f} segments/s"
    yield (
        f"  without step()      {segments / rest_s:>9,.0f} segments/s: the TCP itself takes "
        f"{1 - rest_s / plain_s:.0%} of the time"
    )


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
