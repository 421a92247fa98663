"""Two ends on one wire, in virtual time.

Owns the clock, the queue of segments under way, and the bound on how long a run may last. Both ends are
stepped by the same `step` that serves real packets.
"""

from heapq import heappop, heappush
from itertools import count

import msgspec
from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.errors import BoundExceeded
from gossamer.core.seq import Seq
from gossamer.core.sim.end import End, Observer, User
from gossamer.core.sim.link import PERFECT, Faults, Link
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.events import Event, Opening
from gossamer.core.tcp.listen import segment_arrives as listener_hears
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.step import Connection
from gossamer.core.tcp.tcb import Listener
from gossamer.core.wire.segment import SYN, Segment

STEPS_MAX = 30_000
"""Steps of one run; a run that needs more has not converged."""


class Setting(msgspec.Struct, frozen=True, gc=False):
    """One end of a run."""

    user: User = User()
    parameters: TcpParameters = DEFAULT_PARAMETERS
    iss: Seq = Seq(0x1000)
    ts_offset: int = 7
    mss: int = 1460
    faults: Faults = PERFECT
    """Of the wire away from this end."""


def _nobody(_before: Connection, _event: Event, _after: Connection | None, _actions: Actions) -> None:
    """The observer of a run that nobody watches."""


class Pair:
    """A client that opens actively, and a server that listens."""

    def __init__(
        self,
        client: Setting,
        server: Setting,
        seed: int = 0,
        observer: Observer = _nobody,
        now_us: int = SECOND_US,
    ) -> None:
        self.now_us = now_us
        self.steps_total = 0
        self._observer = observer
        self._server_setting = server
        self._links = (Link(client.faults, seed * 2), Link(server.faults, seed * 2 + 1))
        self._order = count()
        self._under_way: list[tuple[int, int, int, Segment]] = []
        tcb, actions = open_active(client.parameters, _opening(client, now_us))
        self.client = End(tcb, client.user, actions, now_us, observer)
        self.server: End | None = None
        self._carry()

    def run(self, until_us: int = NEVER_US) -> None:
        """Go on until nothing more happens, or until a time.

        Raises: BoundExceeded when STEPS_MAX is reached.
        """
        while (at_us := self._next_us()) < until_us:
            self.now_us = max(self.now_us, at_us)
            self.steps_total += 1
            if self.steps_total > STEPS_MAX:
                raise BoundExceeded(f"a run of more than {STEPS_MAX} steps (core.sim.pair.STEPS_MAX)")
            self._turn()
            self._carry()

    def _next_us(self) -> int:
        segment_us = self._under_way[0][0] if self._under_way else NEVER_US
        return min(segment_us, *(end.deadline_us() for end in self._ends()))

    def _ends(self) -> tuple[End, ...]:
        return (self.client,) if self.server is None else (self.client, self.server)

    def _turn(self) -> None:
        """One segment that comes out, or the timers that are due."""
        if self._under_way and self._under_way[0][0] <= self.now_us:
            _, _, side, segment = heappop(self._under_way)
            self._deliver(side, segment)
            return
        for end in self._ends():
            if end.deadline_us() <= self.now_us:
                end.expire(self.now_us)

    def _deliver(self, side: int, segment: Segment) -> None:
        """A segment that side 0 or 1 sent reaches the other."""
        if side == 1:
            self.client.arrives(segment, self.now_us)
        elif self.server is not None:
            self.server.arrives(segment, self.now_us)
        elif segment.flags & SYN:
            self._accept(segment)

    def _accept(self, syn: Segment) -> None:
        setting = self._server_setting
        opening = _opening(setting, self.now_us)
        tcb, actions = listener_hears(Listener(setting.parameters), syn, opening)
        if tcb is not None:
            self.server = End(tcb, setting.user, actions, self.now_us, self._observer)

    def _carry(self) -> None:
        """Put what the ends have emitted on the wire."""
        for side, end in enumerate(self._ends()):
            for segment in end.outbox:
                for at_us in self._links[side].arrivals_us(self.now_us):
                    heappush(self._under_way, (at_us, next(self._order), side, segment))
            end.outbox.clear()


def _opening(setting: Setting, now_us: int) -> Opening:
    return Opening(now_us=now_us, iss=setting.iss, ts_offset=setting.ts_offset, mss=setting.mss)
