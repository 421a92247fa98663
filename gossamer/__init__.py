"""Threads written as if they blocked, event loops that anybody may add, and a TCP that is a pure function.

A program is an async function that `run` runs. This one answers each client with what it sends:

    import gossamer

    async def echo(stream):
        async for data in stream:
            await stream.send(data)

    async def main():
        async with gossamer.listen(("127.0.0.1", 7000)) as acceptor:
            await gossamer.serve(acceptor, echo)

    gossamer.run(main())

Its threads are coroutines, of a few hundred bytes each. Only where a thread awaits does another one get its
turn: so what happens between two awaits needs no lock, and a function that blocks without an await holds up
all threads. Call such a function in a pool, by `await sys_blio(function, *arguments)`.

Threads are started in a nursery, a block that is left when all of them have ended; any block can be given a
time:

    >>> from gossamer import Channel, move_on_after, open_nursery, run, sleep
    >>> async def greet(name, seconds):
    ...     await sleep(seconds)
    ...     print("hello,", name)
    >>> async def main():
    ...     with move_on_after(2):
    ...         async with open_nursery() as nursery:
    ...             nursery.start_soon(greet, "tortoise", 0.02)
    ...             nursery.start_soon(greet, "hare", 0.01)
    >>> run(main())
    hello, hare
    hello, tortoise

When one of them fails, the others are cancelled, and what went wrong comes out of the block as an
ExceptionGroup. Threads hand values to each other by a channel:

    >>> async def count(channel):
    ...     for number in range(3):
    ...         await channel.send(number)
    ...     channel.close()
    >>> async def main():
    ...     channel = Channel(capacity=1)
    ...     async with open_nursery() as nursery:
    ...         nursery.start_soon(count, channel)
    ...         return [number async for number in channel]
    >>> run(main())
    [0, 1, 2]

People count in seconds (`sleep`, `move_on_after`, `fail_after`); what ends in `_us` counts microseconds, as
do all calls that begin with `sys_`. A wrong argument is a `MisuseError` on the line that passed it.

All names, in the order of `__all__`; `help(gossamer.Channel)` and the like describe one name in full, with an
example:

    to begin          run, sleep
    threads           open_nursery; move_on_after, fail_after, CancelScope
    between threads   Channel, select; Event, Mutex, Semaphore, Condition
    transactions      TVar, atomically
    streams           open_connection, listen, serve; BufferedReader for lines; SocketOptions, send_file
    other sockets     SockConnector, connect_unix, UnixAcceptor, DatagramSocket; TcpConnector
    the system        FileIO, open_pipe, run_process, open_process, SignalSocket
    system calls      sys_fork, sys_join, sys_yield, sys_blio, sys_epoll_wait, sys_aio_read, ...
    from outside      from_thread, sys_token: the way in for other operating-system threads
    looking inside    all_threads, status, stack_dump
    errors            MisuseError, BoundExceeded, IncompleteReadError; the network's are Python's OSErrors

Beside it stand

    gossamer.aio        asyncio on the scheduler of the threads: its programs run as they are
    gossamer.lowlevel   for writers of system calls and event loops
    gossamer.tcp        the TCP as a function: records, events, actions, step
    gossamer.testing    a virtual clock, simulated hosts, connections in every state
    gossamer.websocket  WebSocket for handlers, and without I/O
    gossamer.wsgi       WSGI applications as handlers

Everything else is internal and may change in any release. The command line (`gossamer serve`, or `python -P
-m gossamer serve`) runs handlers such as `echo` in several processes, over kernel sockets or over that TCP.
docs/threads.md is the guide.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gossamer.public import *  # noqa: F403 - all of its names, which it lists in `__all__`


def __getattr__(name: str) -> Any:
    """A public name, when somebody asks for it first: commands and workers ask for none, and load less."""
    public = import_module("gossamer.public")
    if name in public.DEPRECATED:
        return _deprecated(name, *public.DEPRECATED[name])
    if name not in ("__all__", *public.__all__):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(public, name)
    return value


def _deprecated(name: str, instead: str, since: str) -> Any:
    """What stands in a name's place, each time with a warning that says so."""
    from warnings import warn  # Nothing is deprecated mostly.

    said = f"gossamer.{name} is deprecated since {since}; use gossamer.{instead}"
    warn(said, DeprecationWarning, stacklevel=3)
    return __getattr__(instead)


def __dir__() -> list[str]:
    """What is public, and what every module has."""
    return sorted({*globals(), *__getattr__("__all__")})
