"""The state that all connections of one run share: the schedule, the counters, and who sends what.

Owns which request is given to whom, and that each that was due has one outcome when the run is over; the
threads of `loadtest.client` act on it. Everything runs on one operating-system thread, so nothing here is
locked.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec

from gossamer.core.clock import NEVER_US, SECOND_US, Clock
from gossamer.core.http.client import Response, response_parser
from gossamer.core.threads.waiters import Waiters
from gossamer.core.wire.flow import Address
from gossamer.loadtest.arrivals import Arrivals, EveryNth, arrivals_of
from gossamer.loadtest.caller import Caller
from gossamer.loadtest.effort import Effort
from gossamer.loadtest.encrypted import Encryption
from gossamer.loadtest.failures import ErrorLog
from gossamer.loadtest.options import LoadOptions, course_of, requests_of
from gossamer.loadtest.pace import SendSlot, Shape, due_at_us, due_total, next_slot
from gossamer.loadtest.phases import Course
from gossamer.loadtest.request_set import PreparedRequest
from gossamer.loadtest.seat import Seat
from gossamer.loadtest.stacks import Opener
from gossamer.loadtest.tally import NotSent, Tally
from gossamer.loadtest.thresholds import missed_for_good
from gossamer.loadtest.timeline import Interval, Timeline

CONNECT_PATIENCE_US: Final = 10 * SECOND_US
"""How long a connection of the first ones may take to open."""
LEAD_US: Final = 1_000
LEAD_US_EACH: Final = 20
"""The clock starts so long after all connections stand, and so much for each, so that all their threads wait
when the first request is due."""
LATE_STEPS_MAX: Final = 4_096
"""Requests that were never sent are counted in at most so many steps."""


class LoadRun:
    """One run, from its start on."""

    def __init__(
        self,
        options: LoadOptions,
        connector: Opener,
        clock: Clock,
        seat: Seat | None = None,
        *,
        awake_us: int = 0,
    ) -> None:
        """`awake_us` is how long before a request that is due alone it waits awake: none where no time passes
        meanwhile, as on a virtual clock."""
        self.options = options
        self.awake_us = awake_us
        self.connector = connector
        self.encryption = None if options.tls is None else Encryption(options.tls)
        """Makes TLS of a connection; None where it stays plain."""
        self.clock = clock
        self.seat = Seat() if seat is None else seat
        """Which part of the run this process has."""
        self.tally = self.seat.tally()
        """Of what counts."""
        self.opening = ErrorLog()
        """Connections that could not be opened before the clock started."""
        self.effort = Effort()
        self.timeline = Timeline()
        self.last_interval: Interval | None = None
        """What was left when it was over."""
        self.ended_by = ""
        """The threshold that ended it early."""
        self.parse: Callable[[bytes], Response] = response_parser()
        self.callers = [Caller(number) for number in range(options.connections)]
        self.gate: Waiters[Callable[[Any], None]] = Waiters()
        """Where connections wait for the start."""
        self.addresses: tuple[Address, ...] = options.target.addresses
        """Those that answer; connections take them in turn."""
        self.refused_at = options.target.addresses[0]
        self.refusal: OSError | None = None
        """Why there is no server to load, or an address that refuses."""
        self.shape = Shape(NEVER_US, NEVER_US, 0)
        self._later: Shape | None = None
        self.current = self.tally
        """What counts the requests that are handed out now."""
        self._arrived = 0
        self.stood = 0
        """Connections that stood when the clock started."""
        self.taken = 0
        self.gap_us = self._before_us = 0
        """Between the requests that were handed out last, by when they are due."""
        self.in_time: tuple[int, int] | None = None
        """Requests sent and answered by the end of the time."""
        self.ended_us = 0
        self.is_stopped = False
        self.is_interrupted = False
        self.requests = requests_of(options)
        self.rests = bool(options.think[1] or options.pace_us) and not options.rate
        """Whether connections rest between two requests."""
        self._think = Random(f"{options.seed}/{self.seat.number}")

    # The start.

    def arrive(self, *, stands: bool) -> bool:
        """One more connection has been tried; whether it was the last."""
        self._arrived += 1
        self.stood += stands
        return self._arrived == len(self.callers)

    @property
    def lead_us(self) -> int:
        """How long before the first request the clock starts."""
        return LEAD_US + LEAD_US_EACH * len(self.callers) if self.options.rate else 0

    def begin(self, begin_us: int) -> None:
        """The time of the run starts at that instant."""
        options = self.options
        start_us = begin_us + options.warm_up_us
        duration_us = options.duration_us
        if duration_us >= NEVER_US and options.rate:
            duration_us = int(options.requests_max * SECOND_US / options.rate)
        end_us = min(start_us + duration_us, NEVER_US)
        arrivals = self._arrivals(course_of(options))
        self.shape = Shape(
            start_us, end_us, options.requests_max, arrivals, min(end_us + options.drain_us, NEVER_US)
        )
        self.timeline = Timeline(start_us)
        if options.warm_up_us:
            self._later = self.shape
            self.current = Tally()
            warming = arrivals if not options.phases else self._arrivals(None)
            self.shape = Shape(begin_us, start_us, options.requests_max, warming, start_us)

    def _arrivals(self, course: Course | None) -> Arrivals | None:
        """When requests come, along a course or at the rate; None in a closed loop."""
        options = self.options
        if not options.rate:
            return None
        engines = self.seat.engines
        whole = arrivals_of(options.process, options.rate * engines, options.seed, course)
        return whole if engines == 1 else EveryNth(whole, self.seat.number, engines)

    @property
    def has_begun(self) -> bool:
        """Whether the clock runs, or did."""
        return self.shape.start_us < NEVER_US

    @property
    def measured(self) -> Shape:
        """The bounds of what counts."""
        return self._later or self.shape

    # Who sends what.

    def take(self, caller: Caller) -> SendSlot | None:
        """Give the next requests to a connection; None when the run is over, and from then on."""
        now_us = self.clock()
        while not self.is_stopped:
            slot = next_slot(self.shape, self.taken, self.options.pipeline, now_us)
            if slot is not None:
                self.taken += slot.count
                self.gap_us, self._before_us = slot.due_us - self._before_us, slot.due_us
                caller.take(slot, self.current, now_us)
                return slot
            if self._later is None:
                self.is_stopped = True
            else:
                self.shape, self._later = self._later, None
                self.taken, self.current = 0, self.tally
        return None

    def data_of(self, slot: SendSlot, answered: int) -> bytes:
        """The octets of what is left of a slot."""
        only = self.requests.only
        if only is not None:
            return only.data * (slot.count - answered)
        numbers = range(slot.number + answered, slot.number + slot.count)
        return b"".join(self.request(number).data for number in numbers)

    def request(self, number: int) -> PreparedRequest:
        """The request that is number n of this process."""
        return self.requests.of(self.seat.number + number * self.seat.engines)

    def may_repeat(self, caller: Caller) -> bool:
        """Whether all that a connection has no answer of may be sent again."""
        slot = caller.slot
        assert slot is not None
        numbers = range(slot.number + caller.answered, slot.number + slot.count)
        return all(self.request(number).is_idempotent for number in numbers)

    def due_us(self, slot: SendSlot, index: int) -> int:
        """When a request of a slot was due."""
        return slot.due_us + self._later_by_us(slot, index) if self.shape.arrivals and index else slot.due_us

    def _later_by_us(self, slot: SendSlot, index: int) -> int:
        return due_at_us(self.shape, slot.number + index) - due_at_us(self.shape, slot.number)

    def sends(self, caller: Caller) -> None:
        """A connection begins with its requests: how late they are, and because of whom."""
        slot = caller.slot
        assert slot is not None
        caller.begun_us = now_us = self.clock()
        lag_us = now_us - slot.due_us
        for_connection_us = 0 if self.effort.is_saturated else max(0, caller.taken_us - slot.due_us)
        caller.tally.sent(slot.count, for_connection_us, lag_us - for_connection_us)

    def gives_back(self, caller: Caller) -> bool:
        """Whether the time was over sooner than it was to be, so that the requests of a connection are not
        due any more."""
        slot = caller.slot
        if slot is None or not self.ended_by or slot.due_us < self.measured.end_us:
            return False
        caller.slot = None
        return True

    # How long something may take.

    def give_up_us(self) -> int:
        """Until when what is sent now may be answered."""
        return self.clock() + self.options.timeout_us

    def patience_us(self, give_up_us: int) -> int:
        """How long a call may block: until a request's time is over, and no longer than the run's."""
        return self.patience_from_us(self.clock(), give_up_us)

    def patience_from_us(self, now_us: int, give_up_us: int) -> int:
        """The same of a call at `now_us`."""
        final_us = (self._later or self.shape).final_us
        left_us = (give_up_us if give_up_us < final_us else final_us) - now_us
        return left_us if left_us > 0 else 1

    def connect_patience_us(self) -> int:
        """How long one of the first connections may take."""
        return min(self.options.timeout_us, CONNECT_PATIENCE_US)

    def rest_us(self, caller: Caller) -> int:
        """How long a connection of a closed loop rests before it asks again, at most to the end."""
        least, most = self.options.think
        rest_us = self._think.randint(least, most) if most else 0
        now_us = self.clock()
        rest_us = max(rest_us, caller.begun_us + self.options.pace_us - now_us)
        return min(rest_us, self.measured.end_us - now_us)

    # Outcomes.

    def failed(self, caller: Caller, error: Exception) -> None:
        """The rest of a connection's requests have failed, or the run is over before their answers."""
        slot, now_us = caller.slot, self.clock()
        if slot is None:
            return
        if isinstance(error, TimeoutError) and now_us >= self.measured.final_us:
            self._leave_in_flight(caller, now_us)
            return
        seen = caller.seen()
        for index in range(caller.answered, slot.count):
            caller.tally.failed(error, caller.phase, now_us, seen)
            caller.tally.unanswered(*self._ages(caller, index, now_us))
        caller.slot = None

    def _leave_in_flight(self, caller: Caller, now_us: int) -> None:
        assert caller.slot is not None
        for index in range(caller.answered, caller.slot.count):
            caller.tally.in_flight_total += 1
            caller.tally.unanswered(*self._ages(caller, index, now_us))
        caller.slot = None

    def _ages(self, caller: Caller, index: int, now_us: int) -> tuple[int, int | None]:
        assert caller.slot is not None
        service_us = now_us - caller.sent_us if caller.sent_us else None
        return max(0, now_us - self.due_us(caller.slot, index)), service_us

    def look(self, now_us: int) -> Interval | None:
        """End an interval, where it is time, and the run, where a threshold cannot be met any more; the
        interval."""
        self.seat.look(self)
        interval = self.timeline.cut(now_us, self.tally)
        if interval is not None and not (self.is_stopped or self.ended_by):
            missed = missed_for_good(self.options.thresholds, self.tally, self.due_at_end)
            if missed is not None:
                self.ended_by = missed.text
                self.end_at(now_us)
        return interval

    def end_at(self, now_us: int) -> None:
        """Have the time be over now, as if no more had been asked for; what is due now may have been sent."""
        final_us = min(now_us + self.options.drain_us, NEVER_US)
        shape = msgspec.structs.replace(self.measured, end_us=now_us + 1, final_us=final_us)
        if self._later is None:
            self.shape = shape
        else:
            self._later = shape

    @property
    def due_at_end(self) -> int | None:
        """How many requests will have been due, where that is known before."""
        measured = self.measured
        if measured.arrivals:
            return due_total(measured, measured.end_us)
        return measured.requests_max if measured.end_us >= NEVER_US else None

    def note_time(self) -> None:
        """The time is over: what was sent and answered by now is the rate."""
        if self.in_time is None:
            self.in_time = (self.tally.sent_total, self.tally.answered_total)

    def end(self) -> None:
        """The run is over, whatever its bounds say: a request that was due and has no outcome gets one."""
        if self.ended_us:
            return
        self.is_stopped = True
        self.ended_us = now_us = self.clock()
        self.note_time()
        if not self.has_begun:
            return
        for caller in self.callers:
            self._settle(caller, now_us)
        if self._later is None and self.shape.arrivals:
            self._settle_never_taken(now_us)
        self.last_interval = self.timeline.end(now_us, self.tally)

    def _settle(self, caller: Caller, now_us: int) -> None:
        """What a connection was given, and has not sent or seen the answer of."""
        slot = caller.slot
        if slot is None:
            return
        if caller.begun_us:
            self._leave_in_flight(caller, now_us)
        else:
            for index in range(slot.count):
                age_us = now_us - self.due_us(slot, index)
                if age_us >= 0:
                    caller.tally.not_sent(NotSent.GENERATOR, age_us)
            caller.slot = None

    def _settle_never_taken(self, now_us: int) -> None:
        """What was due, and was given to no connection."""
        why = NotSent.GENERATOR if self.effort.is_saturated else NotSent.NO_CONNECTION
        due = due_total(self.shape, now_us)
        step = max(1, (due - self.taken) // LATE_STEPS_MAX)
        for first in range(self.taken, due, step):
            count = min(step, due - first)
            self.tally.not_sent(why, now_us - due_at_us(self.shape, first + count // 2), count)

    @property
    def due(self) -> int:
        """How many requests were due, by the schedule alone."""
        if self._later is not None or not self.has_begun:
            return 0
        return due_total(self.shape, self.ended_us) if self.shape.arrivals else self.taken

    @property
    def asked_us(self) -> int:
        """The time that rates divide by: what was asked for, or what passed where that is not known."""
        measured = self.measured
        if not self.has_begun or self.ended_us <= measured.start_us:
            return 0
        is_whole = self.shape.arrivals and not self.is_interrupted
        end_us = measured.end_us if is_whole else min(measured.end_us, self.ended_us)
        return end_us - measured.start_us
