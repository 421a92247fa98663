"""Time taken out of a connection: what matters of a time is whether it is to come, is now, or is long ago.

A world's clock stands still at NOW_US. A timer that runs may fire at any moment, so only that it runs is
kept; when one fires, all that lay in the present lies in the past (`aged`). This allows every order of timers
that a real clock could bring, and more; what was measured of the round trip is forgotten for the same reason.

Owns which fields are times: those named `_at_us`, and `_rtt_us` for what was measured. It knows nothing of
what they are for.
"""

from functools import cache
from typing import Any, Final

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.records import fields, is_record, replace
from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp.step import Connection
from gossamer.core.tcp.tcb import RoundTrip, Tcb

LATER_US: Final = NOW_US + 1 * SECOND_US
LONG_AGO_US: Final = NOW_US - 20 * SECOND_US
"""Longer ago than any interval of `core.tcp` that limits answers."""

MEASURED: Final = RoundTrip(
    srtt_us=100_000,
    rttvar_us=10_000,
    rto_us=200_000,
    pto_us=200_000,
    pto_one_us=240_000,
    min_us=100_000,
    min_next_us=100_000,
    min_since_us=NOW_US,
)
"""What is known of the round trip once anything is."""

BACKOFF_MAX: Final = 1
"""Without a bound on retries, all that matters is whether a timer has fired since the last answer."""


TIMERS: Final = tuple(field.name for field in fields(Tcb) if field.default == NEVER_US)
"""The fields of a connection that are deadlines."""

LONG_TIMERS: Final = frozenset({"slow_at_us"})
"""FIN-WAIT-2 and keepalive: they wait longer than all else takes."""


def timers_running(tcb: Tcb) -> tuple[str, ...]:
    """The timers that may fire."""
    return tuple(name for name in TIMERS if getattr(tcb, name) != NEVER_US)


@cache
def _times(kind: type[Any]) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name.endswith("_at_us"))


@cache
def _measured(kind: type[Any]) -> tuple[str, ...]:
    return tuple(name for name in kind.__struct_fields__ if name.endswith("_rtt_us"))


@cache
def _inner(kind: type[Any]) -> tuple[str, ...]:
    """The fields that may hold records with times."""
    return tuple(name for name in kind.__struct_fields__ if not name.endswith("_us") and name != "agreed")


def _coarse(at_us: int) -> int:
    if at_us in (0, NEVER_US):
        return at_us
    return LATER_US if at_us > NOW_US else NOW_US if at_us == NOW_US else LONG_AGO_US


def _coarse_past(at_us: int) -> int:
    return LONG_AGO_US if 0 < at_us <= NOW_US else _coarse(at_us)


def _mapped(value: Any, move: Any) -> Any:
    """A record with each of its times moved, and those of the records inside it."""
    if isinstance(value, tuple):
        return tuple(_mapped(item, move) for item in value) if value else value
    if not is_record(value):
        return value
    kind: Any = type(value)
    changed = {}
    for name in _times(kind):
        before = getattr(value, name)
        after = move(before)
        if after != before:
            changed[name] = after
    for name in _measured(kind):
        if getattr(value, name) not in (0, MEASURED.srtt_us):
            changed[name] = MEASURED.srtt_us
    for name in _inner(kind):
        before = getattr(value, name)
        if isinstance(before, tuple) or is_record(before):
            after = _mapped(before, move)
            if after is not before:
                changed[name] = after
    return replace(value, **changed) if changed else value


def abstracted(connection: Connection | None, is_patient: bool) -> Connection | None:
    """The connection that stands for all that differ from it in times alone; where there is no bound on
    retries, also for those that differ in how often they have tried."""
    connection = _mapped(connection, _coarse)
    if not isinstance(connection, Tcb):
        return connection
    if connection.round_trip.srtt_us:
        connection = replace(connection, round_trip=MEASURED)
    if is_patient and connection.backoff > BACKOFF_MAX:
        connection = replace(connection, backoff=BACKOFF_MAX)
    return connection


def aged(connection: Connection | None) -> Connection | None:
    """The connection a long time later, its timers still running."""
    aged_: Connection | None = _mapped(connection, _coarse_past)
    return aged_
