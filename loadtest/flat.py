"""The straight way of a connection: a request, its whole answer, and again.

Owns the loop that most requests of a run go through. All that waits stands in one frame, and calls are few,
since a dozen of them cost as much as wrk takes for a request. It knows the usual case alone: one request at a
time, an answer of a known length, on a connection that lives on or is opened anew. What is anything else it
leaves to `loadtest.client`, in a state from which that goes on.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

from gossamer.core.http.client import Response, ResponseError
from gossamer.core.io.stream import Stream
from gossamer.core.threads.calls import sys_sleep
from gossamer.loadtest.caller import Caller
from gossamer.loadtest.connection import close, connect
from gossamer.loadtest.failures import RequestPhase
from gossamer.loadtest.pace import SendSlot, awake_before_us
from gossamer.loadtest.run import LoadRun

RECV_BYTES: Final = 65_536
BODILESS: Final = frozenset({204, 304})


class FlatEnd(Enum):
    """Why the straight way ended, where it was no error."""

    NOTHING_GIVEN = 1
    """The caller has no request: the time is over, or somebody else must say."""
    HALF_READ = 2
    """The caller's request is sent, and what has come of its answer stands in its reader."""


def is_flat(run: LoadRun) -> bool:
    """Whether a run's requests may go the straight way at all."""
    return run.options.pipeline == 1 and not run.rests and not run.requests.has_checks


async def go(run: LoadRun, caller: Caller) -> FlatEnd | Exception:
    """Ask, on the connection that a caller has or on a new one, until something is not as usual; what it
    was."""
    only, clock, parse = run.requests.only, run.clock, run.parse
    is_open, is_kept = bool(run.options.rate), run.options.keep_alive
    now_us = clock()
    while True:
        slot = await give_due(run, caller) if is_open else give_now(run, caller, now_us)
        if slot is None:
            return FlatEnd.NOTHING_GIVEN
        tally, stream, sent_us = caller.tally, caller.stream, caller.begun_us
        request = only or run.request(slot.number)
        caller.give_up_us = sent_us + run.options.timeout_us
        patience_us = run.patience_from_us(sent_us, caller.give_up_us)
        try:
            if stream is None:
                stream = await connect(run, caller, patience_us)
                sent_us = caller.stood_us
                patience_us = run.patience_from_us(sent_us, caller.give_up_us)
            caller.sent_us, caller.phase = sent_us, RequestPhase.SEND
            await stream.send(request.data, patience_us)
            tally.sent_bytes += len(request.data)
            caller.phase = RequestPhase.FIRST_BYTE
            got = await stream.recv(RECV_BYTES, patience_us)
            if not got:
                return EOFError("closed before the answer")
            tally.received_bytes += len(got)
            usual = usual_answer(got, parse, has_no_body=request.method == "HEAD")
            if usual is None:
                caller.reading(parse).receive(got)
                return FlatEnd.HALF_READ
            response, body_bytes, left = usual
            if left:
                await receive_rest(run, caller, stream, left)
        except (OSError, ResponseError) as error:
            return error
        now_us = clock()
        if slot.due_us == sent_us:
            tally.answered_at_once(response.status, now_us - sent_us, body_bytes)
        else:
            tally.answered(response.status, now_us - slot.due_us, now_us - sent_us, body_bytes)
        caller.slot = None
        caller.uses += 1
        caller.failed_in_a_row = 0
        if not (is_kept and response.keep_alive):
            await close(caller)


async def receive_rest(run: LoadRun, caller: Caller, stream: Stream, left: int) -> None:
    """Receive what is left of a body. Raises: OSError, ResponseError."""
    caller.phase = RequestPhase.BODY
    while left > 0:
        got = await stream.recv(RECV_BYTES, run.patience_us(caller.give_up_us))
        if not got:
            raise ResponseError("connection closed in the middle of a body")
        caller.tally.received_bytes += len(got)
        left -= len(got)
    if left < 0:
        raise ResponseError("more than the answer")


async def give_due(run: LoadRun, caller: Caller) -> SendSlot | None:
    """The next request of an open loop, once it is due."""
    slot = run.take(caller)
    if slot is None:
        return None
    awake_us = awake_before_us(run.gap_us, run.awake_us)
    wait_us = slot.due_us - run.clock() - awake_us
    if wait_us > 0:
        await sys_sleep(wait_us)
        if run.gives_back(caller):
            return None
    while awake_us and run.clock() < slot.due_us:
        pass
    caller.give_up_us = run.give_up_us()
    run.sends(caller)
    return slot


def give_now(run: LoadRun, caller: Caller, now_us: int) -> SendSlot | None:
    """The next request of a closed loop, as `LoadRun.take` and `LoadRun.sends` have it while time goes on."""
    shape = run.shape
    if now_us >= shape.end_us or run.is_stopped or run.taken >= shape.requests_max:
        return None
    caller.slot = slot = SendSlot(run.taken, 1, now_us)
    run.taken += 1
    caller.tally = run.current
    caller.taken_us = caller.begun_us = now_us
    caller.sent_us = caller.answered = 0
    caller.tally.sent_at_once()
    return slot


def usual_answer(
    got: bytes, parse: Callable[[bytes], Response], *, has_no_body: bool
) -> tuple[Response, int, int] | None:
    """The answer, the length of its body, and how much of it has not come; None where it is unusual, or
    none."""
    end = got.find(b"\r\n\r\n") + 4
    if end < 4:
        return None
    try:
        response = parse(got[:end])
    except ResponseError:
        return None  # the reader finds the same, and has what was seen
    status, body_bytes = response.status, response.body_bytes
    if status < 200 or body_bytes < 0:
        return None
    if has_no_body or status in BODILESS:
        body_bytes = 0
    return response, body_bytes, body_bytes - len(got) + end
