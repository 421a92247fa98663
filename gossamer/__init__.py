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

    gossamer.lowlevel   for writers of system calls and event loops
    gossamer.tcp        the TCP as a function: records, events, actions, step
    gossamer.testing    a virtual clock, simulated hosts, connections in every state

Everything else is internal and may change in any release. The command line (`gossamer serve`, or `python -P
-m gossamer serve`) runs handlers such as `echo` in several processes, over kernel sockets or over that TCP.
docs/threads.md is the guide.
"""

from gossamer.core.errors import (
    BoundExceeded,
    Draining,
    GossamerError,
    IncompleteReadError,
    MisuseError,
)
from gossamer.core.io.buffered import BufferedReader
from gossamer.core.io.datagram import DatagramSocket
from gossamer.core.io.file import File, FileIO, FileStatus
from gossamer.core.io.pipe import PipeReader, PipeWriter, open_pipe
from gossamer.core.io.process import Completed, Process, open_process, run_process
from gossamer.core.io.resolve import open_connection, resolve
from gossamer.core.io.sendfile import send_file
from gossamer.core.io.serve import serve
from gossamer.core.io.signals import SignalSocket
from gossamer.core.io.sock import SockAcceptor, SockConnector, SockStream, listen
from gossamer.core.io.stream import Acceptor, Connector, Stream
from gossamer.core.io.tcpsock import TcpAcceptor, TcpConnector, TcpStream
from gossamer.core.io.unix import UnixAcceptor, UnixStream, connect_unix
from gossamer.core.loop import from_thread
from gossamer.core.loop.fd.descriptor import EdgeWatch
from gossamer.core.loop.from_thread import Token, sys_token
from gossamer.core.loop.program import run
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.threads.calls import (
    sys_aio_read,
    sys_aio_sync,
    sys_aio_write,
    sys_blio,
    sys_blio_to_end,
    sys_catch,
    sys_epoll_wait,
    sys_fork,
    sys_join,
    sys_nbio,
    sys_notify_closing,
    sys_park,
    sys_ret,
    sys_sleep,
    sys_throw,
    sys_yield,
)
from gossamer.core.threads.cancel import Cancelled, CancelScope, TooSlowError, fail_after, move_on_after
from gossamer.core.threads.current import current_thread
from gossamer.core.threads.introspection import ThreadStatus, all_threads, stack_dump, status
from gossamer.core.threads.nursery import Nursery, open_nursery
from gossamer.core.threads.seconds import sleep
from gossamer.core.threads.starting import Started, nobody_waits
from gossamer.core.threads.sync import (
    NOTHING,
    Channel,
    ChannelClosed,
    Condition,
    Event,
    Mutex,
    Semaphore,
    Transaction,
    TVar,
    atomically,
    receiving,
    select,
    sending,
)
from gossamer.core.threads.thread import Thread

__version__: str
"""The version that is installed."""

__all__ = [
    # A program, and time in it.
    "run",
    "sleep",
    "__version__",
    # Threads: children that end with their block, limits of time, cancelling.
    "open_nursery",
    "Nursery",
    "Started",
    "nobody_waits",
    "move_on_after",
    "fail_after",
    "CancelScope",
    "Cancelled",
    "TooSlowError",
    # Threads wait for each other: one at a time, until something has happened, values handed over.
    "Mutex",
    "Semaphore",
    "Condition",
    "Event",
    "Channel",
    "ChannelClosed",
    "select",
    "receiving",
    "sending",
    "NOTHING",
    # Transactions on shared variables.
    "TVar",
    "Transaction",
    "atomically",
    # Streams over either stack: to connect, to listen, to serve, to read by lines.
    "open_connection",
    "listen",
    "serve",
    "Stream",
    "Acceptor",
    "Connector",
    "BufferedReader",
    "SocketOptions",
    "TcpInfo",
    "resolve",
    "send_file",
    # Kernel sockets, Unix sockets, datagrams; the functional TCP.
    "SockStream",
    "SockAcceptor",
    "SockConnector",
    "UnixStream",
    "UnixAcceptor",
    "connect_unix",
    "DatagramSocket",
    "TcpStream",
    "TcpAcceptor",
    "TcpConnector",
    # Files, pipes, processes, signals.
    "FileIO",
    "File",
    "FileStatus",
    "open_pipe",
    "PipeReader",
    "PipeWriter",
    "run_process",
    "Completed",
    "open_process",
    "Process",
    "SignalSocket",
    # The paper's system calls.
    "sys_fork",
    "sys_join",
    "sys_yield",
    "sys_ret",
    "sys_throw",
    "sys_catch",
    "sys_sleep",
    "sys_park",
    "sys_nbio",
    "sys_blio",
    "sys_blio_to_end",
    "sys_epoll_wait",
    "sys_notify_closing",
    "EdgeWatch",
    "sys_aio_read",
    "sys_aio_write",
    "sys_aio_sync",
    # From other operating-system threads.
    "from_thread",
    "sys_token",
    "Token",
    # What threads are doing.
    "current_thread",
    "all_threads",
    "status",
    "ThreadStatus",
    "stack_dump",
    "Thread",
    # Errors; what the network says comes as Python's own OSErrors.
    "GossamerError",
    "MisuseError",
    "BoundExceeded",
    "IncompleteReadError",
    "Draining",
]


def __getattr__(name: str) -> str:
    """`__version__`, read when somebody asks: what it takes would be a quarter of every start."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version(__name__)
