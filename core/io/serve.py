"""Serving: a thread of its own for every connection, and one bad connection ends nothing else.

Owns what happens to a stream when its handler ends, and which of a handler's errors are nobody's fault: those
that the stream itself raises for a peer that has left, or is silent. Everything else a handler raises is
logged.
"""

import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from gossamer.core.errors import Draining, misuse
from gossamer.core.io.stream import Acceptor, Stream
from gossamer.core.loop.checks import check_number
from gossamer.core.loop.streamcall import is_said_of
from gossamer.core.threads.cancel import TooSlowError
from gossamer.core.threads.current import running_number
from gossamer.core.threads.names import name_of
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.sync.semaphore import Semaphore

log = logging.getLogger(__name__)

Handler = Callable[[Stream], Coroutine[Any, Any, object]]
"""An async function of one stream."""

FAILED: Final = "%s failed with %r"
GAVE_UP: Final = "%s gave up %r: %s"

CONNECTIONS_MAX: Final = 65_536
"""Connections that are served at once, where nothing else is asked for."""


def guarded(handler: Handler) -> Callable[[Stream], Coroutine[Any, Any, None]]:
    """The same handler, with the stream closed when it returns, and aborted when it fails.

    A peer that has left, or was silent for too long, is no error of the handler's, nor is the server's
    draining: those go no further. A limit that the handler set itself with `fail_after` is a line of the log.
    Raises, when called: whatever else the handler raises.
    """

    async def serve_stream(stream: Stream) -> None:
        """One connection, whose end is the end of the handler."""
        # Not the thread: an error would lead to it by this frame, and it to the error.
        number = running_number()
        try:
            await handler(stream)
        except BaseException as error:
            if isinstance(error, GeneratorExit) and running_number() != number:
                raise  # nobody raised it: the thread is thrown away, and may not block any more
            await stream.abort()
            fault = fault_in(stream, error)
            if (slow := too_slow(fault)) is not None:
                log.warning(GAVE_UP, name_of(handler), stream, slow)
                return
            if fault is error:
                raise
            if fault is not None:
                raise fault from None
        else:
            await stream.close()

    # The name of each connection's thread in logs and dumps.
    serve_stream.__qualname__ = name_of(handler)
    return serve_stream


def fault_in(stream: Stream, error: BaseException) -> BaseException | None:
    """What of a handler's error goes on, None for nothing: of a group what `is_no_fault` does not hold for.

    So of a peer that leaves while the handler's threads are cancelled only the `Cancelled` is left.
    """
    if isinstance(error, BaseExceptionGroup):
        return error.split(lambda each: is_no_fault(stream, each))[1]
    return None if is_no_fault(stream, error) else error


def too_slow(fault: BaseException | None) -> TooSlowError | None:
    """The limit of `fail_after` that was reached, where nothing else went wrong: for a group the first."""
    if isinstance(fault, BaseExceptionGroup):
        found = [too_slow(each) for each in fault.exceptions]
        return found[0] if None not in found else None
    return fault if isinstance(fault, TooSlowError) else None


def is_no_fault(stream: Stream, error: BaseException) -> bool:
    """Whether an error of a handler, or every one of a group, says only that the peer has left or is silent,
    or that the server drains."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_no_fault(stream, each) for each in error.exceptions)
    return isinstance(error, Draining) or is_said_of(stream, error)


async def serve(acceptor: Acceptor, handler: Handler, *, connections_max: int = CONNECTIONS_MAX) -> None:
    """Serve every connection of an acceptor with a thread that runs `handler(stream)`, until the acceptor is
    closed and the last connection has ended.

    What one handler raises is logged, and ends its own connection: a limit of `fail_after` as one line, a
    peer that leaves not at all. The stream is closed when its handler returns. To end at once, cancel it.

    >>> from gossamer import listen, open_connection, open_nursery, run, serve
    >>> async def echo(stream):
    ...     async for data in stream:
    ...         await stream.send(data)
    >>> async def main():
    ...     async with open_nursery() as nursery, listen(("127.0.0.1", 0)) as acceptor:
    ...         nursery.start_soon(serve, acceptor, echo)
    ...         async with await open_connection(*acceptor.local) as stream:
    ...             await stream.send(b"hello")
    ...             return await stream.recv()
    >>> run(main())
    b'hello'

    Bounds: `connections_max` are served at once; further ones wait to be accepted.

    Raises: OSError when accepting fails; MisuseError for a wrong argument.
    """
    check_number("connections_max", connections_max, 1, 1 << 31)
    if not callable(handler):
        raise misuse("handler", handler, "an async function of one stream")
    if not hasattr(acceptor, "accept"):
        raise misuse("acceptor", acceptor, "a SockAcceptor, a TcpAcceptor or a UnixAcceptor")
    places = Semaphore(connections_max)
    connection = _Connection(guarded(handler), places)
    async with open_nursery() as nursery:
        await places.acquire()
        async for stream in acceptor:
            nursery.start_soon(connection.serve, stream, name=name_of(handler))
            await places.acquire()


class _Connection:
    """What the threads of one `serve` have in common."""

    __slots__ = ("_handle", "_places")

    def __init__(self, handle: Handler, places: Semaphore) -> None:
        self._handle = handle
        self._places = places

    async def serve(self, stream: Stream) -> None:
        """Serve one connection, and give its place back; what its handler raises is logged. Raises:
        `Cancelled`."""
        try:
            await self._handle(stream)
        except Exception as error:
            log.exception(FAILED, self._handle.__qualname__, stream, exc_info=error)
        except BaseExceptionGroup as group:
            # `Cancelled` stands in it, and goes on: a handler that failed meanwhile ends no more than itself.
            failed, others = group.split(Exception)
            if failed is not None:
                log.exception(FAILED, self._handle.__qualname__, stream, exc_info=failed)
            if others is not None:
                raise others from None
        finally:
            self._places.release()
