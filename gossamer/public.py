"""The public names of `gossamer`, which hands them on.

A module of their own, so that a command or a worker, whose modules name what they use by its place, loads no
more than that.
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
from gossamer.core.loop.disk.call import sys_aio_read, sys_aio_sync, sys_aio_write
from gossamer.core.loop.fd.descriptor import EdgeWatch
from gossamer.core.loop.from_thread import Token, sys_token
from gossamer.core.loop.program import run
from gossamer.core.tcp.info import TcpInfo
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.threads.calls import (
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

DEPRECATED: dict[str, tuple[str, str]] = {}
"""Names that go: what stands in the place of each, and since which version. Each lives one minor version at
least (docs/versions.md)."""

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

    return version("gossamer")
