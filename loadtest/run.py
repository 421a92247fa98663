"""The state that all connections of one run share: the schedule, the counters, and what is asked.

Owns the numbering of requests and what counts as an error; the threads of `loadtest.client` act on it.
Everything runs on one operating-system thread, so nothing here is locked.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US, Clock
from gossamer.core.http.client import Response, build_request, response_parser
from gossamer.core.io.stream import Connector
from gossamer.loadtest.pace import SendSlot, Shape, due_at_us, next_slot
from gossamer.loadtest.tally import Tally
from gossamer.loadtest.target import Target

GRACE_US: Final = SECOND_US
"""How long an answer may still come after the time is over."""


class LoadOptions(msgspec.Struct, frozen=True):
    """What is asked of a run, all checked."""

    target: Target
    connections: int
    duration_us: int
    requests_max: int
    rate: float = 0.0
    keep_alive: bool = True
    pipeline: int = 1
    timeout_us: int = 30 * SECOND_US
    method: str = "GET"


class LoadRun:
    """One run, from its start on."""

    def __init__(self, options: LoadOptions, connector: Connector, clock: Clock) -> None:
        self.options = options
        self.connector = connector
        self.clock = clock
        self.begin()
        self.tally = Tally()
        self.parse: Callable[[bytes], Response] = response_parser()
        self.is_stopped = False
        self.refusal: OSError | None = None
        """Why there is no server to load."""
        self.taken = 0
        target = options.target
        self.request = build_request(
            options.method, target.path, target.authority, keep_alive=options.keep_alive
        )

    def begin(self) -> None:
        """The time of the run starts now."""
        options, now_us = self.options, self.clock()
        self.shape = Shape(now_us, now_us + options.duration_us, options.requests_max, options.rate)
        self.ended_us = 0

    def end(self) -> None:
        """The run is over, whatever its bounds say."""
        self.is_stopped = True
        if not self.ended_us:
            self.ended_us = self.clock()

    @property
    def elapsed_us(self) -> int:
        """From the start to the last answer."""
        return self.ended_us - self.shape.start_us

    def take(self) -> SendSlot | None:
        """Leave for the next requests; None when the run is over, and from then on."""
        if self.is_stopped:
            return None
        options = self.options
        slot = next_slot(self.shape, self.taken, options.pipeline, self.clock())
        if slot is None:
            self.is_stopped = True
        else:
            self.taken += slot.count
        return slot

    def goes_on(self) -> bool:
        """Whether another connection is worth opening."""
        return (
            not self.is_stopped and self.taken < self.shape.requests_max and self.clock() < self.shape.end_us
        )

    def due_us(self, slot: SendSlot, index: int) -> int:
        """When a request of a slot was due."""
        return due_at_us(self.shape, slot.number + index) if self.shape.rate else slot.due_us

    def patience_us(self) -> int:
        """How long a call may block: the request's timeout, and no longer than the run with its grace."""
        left_us = self.shape.end_us + GRACE_US - self.clock()
        return max(1, min(self.options.timeout_us, left_us))

    def failed(self, error: Exception, unanswered: int = 0) -> None:
        """Count an error; one that only the end of the run has made counts as unfinished."""
        if isinstance(error, TimeoutError) and self.clock() >= self.shape.end_us:
            self.tally.unfinished_total += unanswered
        else:
            self.tally.failed(error)
