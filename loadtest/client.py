"""A client connection as a thread: connect, ask, read, ask again; and the thread that conducts them all.

Owns the order of what one connection does. It is written to `core.io.stream`, so it runs on kernel sockets
and on the functional TCP alike.

    open, one after another, at the rate of --connect-rate -> wait for all -> the clock starts
    -> wait until a request is due -> connect, where there is no connection -> send -> read -> again
"""

from typing import Final

from gossamer.core.clock import SECOND_US
from gossamer.core.http.client import UNTIL_CLOSE, Response, ResponseError
from gossamer.core.io.stream import Stream
from gossamer.core.threads.calls import sys_fork, sys_join, sys_park, sys_sleep
from gossamer.core.threads.thread import Thread
from gossamer.core.tls.errors import TlsError
from gossamer.core.wire.flow import Address
from gossamer.loadtest.caller import Caller
from gossamer.loadtest.checks import BODY_BYTES_MAX, failed_check
from gossamer.loadtest.connection import abort, close, connect
from gossamer.loadtest.effort import WINDOW_US, used
from gossamer.loadtest.failures import CheckFailed, RequestPhase
from gossamer.loadtest.flat import RECV_BYTES, FlatEnd, give_due, go, is_flat
from gossamer.loadtest.report import ProgressDisplay
from gossamer.loadtest.request_set import PreparedRequest
from gossamer.loadtest.run import LoadRun

PAUSE_US_MIN: Final = 1_000
PAUSE_US_MAX: Final = 20_000
PAUSE_DOUBLINGS_MAX: Final = 5
"""Rest of a connection's thread after errors in a closed loop, so that a dead server is not hammered."""


async def probe(run: LoadRun) -> bool:
    """Open and close one connection to each address, to learn which have a server; why one has none stands in
    `run.refusal`: of several addresses that of one that speaks, where one fails in the handshake."""
    found: list[Address] = []
    for address in run.addresses:
        try:
            stream = await run.connector.connect(address, run.connect_patience_us())
            if run.encryption is not None:
                stream = await run.encryption.over(stream, run.connect_patience_us())
        except OSError as error:
            if not isinstance(run.refusal, TlsError):
                run.refusal, run.refused_at = error, address
        else:
            await stream.close()
            found.append(address)
    run.addresses = tuple(found)
    return bool(found)


async def stand(run: LoadRun, caller: Caller) -> None:
    """Open a connection when its turn has come, and wait for the start."""
    if run.options.keep_alive:
        await sys_sleep(int(caller.number * SECOND_US / run.options.connect_rate))
        caller.tally = run.tally
        try:
            await connect(run, caller, run.connect_patience_us())
        except OSError as error:
            run.opening.note(error, RequestPhase.CONNECT, run.clock())
    stands = caller.stream is not None or not run.options.keep_alive
    if not run.arrive(stands=stands):
        await sys_park(run.gate)
        return
    run.begin(await run.seat.begin_us(run))
    while run.gate:
        run.gate.popleft()(None)


async def drive(run: LoadRun, caller: Caller) -> None:
    """One request after another, until there are no more for it; its connection stands until all are done."""
    await stand(run, caller)
    goes_flat = is_flat(run)
    while True:
        is_answered = await go_flat(run, caller) if goes_flat else None
        if is_answered is None:
            is_answered = await take_one(run, caller)
        if is_answered is None:
            break
        if is_answered:
            caller.failed_in_a_row = 0
            if run.rests and (rest_us := run.rest_us(caller)) > 0:
                await sys_sleep(rest_us)
        else:
            caller.failed_in_a_row += 1
            if not run.options.rate:
                # An open loop goes on at its rate; a closed one would ask as fast as it is refused.
                await sys_sleep(pause_us(caller.failed_in_a_row))


def pause_us(failed_in_a_row: int) -> int:
    """How long a connection rests after so many errors."""
    return min(PAUSE_US_MIN << min(failed_in_a_row - 1, PAUSE_DOUBLINGS_MAX), PAUSE_US_MAX)


async def go_flat(run: LoadRun, caller: Caller) -> bool | None:
    """The straight way as far as it leads, and what it leaves; whether all was answered, None where nothing
    was left."""
    end = await go(run, caller)
    if end is FlatEnd.NOTHING_GIVEN:
        return None
    if end is FlatEnd.HALF_READ:
        return await fulfil(run, caller, is_sent=True)
    assert isinstance(end, Exception)
    return await goes_on(run, caller, end) and await fulfil(run, caller)


async def take_one(run: LoadRun, caller: Caller) -> bool | None:
    """See the next requests of a connection to their outcome; whether all were answered, None where there are
    no more."""
    return None if await give_due(run, caller) is None else await fulfil(run, caller)


async def fulfil(run: LoadRun, caller: Caller, *, is_sent: bool = False) -> bool:
    """See the requests that a connection was given to their outcome; whether all were answered."""
    while True:
        try:
            await exchange(run, caller, is_sent=is_sent)
        except (OSError, ResponseError, EOFError) as error:
            if not await goes_on(run, caller, error):
                return False
            is_sent = False
        else:
            caller.slot = None
            if not caller.lives_on:
                await close(caller)
            return True


async def goes_on(run: LoadRun, caller: Caller, error: Exception) -> bool:
    """Give up the connection of a caller after an error; whether its requests may be sent again."""
    may_repeat = caller.was_closed_before(error) and run.may_repeat(caller)
    if may_repeat:
        caller.tally.reopened_total += 1
    else:
        run.failed(caller, error)
    await abort(caller)
    return may_repeat


async def exchange(run: LoadRun, caller: Caller, *, is_sent: bool = False) -> None:
    """Send what is left of the requests of a caller, unless that is done, and read the answers.

    Raises: OSError, ResponseError, EOFError.
    """
    slot, stream = caller.slot, caller.stream
    assert slot is not None
    if stream is None:
        stream = await connect(run, caller, run.patience_us(caller.give_up_us))
    if not is_sent:
        caller.phase = RequestPhase.SEND
        caller.sent_us = run.clock()
        data = run.data_of(slot, caller.answered)
        await stream.send(data, run.patience_us(caller.give_up_us))
        caller.tally.sent_bytes += len(data)
    caller.lives_on = run.options.keep_alive
    while caller.answered < slot.count:
        await read_response(run, caller, stream)


async def read_response(run: LoadRun, caller: Caller, stream: Stream) -> None:
    """Read one answer and count it. Raises: OSError, ResponseError, EOFError."""
    reader, slot = caller.reading(run.parse), caller.slot
    assert slot is not None
    request = run.request(slot.number + caller.answered)
    body_bytes, kept = 0, bytearray()
    caller.phase = RequestPhase.FIRST_BYTE
    while (response := reader.next_response(request.method)) is None:
        await receive(run, caller, stream)
    caller.phase = RequestPhase.BODY
    while (data := reader.next_body()) != b"":
        if data is None:
            await receive(run, caller, stream)
        else:
            body_bytes += len(data)
            if request.keeps_body and len(kept) < BODY_BYTES_MAX:
                kept += data
    if reader.has_input and caller.answered + 1 == slot.count:
        raise ResponseError("more than the answer")
    now_us, due_us = run.clock(), run.due_us(slot, caller.answered)
    caller.tally.answered(response.status, now_us - due_us, now_us - caller.sent_us, body_bytes)
    if request.checks:
        check(run, caller, request, response, bytes(kept))
    caller.answered += 1
    caller.uses += 1
    caller.lives_on = caller.lives_on and response.keep_alive and response.body_bytes != UNTIL_CLOSE


def check(run: LoadRun, caller: Caller, request: PreparedRequest, response: Response, body: bytes) -> None:
    """Count what is wrong with a whole answer."""
    if request.checks_status:
        caller.tally.judged(response.status)
    failed = failed_check(request.checks, response, body)
    if failed is not None:
        seen = f"{response.status} ".encode() + body
        caller.tally.errors.note(CheckFailed(failed.text), RequestPhase.CHECK, run.clock(), seen)


async def receive(run: LoadRun, caller: Caller, stream: Stream) -> None:
    """Hand the reader what comes next.

    Raises: OSError; EOFError when the server closed before it answered.
    """
    reader = caller.reading(run.parse)
    data = await stream.recv(RECV_BYTES, run.patience_us(caller.give_up_us))
    if not data and not reader.has_input and (reader.body is None or reader.body.is_complete):
        raise EOFError("closed before the answer")
    caller.tally.received_bytes += len(data)
    reader.receive(data)


async def watch(run: LoadRun, display: ProgressDisplay) -> None:
    """Look at the generator's own effort, and draw the progress, until the run is over."""
    is_measured = False
    while not run.ended_us:
        now_us, shape = run.clock(), run.measured
        if is_measured and not run.in_time:
            run.effort.look(now_us, used())
        if not is_measured and now_us >= shape.start_us:
            run.effort.begin(now_us, used())
            is_measured = True
        if now_us >= shape.end_us:
            run.note_time()
        interval = run.look(now_us)
        display.show(run, now_us)
        if interval is not None:
            display.tell(interval)
        await sys_sleep(max(1, next_look_us(run, now_us) - run.clock()))


def next_look_us(run: LoadRun, now_us: int) -> int:
    """When to look again: after a window, or exactly where the time or an interval begins or ends."""
    shape = run.measured
    bounds = (shape.start_us, shape.end_us, run.timeline.edge_us)
    edges = [edge_us for edge_us in bounds if edge_us > now_us]
    return min(now_us + WINDOW_US, *edges) if edges else now_us + WINDOW_US


async def conduct(run: LoadRun, display: ProgressDisplay) -> None:
    """The whole run: probe, connect all, wait for all."""
    await sys_fork(watch(run, display), "watch")
    if await probe(run):
        threads: list[Thread[None]] = [
            await sys_fork(drive(run, caller), "connection") for caller in run.callers
        ]
        for thread in threads:
            await sys_join(thread)
    run.end()
    for caller in run.callers:
        await close(caller)
