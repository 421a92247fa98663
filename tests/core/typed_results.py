"""What mypy must find: the type of what each public call of the library returns. Never run; see
`test_types.py`.

A line with `type: ignore` must be an error, since strict mypy refuses an ignore that is not needed.
"""

import signal
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, assert_type

from gossamer.core.clock import monotonic_us
from gossamer.core.io.buffered import BufferedReader
from gossamer.core.io.datagram import DatagramSocket
from gossamer.core.io.file import File, FileIO, FileStatus
from gossamer.core.io.lingering import linger
from gossamer.core.io.pipe import PipeReader, PipeWriter, open_pipe
from gossamer.core.io.process import Completed, Process, open_process, run_process
from gossamer.core.io.resolve import open_connection, resolve
from gossamer.core.io.sendfile import send_file, send_pieces
from gossamer.core.io.serve import guarded, serve
from gossamer.core.io.signals import SignalSocket
from gossamer.core.io.sock import SockAcceptor, SockConnector, SockStream, listen
from gossamer.core.io.stream import Acceptor, Connector, Stream
from gossamer.core.io.tcpsock import TcpAcceptor, TcpConnector, TcpStream
from gossamer.core.io.unix import UnixAcceptor, UnixStream, adopt_unix, connect_unix
from gossamer.core.io.websocket import WebSocket, accept_websocket
from gossamer.core.loop.ctrlc import CtrlC
from gossamer.core.loop.disk.call import AioEngine, sys_aio_read, sys_aio_sync, sys_aio_write
from gossamer.core.loop.fd.descriptor import EdgeWatch
from gossamer.core.loop.program import run
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.call import TcpRecv, sys_tcp
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
from gossamer.core.threads.cancel import CancelScope, fail_after, move_on_after
from gossamer.core.threads.nursery import Nursery, open_nursery
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.sync import (
    NOTHING,
    Channel,
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
from gossamer.core.wire.flow import Address


async def square(number: int, name: str = "") -> int:
    assert name
    return number * number


async def threads(scheduler: Scheduler) -> None:
    thread = await sys_fork(square(3), "three")
    assert_type(thread, Thread[int])
    assert_type(await sys_join(thread), int)
    assert_type(scheduler.spawn(square(3)), Thread[int])
    assert_type(run(square(3)), int)
    assert_type(await sys_yield(), None)
    assert_type(await sys_sleep(1_000), None)
    await sys_fork(square)  # type: ignore[arg-type]  # a coroutine, not its function
    await sys_join(square(3))  # type: ignore[arg-type]
    await sys_sleep(0.5)  # type: ignore[arg-type]  # whole microseconds


async def leaves() -> int:
    await sys_ret("from within")  # nothing comes after it, so no `return` is missed


def throws() -> int:
    sys_throw(ValueError("no"))


async def catches() -> None:
    async def length_of(error: Exception) -> int:
        return len(str(error))

    async def misled(error: KeyError) -> int:
        return len(error.args)

    assert_type(await sys_catch(square(3), length_of), int)
    await sys_catch(square(3), misled)  # type: ignore[arg-type]


async def functions() -> None:
    assert_type(await sys_nbio(len, "word"), int)
    assert_type(await sys_blio(sorted, [2, 1], reverse=True), list[int])
    assert_type(await sys_blio_to_end(str.upper, "word"), str)
    await sys_nbio(len)  # type: ignore[call-arg]
    await sys_blio(chr, "a")  # type: ignore[arg-type]
    await sys_blio_to_end(chr, "a")  # type: ignore[arg-type]


async def waits(wakers: deque[Callable[[str], None]]) -> None:
    assert_type(await sys_park(wakers), str)
    assert_type(await sys_epoll_wait(3, 1), int)
    assert_type(await sys_notify_closing(3), None)
    async with EdgeWatch(3, 1) as watch:
        assert_type(await watch.wait(), int)
    assert_type(await sys_aio_read(3, 0, 100), bytes)
    assert_type(await sys_aio_write(3, 0, b""), int)
    assert_type(await sys_aio_sync(3), None)
    assert_type(await AioEngine(), str)


async def nurseries() -> None:
    with move_on_after(1) as scope, fail_after(1) as other:
        assert_type(scope, CancelScope)
        assert_type(other, CancelScope)
    async with open_nursery() as nursery:
        assert_type(nursery, Nursery)
        nursery.start_soon(square, 3, name="three")
        nursery.start_soon(square, 3, "three")
        nursery.start_soon(open_pipe()[1].send, b"a method that returns a call")
        nursery.start_soon(square, "three")  # type: ignore[arg-type]
        nursery.start_soon(square)  # type: ignore[arg-type]
        nursery.start_soon(square, 3, "three", 3)  # type: ignore[arg-type]
        nursery.start_soon(len, "word")  # type: ignore[arg-type]  # nothing to await


async def between(mutex: Mutex, places: Semaphore, event: Event, condition: Condition) -> None:
    assert_type(await mutex.lock(), None)
    assert_type(await places.acquire(), None)
    assert_type(await event.wait(), None)
    assert_type(await condition.wait(), None)
    async with mutex, places, condition:
        assert_type(places.free, int)


async def channels(words: Channel[str], numbers: Channel[int]) -> None:
    assert_type(await words.receive(), str)
    assert_type(await numbers.send(1), None)
    await numbers.send("one")  # type: ignore[arg-type]
    if (word := words.try_receive()) is not NOTHING:
        assert_type(word, str)
    async for number in numbers:
        assert_type(number, int)


async def selects(words: Channel[str], numbers: Channel[int]) -> None:
    _index, value = await select(receiving(words), receiving(numbers))
    assert_type(value, str | int)
    assert_type(await select(*[receiving(words)]), tuple[int, str])
    match await select(receiving(words), sending(numbers, 1), receiving(numbers)):
        case 0, word:
            assert_type(word, str)
        case 1, nothing:
            assert_type(nothing, None)
        case 2, number:
            assert_type(number, int)
    sending(numbers, "one")  # type: ignore[misc]


async def transactions(balance: TVar[int]) -> None:
    def withdraw(tx: Transaction) -> str:
        assert_type(tx.read(balance), int)
        tx.write(balance, "ten")  # type: ignore[misc]
        return tx.or_else(lambda tx: tx.retry(), lambda tx: str(tx.read(balance)))

    assert_type(balance.value, int)
    assert_type(await atomically(withdraw), str)


async def handles(stream: Stream) -> None:
    async with stream:
        async for data in stream:
            assert_type(data, bytes)


async def streams(stream: Stream, acceptor: Acceptor, connector: Connector) -> None:
    assert_type(await stream.recv(), bytes)
    assert_type(await stream.recv_idle(Idle(handles, 1, 1)), bytes)
    assert_type(await stream.send(b""), None)
    assert_type(await stream.send_last(b""), None)
    assert_type(await stream.shutdown(), None)
    assert_type(await stream.close(), None)
    assert_type(await stream.abort(), None)
    assert_type(await stream.set_options(SocketOptions()), None)
    assert_type(await stream.options(), SocketOptions)
    assert_type(await stream.info(), TcpInfo)
    assert_type(await acceptor.accept(), Stream)
    assert_type(await acceptor.close(), None)
    assert_type(await connector.connect(("127.0.0.1", 80)), Stream)
    assert_type(await open_connection("localhost", 80, connector=connector), Stream)
    assert_type(await resolve("localhost", 80), list[Address])
    assert_type(await serve(acceptor, handles), None)
    assert_type(await guarded(handles)(stream), None)
    buffered = BufferedReader(stream)
    assert_type(await buffered.read(), bytes)
    assert_type(await buffered.readline(), bytes)
    assert_type(await buffered.readuntil(b"\r\n"), bytes)
    assert_type(await buffered.readexactly(4), bytes)
    await stream.send("text")  # type: ignore[arg-type]
    assert_type(await linger(stream, monotonic_us), None)


async def websockets(stream: Stream) -> None:
    websocket = await accept_websocket(stream)
    assert_type(websocket, WebSocket | None)
    assert websocket is not None
    assert_type(await websocket.receive(), str | bytes | None)
    assert_type(await websocket.send("text"), None)
    assert_type(await websocket.close(), None)


async def kernel_sockets(stream: SockStream, acceptor: SockAcceptor, connector: SockConnector) -> None:
    await streams(stream, acceptor, connector)
    assert_type(listen(("127.0.0.1", 0)), SockAcceptor)
    assert_type(await stream.recv(), bytes)
    assert_type(await stream.send_file(3, 0, 100), int)
    assert_type(await acceptor.accept(), SockStream)
    assert_type(await connector.connect(acceptor.local), SockStream)


async def functional_tcp(stream: TcpStream, acceptor: TcpAcceptor, connector: TcpConnector) -> None:
    await streams(stream, acceptor, connector)
    assert_type(await stream.recv(), bytes)
    assert_type(await sys_tcp(TcpRecv(stream, 1)), bytes)
    assert_type(await acceptor.accept(), TcpStream)
    assert_type(await connector.connect(acceptor.local, data=b""), TcpStream)


async def unix_sockets(stream: UnixStream, acceptor: UnixAcceptor) -> None:
    await streams(stream, acceptor, SockConnector())
    assert_type(await acceptor.accept(), UnixStream)
    assert_type(await connect_unix("/run/socket"), UnixStream)
    assert_type(await adopt_unix(socket.socket()), UnixStream)


async def files(directory: FileIO, stream: Stream) -> None:
    file = await directory.open("log", "a")
    assert_type(file, File)
    assert_type(await directory.stat("log"), FileStatus)
    assert_type(await file.read(0, 100), bytes)
    assert_type(await file.write(0, b""), None)
    assert_type(await file.fsync(), None)
    assert_type(await file.truncate(0), None)
    assert_type(await file.send_to(stream), int)
    assert_type(await send_file(stream, file, 0, 100), int)
    assert_type(await send_pieces(stream, file, 0, 100, 1, 10, lambda _end: None), int)
    await directory.open("log", "rb")  # type: ignore[arg-type]


async def pipes_and_datagrams(datagrams: DatagramSocket) -> None:
    reader, writer = open_pipe()
    assert_type((reader, writer), tuple[PipeReader, PipeWriter])
    assert_type(await reader.recv(), bytes)
    assert_type(await reader.close(), None)
    assert_type(await writer.send(b""), None)
    assert_type(await writer.close(), None)
    data, peer = await datagrams.recv_from()
    assert_type(data, bytes)
    assert_type(peer, Any)  # as the standard library has it: what it is depends on the family
    assert_type(await datagrams.send_to(data, peer), None)
    assert_type(await datagrams.close(), None)


async def children_and_signals() -> None:
    child = await open_process(["true"])
    assert_type(child, Process)
    assert_type(await child.wait(), int)
    assert_type(await child.close(), None)
    assert_type(await run_process(["true"]), Completed)
    async for number in SignalSocket([signal.SIGTERM]):
        assert_type(number, int)
    with CtrlC() as ctrl_c, CancelScope() as scope:
        assert_type(await ctrl_c.calls_off(scope), None)
