"""How a worker comes to its end: what had begun is accepted, what is served is answered, what is left closed.

    begin_end -> what had begun is accepted -> no listener -> drain, until nothing is left or the time is over
              -> the application's own end -> the last heartbeat -> the scheduler stops

Owns the order of these steps and how long each may take. Who takes over, if anybody does, is asked of
`Running.is_last`; connections that go to other workers meanwhile are `queuemoves`' and `connectionmoves`'.
"""

from collections.abc import Callable
from typing import Final

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.threads.calls import Sleep
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.threads.sync import Event
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.worker.running import Running
from gossamer.shards.worker.served import Application
from gossamer.shards.worker.stack import Stack

SETTLE_US: Final = 250_000
"""How long the handshake of a connection may take to its end, and its first request from then on: each is a
round trip. Before that no listener is closed, and no connection for being idle.
"""
LOOK_US: Final = 20_000
"""How often it is looked whether anything is left."""


class WorkerDraining:
    """The end of a worker that serves."""

    def __init__(
        self, running: Running, stack: Stack, application: Application, accepted_total: Callable[[], int]
    ) -> None:
        self.supervisor_gone = Event()
        self.deadline_us: int | None = None
        """Until when the application's own end may take; None before any of this has begun."""
        self.running = running
        self.stack = stack
        self.application = application
        self._accepted_total = accepted_total
        self._clock = running.clock
        self._is_last = running.is_last
        self._is_stopping = False

    @property
    def has_begun(self) -> bool:
        """Whether the worker is on its way to its end."""
        return self.deadline_us is not None

    # All of it.

    def begin(self, graceful_us: int, *, is_retired: bool = False) -> None:
        """Drain, unless that has begun; `is_retired` where a successor waits."""
        if self.deadline_us is None:
            self.deadline_us = self._clock() + graceful_us
            drain = self._drain(self.deadline_us, is_retired=is_retired)
            self.running.spawn_essential(drain, "drain")

    async def _drain(self, deadline_us: int, *, is_retired: bool) -> None:
        self.running.set_state(WorkerState.DRAINING)
        self.application.begin_end()
        if not self.stack.is_kept:
            await self.accept_the_rest(deadline_us, is_retired=is_retired)
        await self.stack.acceptor().close()
        await self.end_what_is_left(deadline_us)
        await self.finish()

    def stop_at_once(self) -> None:
        """End, whatever is in flight; an application that is to hear of its end does."""
        if self.application.finish is None or self._is_stopping:
            self.running.scheduler.stop()
            return
        self._is_stopping = True
        self.running.spawn_essential(self._finish_and_stop(), "stop")

    async def _finish_and_stop(self) -> None:
        assert self.application.finish is not None
        await self.application.finish(self._clock())
        self.running.scheduler.stop()

    # Its steps.

    async def accept_the_rest(self, deadline_us: int, *, is_retired: bool) -> None:
        """Accept those whose handshake had begun, while whoever comes new is turned away.

        Those are left to who takes over; where nobody does they are refused, and we go on until none comes. A
        signal to a whole control group may reach us before the supervisor: so whether it ends too is asked
        again after a moment.
        """
        stack = self.stack
        is_handing_over, is_refusing = is_retired, False
        if is_retired:
            stack.hand_over()
        while self._clock() < deadline_us:
            if self._is_last() and not is_refusing:
                stack.refuse_new()
                is_refusing = True
            before = self._accepted_total()
            if is_refusing:
                await self._settle(deadline_us)
            else:
                # The kernel signals the supervisor's end as its first thread ends, before all of it has.
                with move_on_after(self._settling_us(deadline_us) / SECOND_US):
                    await self.supervisor_gone.wait()
            if self._accepted_total() == before if is_refusing else is_handing_over:
                return
            if not self._is_last():
                stack.hand_over()
                is_handing_over = True

    async def end_what_is_left(self, deadline_us: int) -> None:
        """Have every connection that nobody takes end after what it is about, within that time; where that
        has no end, until nobody else serves."""
        stack, application = self.stack, self.application
        application.begin_end()
        if not self._is_last():
            await self._settle(deadline_us)
        application.drain()
        stack.interrupt_receivers()
        while stack.has_in_flight() and self._clock() < deadline_us:
            if deadline_us >= NEVER_US and self._is_last():
                return
            await Sleep(LOOK_US)

    def patience_ends_us(self, graceful_us: int) -> int:
        """When what is left is ended: never while others serve, and each connection ends by itself."""
        is_left_alone = self.application.ends_by_itself and not self._is_last()
        return NEVER_US if is_left_alone else self._clock() + graceful_us

    async def finish(self) -> None:
        """Nothing is served any more: have the application end, and the worker."""
        if self.application.finish is not None:
            deadline_us = self.deadline_us
            await self.application.finish(self._clock() if deadline_us is None else deadline_us)
        self.running.beat()
        self.running.scheduler.stop()

    async def _settle(self, deadline_us: int) -> None:
        await Sleep(self._settling_us(deadline_us))

    def _settling_us(self, deadline_us: int) -> int:
        return min(SETTLE_US, max(0, deadline_us - self._clock()))
