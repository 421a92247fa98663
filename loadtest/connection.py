"""How a caller comes to a connection, and leaves it.

Owns the order of both, and what is counted of them. It is written to `core.io.stream`, as all that uses it.
"""

from gossamer.core.io.stream import Stream
from gossamer.loadtest.caller import Caller
from gossamer.loadtest.failures import RequestPhase
from gossamer.loadtest.run import LoadRun


async def connect(run: LoadRun, caller: Caller, patience_us: int) -> Stream:
    """A connection for a caller, to the next address in turn. Raises: OSError."""
    started_us = run.clock()
    caller.phase = RequestPhase.CONNECT
    addresses = run.addresses
    stream = await run.connector.connect(addresses[caller.number % len(addresses)], patience_us)
    if run.encryption is not None:
        caller.phase = RequestPhase.TLS
        stream = await run.encryption.over(stream, max(1, patience_us - run.clock() + started_us))
    now_us = run.clock()
    caller.tally.connected(now_us - started_us)
    caller.use(stream, now_us)
    return stream


async def close(caller: Caller) -> None:
    """Close the connection of a caller, if it has one."""
    stream = caller.leave()
    if stream is not None:
        try:
            await stream.close()
        except OSError:
            # All that was asked for has been read: what the server says now is no answer.
            await stream.abort()


async def abort(caller: Caller) -> None:
    """Give the connection of a caller up, if it has one."""
    stream = caller.leave()
    if stream is not None:
        await stream.abort()
