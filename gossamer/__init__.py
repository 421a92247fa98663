"""Threads written as if they blocked, event loops that anybody may add, and a TCP that is a pure function.

    import gossamer

    async def echo(stream):
        async for data in stream:
            await stream.send(data)

    async def main():
        async with gossamer.listen(("127.0.0.1", 7000)) as acceptor:
            await gossamer.serve(acceptor, echo)

    gossamer.run(main())

A program is an async function that `run` runs. Its threads are coroutines, as cheap as a few hundred bytes;
where one waits, it makes a system call, and others go on. Nothing needs a lock for what happens between two
awaits.

Here is what programs need, in the order of `__all__`. Beside it stand

    gossamer.lowlevel   for writers of system calls and event loops
    gossamer.tcp        the TCP as a function: records, events, actions, step
    gossamer.testing    a virtual clock, simulated hosts, connections in every state

Everything else is internal and may change in any release. People count in seconds (`sleep`, `move_on_after`,
`fail_after`); what ends in `_us` counts microseconds, as do all calls that begin with `sys_`.
"""

from importlib.metadata import version as _version

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

__version__ = _version("gossamer")
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
