"""What a worker does with what it serves: one record of functions, whatever that is.

Owns the record, and how an application's connections and system calls get what they need of the worker.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final

import msgspec

from gossamer.core.io.stream import Connector, Stream
from gossamer.core.loop.continuing import Continuing
from gossamer.core.loop.streamcall import Idle
from gossamer.core.threads.eventloop import EventLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.web.mounted_site import Converse
from gossamer.shards.worker.stack import Stack, Statistics

Serve = Callable[[Stream], Coroutine[Any, Any, None]]

NOTHING: Final[dict[str, int]] = {}


def nothing() -> None:
    """What an application does that has nothing to do."""


class Application(msgspec.Struct, frozen=True):
    """What to do with a connection, at each heartbeat, and at the server's end."""

    serve: Serve
    statistics: Statistics = lambda: NOTHING
    begin_end: Callable[[], None] = nothing
    """Has every answer from now on say that its connection is closed after it."""
    drain: Callable[[], None] = nothing
    at_heartbeat: Callable[[], None] = nothing
    start: Callable[[], Awaitable[None]] | None = None
    """What is to be done before anything is served, once the loops are there; raises ConfigError,
    CannotStartError."""
    finish: Callable[[int], Awaitable[None]] | None = None
    """What is to be done once nothing is served any more, by a time of the monotonic clock."""
    ends_by_itself: bool = False
    """Whether each connection has timeouts that end it, so that what it is about need not be cut."""
    isolates: bool = False
    """Whether each connection has context variables of its own, as a user's handler expects."""
    connect_with: Callable[[Connector], None] | None = None
    """Takes what opens connections on the worker's stack; None where the application opens none."""
    forget: Callable[[], None] = nothing
    """The folder is another: nothing that is kept of it may be answered any more."""
    idle: Idle | None = None
    """How it waits for the next request on a connection, where another thread, of another worker too, can go
    on with it; None where each connection is its handler's until that returns."""
    continuing: Continuing | None = None
    """How another worker goes on with what a thread was in the midst of; None where that cannot be said."""
    loops: Callable[[], Iterable[EventLoop]] = tuple
    """Makes the loops that take the application's own system calls."""
    converse: Converse | None = None
    """Makes a burst of its requests, where it serves HTTP."""
    handle: Callable[[Any], Awaitable[object]] | None = None
    """Serves a stream, where it is a handler: whoever calls it says what of its errors is a fault."""


def give_connector(application: Application, stack: Stack) -> None:
    """Give an application that opens connections what it opens them with. Raises: ConfigError."""
    if application.connect_with is None:
        return
    if stack.connector is None:
        raise ConfigError(
            "nfqueue.active_ports_per_worker: found 0; "
            "allowed: at least 1, since the handler opens connections itself, "
            "or application.connect_on_stack has an application open some"
        )
    application.connect_with(stack.connector)


def add_loops(application: Application, scheduler: Scheduler) -> None:
    """Plug in the loops of the application's own system calls. Raises: ConfigError."""
    for loop in application.loops():
        try:
            scheduler.add_loop(loop)
        except ValueError as error:
            raise ConfigError(f"the handler's loops: {error}") from error
