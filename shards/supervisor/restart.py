"""Whether a worker that ended is replaced, and when. Pure.

Owns the restart intensity: more than so many deaths within a period mean a fault that a further restart does
not cure, of whichever worker. The first death of a worker is answered at once; each one further of the same
within the period doubles the delay: what one does is no reason to keep the clients of another waiting.

Source: the supervision principle of Erlang/OTP (intensity and period).
"""

from typing import Final

import msgspec

from gossamer.shards.keeper.adopted import UNSEEN

DELAY_FIRST_US: Final = 100_000
DELAY_MAX_US: Final = 5_000_000


class RestartPolicy(msgspec.Struct, frozen=True):
    """More than `intensity` deaths within `period_us` are too many."""

    intensity: int
    period_us: int


class WorkerExit(msgspec.Struct, frozen=True):
    """The end of a worker that nobody asked for."""

    shard: int
    status: int
    """Exit code, or minus the number of the signal."""
    pid: int = 0
    """0 where it is not known."""


class History(msgspec.Struct, frozen=True):
    """The deaths that still count, oldest first; at most intensity + 1 of them."""

    deaths: tuple[tuple[int, int], ...] = ()
    """When, and of which shard."""


class Restart(msgspec.Struct, frozen=True):
    """Replace the worker after the delay."""

    delay_us: int
    history: History


class GiveUp(msgspec.Struct, frozen=True):
    """End the server; `reason` is for its user."""

    reason: str


def describe_exit(ended: WorkerExit) -> str:
    """The end of a worker in words."""
    who = f"worker {ended.shard} (pid {ended.pid})" if ended.pid else f"worker {ended.shard}"
    if ended.status == UNSEEN:
        return f"{who} ended (how is not known: another supervisor had started it)"
    how = f"killed by signal {-ended.status}" if ended.status < 0 else f"exit code {ended.status}"
    return f"{who} ended ({how})"


def decide_restart(
    policy: RestartPolicy, history: History, ended: WorkerExit, now_us: int
) -> Restart | GiveUp:
    """What follows the end of a worker."""
    before = (death for death in history.deaths if now_us - death[0] < policy.period_us)
    recent = (*before, (now_us, ended.shard))
    if len(recent) > policy.intensity:
        seconds = policy.period_us / 1_000_000
        return GiveUp(
            f"{describe_exit(ended)}; {len(recent)} deaths within {seconds:g} s are more than "
            f"supervisor.restart_intensity allows ({policy.intensity})"
        )
    exponent = sum(shard == ended.shard for _, shard in recent) - 2
    delay_us = 0 if exponent < 0 else min(DELAY_FIRST_US << min(exponent, 16), DELAY_MAX_US)
    return Restart(delay_us, History(recent))
