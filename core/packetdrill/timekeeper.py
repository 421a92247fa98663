"""Virtual time: when an event is due, and the clock that moves from one deadline to the next.

Owns the clock of the host, and the call that is blocked, which is made again whenever something happened.

Source: the tool's published semantics of time and tolerance.
"""

from collections.abc import Callable

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.packetdrill.errors import Mismatch
from gossamer.core.packetdrill.script import Call, IcmpPacket, ScriptEvent, TcpPacket, Timing
from gossamer.core.packetdrill.world import START_US, BlockedCall, CallResult, ScriptWorld

WAIT_US_MAX = 24 * 3600 * SECOND_US
"""How long `*` waits for a packet."""
TURNS_MAX = 10_000
"""Timers that may fire at one instant: more would be a timer that does not stop."""


class WaitingCall:
    """A blocked call, and how it ended."""

    def __init__(self, event: ScriptEvent, call: Call, blocked: BlockedCall, end_us: int) -> None:
        self.event, self.call, self.blocked, self.end_us = event, call, blocked, end_us
        self.result: CallResult | None = None
        self.at_us = 0


def seconds(at_us: int) -> str:
    """A time as scripts have it."""
    return f"{(at_us - START_US) / SECOND_US:.6f}"


def range_text(from_us: int, until_us: int) -> str:
    """A time, or a range of it."""
    text = seconds(from_us)
    return text if from_us == until_us else f"{text}~{seconds(until_us)}"


class Timekeeper:
    """The time of one run."""

    def __init__(self, world: ScriptWorld) -> None:
        self._world = world
        self._host = world.host
        self._settings = world.settings
        self.waiting: WaitingCall | None = None
        """The call that is blocked."""
        self.last: tuple[int, bool] = (START_US, False)
        """When the last event was due, and whether it was a packet injected."""

    def due_us(self, event: ScriptEvent) -> tuple[int, int]:
        """When it is due, from and until. Relative times start where the last event left the clock."""
        when, action = event.when, event.action
        if when.timing is Timing.ANY:
            return self._host.now_us, self._host.now_us + WAIT_US_MAX
        base_us = START_US
        if when.timing is Timing.RELATIVE:
            last_us, was_injected = self.last
            injects = isinstance(action, TcpPacket | IcmpPacket) and action.inbound
            base_us = last_us if was_injected and injects else self._host.now_us
        return base_us + when.from_us, base_us + when.until_us

    def tolerance_us(self, due_us: int) -> int:
        """How far from its time something may come."""
        waited = due_us - self.last[0]
        return max(self._settings.tolerance_us, int(waited * self._settings.tolerance_percent / 100))

    def run_until(self, until_us: int, stop: Callable[[], bool] | None = None) -> None:
        """Let time pass, fire timers, try blocked calls; `stop` ends it early."""
        host, turns = self._host, 0
        while stop is None or not stop():
            next_us = min(host.deadline_us(), self._waiting_deadline_us())
            if next_us > until_us:
                if until_us < NEVER_US:
                    host.now_us = max(host.now_us, until_us)
                self.try_waiting()
                return
            turns = turns + 1 if next_us <= host.now_us else 0
            if turns > TURNS_MAX:
                raise Mismatch("a timer fires again and again")
            host.now_us = max(host.now_us, next_us)
            host.expire()
            self._world.expire_corks()
            self.try_waiting()

    def _waiting_deadline_us(self) -> int:
        waiting = self.waiting
        blocked_us = (
            waiting.blocked.deadline_us if waiting is not None and waiting.result is None else NEVER_US
        )
        return min(blocked_us, self._world.cork_deadline_us())

    def try_waiting(self) -> None:
        """Make the blocked call again."""
        waiting = self.waiting
        if waiting is None or waiting.result is not None:
            return
        waiting.result = waiting.blocked.attempt()
        waiting.at_us = self._host.now_us
