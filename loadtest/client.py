"""A client connection as a thread: connect, ask, read, ask again; and the thread that conducts them all.

Owns the order of what one connection does. It is written to `core.io.stream`, so it runs on kernel sockets
and on the functional TCP alike.
"""

from typing import Final

from gossamer.core.http.client import UNTIL_CLOSE, ResponseError, ResponseReader
from gossamer.core.io.stream import Stream
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep
from gossamer.loadtest.pace import SendSlot
from gossamer.loadtest.report import ProgressDisplay
from gossamer.loadtest.run import LoadRun

RETRY_PAUSE_US: Final = 20_000
"""Rest of a connection's thread after an error, so that a dead server is not hammered."""
DISPLAY_STEP_US: Final = 200_000
RECV_BYTES: Final = 65_536


async def probe(run: LoadRun) -> bool:
    """Open and close one connection, to learn whether there is a server; why not stands in `run.refusal`."""
    try:
        stream = await run.connector.connect(run.options.target.address, run.patience_us())
    except OSError as error:
        run.refusal = error
        return False
    await stream.close()
    return True


async def drive(run: LoadRun) -> None:
    """One connection after another, until the run is over."""
    while run.goes_on():
        started_us = run.clock()
        try:
            stream = await run.connector.connect(run.options.target.address, run.patience_us())
        except OSError as error:
            run.failed(error)
            await sys_sleep(RETRY_PAUSE_US)
            continue
        run.tally.connected(run.clock() - started_us)
        await converse(run, stream)


async def converse(run: LoadRun, stream: Stream) -> None:
    """Use one connection as long as both sides will; then close it."""
    reader = ResponseReader(run.parse)
    slot: SendSlot | None = None
    before = 0
    try:
        while (slot := run.take()) is not None:
            before = run.tally.requests_total
            if not await exchange(run, stream, reader, slot):
                break
        await stream.close()
    except (OSError, ResponseError, EOFError) as error:
        answered = run.tally.requests_total - before
        run.failed(error, unanswered=max(1, (slot.count if slot else 1) - answered))
        await stream.abort()
        if run.goes_on():
            await sys_sleep(RETRY_PAUSE_US)


async def exchange(run: LoadRun, stream: Stream, reader: ResponseReader, slot: SendSlot) -> bool:
    """Send the requests of a slot when they are due and read the answers; whether the connection lives on.

    Raises: OSError, ResponseError, EOFError.
    """
    wait_us = slot.due_us - run.clock()
    if wait_us > 0:
        await sys_sleep(wait_us)
    sent = run.request * slot.count
    await stream.send(sent, run.patience_us())
    run.tally.sent_bytes += len(sent)
    lives_on = run.options.keep_alive
    for index in range(slot.count):
        lives_on = await read_response(run, stream, reader, run.due_us(slot, index)) and lives_on
    return lives_on


async def read_response(run: LoadRun, stream: Stream, reader: ResponseReader, due_us: int) -> bool:
    """Read one answer and count it; whether the server lets the connection live on.

    Raises: OSError, ResponseError, EOFError.
    """
    tally = run.tally
    body_bytes = 0
    while (response := reader.next_response(run.options.method)) is None:
        await receive(run, stream, reader)
    while (data := reader.next_body()) != b"":
        if data is None:
            await receive(run, stream, reader)
        else:
            body_bytes += len(data)
    tally.answered(response.status, run.clock() - due_us, body_bytes)
    return response.keep_alive and response.body_bytes != UNTIL_CLOSE


async def receive(run: LoadRun, stream: Stream, reader: ResponseReader) -> None:
    """Hand the reader what comes next.

    Raises: OSError; EOFError when the server closed before it answered.
    """
    data = await stream.recv(RECV_BYTES, run.patience_us())
    if not data and not reader.has_input and (reader.body is None or reader.body.is_complete):
        raise EOFError("closed before the answer")
    run.tally.received_bytes += len(data)
    reader.receive(data)


async def show_progress(run: LoadRun, display: ProgressDisplay) -> None:
    """Draw the progress until the run is over."""
    while not run.ended_us:
        display.show(run.shape, run.tally, run.clock())
        await sys_sleep(DISPLAY_STEP_US)


async def conduct(run: LoadRun, display: ProgressDisplay) -> None:
    """The whole run: probe, connect all, wait for all."""
    if not await probe(run):
        return
    run.begin()
    threads = [await sys_fork(drive(run), "connection") for _ in range(run.options.connections)]
    await sys_fork(show_progress(run, display), "progress")
    for thread in threads:
        await sys_join(thread)
    run.end()
