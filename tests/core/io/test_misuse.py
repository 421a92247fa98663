"""A wrong argument in any call on streams, sockets and pipes: the thread that made it gets MisuseError on its
own line, and another thread lives on."""

import inspect
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from gossamer.core.errors import MisuseError
from gossamer.core.io.buffered import BufferedReader
from gossamer.core.io.datagram import DatagramSocket
from gossamer.core.io.file import FileIO
from gossamer.core.io.pipe import PipeReader, PipeWriter, open_pipe
from gossamer.core.io.process import Process, open_process, run_process
from gossamer.core.io.resolve import open_connection, resolve
from gossamer.core.io.sendfile import send_file
from gossamer.core.io.serve import serve
from gossamer.core.io.sock import SockAcceptor, SockConnector, SockStream, listen
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.io.unix import UnixAcceptor, adopt_unix, connect_unix
from gossamer.core.loop.disk.loop import DiskLoop
from gossamer.core.loop.fd.loop import FdLoop
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sock import call as sockcall
from gossamer.core.loop.sock.call import (
    SockAdopt,
    SockConnect,
    SockRecv,
)
from gossamer.core.loop.tcp import call as tcpcall
from gossamer.core.loop.tcp.call import (
    TcpConnect,
    TcpRecv,
)
from gossamer.core.sim import states
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.threads.calls import sys_fork, sys_join, sys_yield
from gossamer.core.threads.systemcall import SystemCall

from ...parts import ask_each, named_part
from ..threads.freed import MANY_ROUNDS, joins, nothing_left
from .stacks import Functional, Kernel

NO_OPTIONS = SocketOptions()
LOCAL, REMOTE = ("127.0.0.1", 50_000), ("127.0.0.2", 80)

TIMEOUTS = ["1", -1, 1.5, None, True]
SIZES = ["1", -1, 0, 2**45, 1.5, None, True, b"1"]
DATA = ["text", None, 5, [1, 2]]
ADDRESSES = [
    ("localhost", 80),
    ("127.0.0.1", "80"),
    ("127.0.0.1", -1),
    ("127.0.0.1", 65_536),
    "127.0.0.1",
    None,
    80,
]
PLACES = ["0", -1, 2**63, None, 1.5]

# Each call: right arguments behind the record, and the wrong values of each.
SHARED: dict[str, tuple[tuple[Any, ...], tuple[list[Any], ...]]] = {
    "Recv": ((1, 1), (SIZES, TIMEOUTS)),
    "RecvIdle": ((1, 1, None), (SIZES, TIMEOUTS, [5, "idle", print])),
    "Send": ((b"x", 1), (DATA, TIMEOUTS)),
    "SendFile": ((0, 0, 1, 1), (["0", -1, 2**31, None], PLACES, PLACES, TIMEOUTS)),
    "Shutdown": ((), ()),
    "Close": ((), ()),
    "Abort": ((), ()),
    "SetOptions": ((NO_OPTIONS,), ([None, {}, "nodelay"],)),
    "GetOptions": ((), ()),
    "GetInfo": ((), ()),
    "Accept": ((), ()),
    "ListenClose": ((), ()),
}


def no_record(name: str) -> list[Any]:
    """What is no connection, or no listener, of that call's stack."""
    return [None, 5, "stream", object(), Exception if name.startswith("Tcp") else SockStream]


def wrong_calls() -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Every call class with each wrong argument, the others right; RECORD stands for the right record."""
    found: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
    for module, prefix in ((sockcall, "Sock"), (tcpcall, "Tcp")):
        for name, (right, wrongs) in SHARED.items():
            call = getattr(module, prefix + name, None)
            if call is None:
                assert (prefix, name) in (("Tcp", "SendFile"), ("Sock", "RecvIdle"))
                continue
            found += [(call, (record, *right)) for record in no_record(prefix)]
            for index, values in enumerate(wrongs):
                found += [(call, (RECORD, *right[:index], wrong, *right[index + 1 :])) for wrong in values]
    found += [(SockAdopt, (wrong, SockStream)) for wrong in (None, 5, "socket")]
    found += [(SockConnect, (wrong, 1, SockStream)) for wrong in ADDRESSES]
    found += [(SockConnect, (REMOTE, wrong, SockStream)) for wrong in TIMEOUTS]
    found += [(SockConnect, (REMOTE, 1, wrong)) for wrong in (None, 5, print, TcpStream)]
    found += [(SockConnect, (REMOTE, 1, SockStream, wrong)) for wrong in (None, {})]
    found += [(TcpConnect, (wrong, REMOTE, 1, TcpStream)) for wrong in ADDRESSES]
    found += [(TcpConnect, (LOCAL, wrong, 1, TcpStream)) for wrong in ADDRESSES]
    found += [(TcpConnect, (LOCAL, REMOTE, wrong, TcpStream)) for wrong in TIMEOUTS]
    found += [(TcpConnect, (LOCAL, REMOTE, 1, wrong)) for wrong in (None, 5, print, SockStream)]
    found += [(TcpConnect, (LOCAL, REMOTE, 1, TcpStream, wrong)) for wrong in (None, {})]
    found += [(TcpConnect, (LOCAL, REMOTE, 1, TcpStream, NO_OPTIONS, wrong)) for wrong in DATA]
    return found


RECORD = object()
"""Stands for a record that the call is right about."""


def functional_stream() -> TcpStream:
    return TcpStream(bytes(36), states.established(), None)


def with_record(call: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if RECORD not in arguments:
        return arguments
    right = socket.socket()
    made = SockStream(right) if call.__name__.startswith("Sock") else functional_stream()
    return tuple(made if each is RECORD else each for each in arguments)


def named(case: Any) -> str:
    # Without addresses: the processes that share the tests must agree on their names.
    return getattr(case, "__name__", None) or re.sub(r" at 0x\w+", "", repr(case))[:60]


async def lives_beside(wrong: Callable[[], Any]) -> int:
    """Make a wrong call while another thread runs; how far that came."""
    steps: list[int] = []

    async def another() -> None:
        for number in range(5):
            await sys_yield()
            steps.append(number)

    other = await sys_fork(another())
    with pytest.raises(MisuseError, match=r"found .*allowed is"):
        await wrong()
    await sys_join(other)
    return len(steps)


@pytest.mark.parametrize("call", dict.fromkeys(call for call, _ in wrong_calls()), ids=named)
def test_call_value__wrong_argument__misuse_in_the_thread_that_makes_it(call: Callable[..., Any]) -> None:
    wrong = [arguments for each, arguments in wrong_calls() if each is call]
    ask_each((named(arguments), partial(check_misuse, call, arguments)) for arguments in wrong)


def check_misuse(call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    stack = Kernel() if call.__name__.startswith("Sock") else Functional()
    filled = with_record(call, arguments)
    assert stack.run(lives_beside(lambda: call(*filled))) == 5
    stack.close()


@pytest.mark.parametrize("call", dict.fromkeys(call for call, _ in wrong_calls()), ids=named)
def test_thread_that_failed_by_a_call_and_was_joined__is_freed_without_the_collector(
    call: Callable[..., Any],
) -> None:
    stack = Kernel() if call.__name__.startswith("Sock") else Functional()
    wrong = [with_record(call, arguments) for each, arguments in wrong_calls() if each is call]

    async def fails(arguments: tuple[Any, ...]) -> None:
        await call(*arguments)

    async def main() -> None:
        with nothing_left():
            for number in range(MANY_ROUNDS):
                assert await joins(fails(wrong[number % len(wrong)]))

    stack.run(main())
    stack.close()


@pytest.mark.parametrize("module", [sockcall, tcpcall], ids=lambda module: module.__name__)
def test_table__has_every_call_class(module: Any) -> None:
    calls = {
        value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, SystemCall) and value.__module__ == module.__name__
    }
    assert calls == {call for call, _ in wrong_calls() if call.__module__ == module.__name__}


@pytest.mark.parametrize("call", [TcpRecv, SockRecv])
def test_stream_of_the_other_stack__misuse(call: Any) -> None:
    """A loop is never given another's record."""
    stack = Kernel() if call is SockRecv else Functional()
    other: Any = functional_stream() if call is SockRecv else SockStream(socket.socket())

    async def main() -> int:
        return await lives_beside(lambda: call(other, 1))

    assert stack.run(main()) == 5
    stack.close()


# The methods and functions of core.io.


@pytest.fixture
def whole() -> Any:
    """A scheduler with every loop that core.io needs."""
    rig = Kernel()
    pool = PoolLoop()
    for loop in (FdLoop(), DiskLoop(pool)):
        rig.scheduler.add_loop(loop)
    yield rig
    rig.close()


@asynccontextmanager
async def everything() -> AsyncIterator[dict[str, Any]]:
    """One of each thing that has methods."""
    acceptor = listen(("127.0.0.1", 0))
    stream = await SockConnector().connect(acceptor.local)
    reader, writer = open_pipe()
    child = await open_process(["cat"], stdin=-1, stdout=-1)
    async with acceptor, stream, reader, writer, child, DatagramSocket.bind("127.0.0.1") as datagrams:
        yield {
            "stream": stream,
            "reader": reader,
            "writer": writer,
            "datagrams": datagrams,
            "child": child,
            "buffered": BufferedReader(reader),
        }


METHODS: list[tuple[str, str, tuple[Any, ...]]] = [
    *(("stream", "recv", (wrong,)) for wrong in SIZES),
    *(("stream", "recv", (1, wrong)) for wrong in TIMEOUTS),
    *(("stream", "send", (wrong,)) for wrong in DATA),
    *(("stream", "send", (b"x", wrong)) for wrong in TIMEOUTS),
    *(("stream", "send_last", (wrong,)) for wrong in DATA),
    *(("stream", "send_file", (wrong, 0, 1)) for wrong in ("0", -1, None)),
    *(("stream", "send_file", (0, wrong, 1)) for wrong in PLACES),
    *(("stream", "send_file", (0, 0, wrong)) for wrong in PLACES),
    ("stream", "send_file", (0, 2**63 - 1, 1)),
    *(("stream", "send_file", (0, 0, 1, wrong)) for wrong in TIMEOUTS),
    *(("stream", "set_options", (wrong,)) for wrong in (None, {}, "nodelay")),
    *(("reader", "recv", (wrong,)) for wrong in SIZES),
    *(("writer", "send", (wrong,)) for wrong in DATA),
    *(("datagrams", "recv_from", (wrong,)) for wrong in SIZES),
    *(("datagrams", "send_to", (wrong, REMOTE)) for wrong in DATA),
    *(("datagrams", "send_to", (b"x", wrong)) for wrong in ADDRESSES),
    *(("buffered", "read", (wrong,)) for wrong in SIZES),
    *(("buffered", "readexactly", (wrong,)) for wrong in ("1", -1, 2**45, 1.5, None)),
    *(("buffered", "readuntil", (wrong,)) for wrong in (*DATA, b"")),
]


@pytest.mark.parametrize(("owner", "method"), dict.fromkeys(each[:2] for each in METHODS), ids=named)
def test_method__wrong_argument__misuse_in_the_thread(whole: Kernel, owner: str, method: str) -> None:
    wrong = [arguments for *place, arguments in METHODS if place == [owner, method]]

    async def main() -> None:
        async with everything() as things:
            for arguments in wrong:
                with named_part(named(arguments)):
                    assert await lives_beside(partial(getattr(things[owner], method), *arguments)) == 5

    whole.run(main())


FUNCTIONS: list[tuple[Callable[..., Awaitable[Any]], tuple[Any, ...]]] = [
    *((SockConnector().connect, (wrong,)) for wrong in ADDRESSES),
    *((resolve, (wrong, 80)) for wrong in (None, 5, b"name")),
    *((resolve, ("127.0.0.1", wrong)) for wrong in ("80", -1, 65_536, None)),
    *((open_connection, (wrong, 80)) for wrong in (None, SockConnector())),
    *((open_connection, ("127.0.0.1", 80, wrong)) for wrong in TIMEOUTS),
    *((connect_unix, (wrong,)) for wrong in (None, 5, b"path", "a\0b")),
    *((adopt_unix, (wrong,)) for wrong in (None, 5, "socket")),
    *((run_process, (["true"], wrong)) for wrong in DATA),
    *((run_process, (wrong,)) for wrong in (None, 5, [])),
    *((open_process, (wrong,)) for wrong in (None, 5, [])),
    *((serve, (wrong, print)) for wrong in (None, 5)),
]


@pytest.mark.parametrize(("function", "arguments"), FUNCTIONS, ids=named)
def test_function__wrong_argument__misuse_in_the_thread(
    whole: Kernel, function: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    async def main() -> int:
        return await lives_beside(lambda: function(*arguments))

    assert whole.run(main()) == 5


def test_send_file__wrong_argument__misuse_in_the_thread(whole: Kernel, tmp_path: Any) -> None:
    (tmp_path / "file").write_bytes(b"text")
    folder = os.open(tmp_path, os.O_RDONLY)

    async def main() -> list[int]:
        async with await FileIO(folder).open("file") as file, everything() as things:
            stream = things["stream"]
            wrong = [
                *((None, file, 0, 1), (stream, None, 0, 1), (stream, "file", 0, 1)),
                *((stream, file, place, 1) for place in PLACES),
                *((stream, file, 0, place) for place in PLACES),
                *((stream, file, 0, 1, time) for time in TIMEOUTS),
                *((stream, file, 0, 1, 1, size) for size in ("1", 0, -1, None)),
            ]
            return [await lives_beside(lambda each=each: send_file(*each)) for each in wrong]  # type: ignore[misc]

    assert set(whole.run(main())) == {5}
    os.close(folder)


def test_send_signal__no_signal__misuse(whole: Kernel) -> None:
    async def main() -> None:
        async with everything() as things:
            child: Process = things["child"]
            for wrong in ("9", -1, 1000, None):
                with pytest.raises(MisuseError, match="number: found"):
                    child.send_signal(wrong)  # type: ignore[arg-type]

    whole.run(main())


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        *((PipeReader, (wrong,)) for wrong in ("0", -1, None)),
        *((PipeWriter, (wrong,)) for wrong in ("0", -1, None)),
        *((SockAcceptor, (wrong,)) for wrong in (None, 5, "socket")),
        *((UnixAcceptor, (wrong,)) for wrong in (None, 5, "socket")),
        *((UnixAcceptor.bind, (wrong,)) for wrong in (None, 5, b"path")),
        *((UnixAcceptor.bind, ("/x", wrong)) for wrong in ("1", -1, None)),
        *((DatagramSocket, (wrong,)) for wrong in (None, 5, "socket")),
        *(
            (DatagramSocket.bind, wrong)
            for wrong in (("localhost", 0), ("127.0.0.1", "0"), ("127.0.0.1", -1))
        ),
        *((BufferedReader, (wrong,)) for wrong in (None, 5)),
        *((listen, (wrong,)) for wrong in ADDRESSES),
        *((listen, (LOCAL, wrong)) for wrong in ("1", -1, None)),
    ],
    ids=named,
)
def test_made_of_what_it_cannot_be_made_of__misuse_at_once(make: Any, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(MisuseError, match=r"found .*allowed is"):
        make(*arguments)


def test_acceptor__of_a_socket_that_does_not_listen__misuse() -> None:
    with socket.socket() as idle, pytest.raises(MisuseError, match="call its listen"):
        SockAcceptor(idle)


@pytest.mark.parametrize("address", ADDRESSES)
def test_tcp_acceptor__wrong_address__misuse(address: Any) -> None:
    stack = Functional()
    with pytest.raises(MisuseError, match=r"found .*allowed is"):
        TcpAcceptor(stack.server.loop, address, DEFAULT_PARAMETERS)
    stack.close()
