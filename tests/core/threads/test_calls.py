"""What a thread passes wrongly is refused on its line, by one error, and every other thread lives on.

A table over every class of calls: a new class without a row fails the test. The calls of streams and
acceptors are held by the tests of `core.io`.
"""

import importlib
import os
import pkgutil
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from functools import partial
from select import EPOLLIN
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

import gossamer.core
from gossamer.core.aio.calls import AwaitFuture
from gossamer.core.aio.standby import AtRest
from gossamer.core.errors import BoundExceeded, MisuseError
from gossamer.core.io.pipe import open_pipe
from gossamer.core.loop.checks import RECV_BYTES_MAX
from gossamer.core.loop.disk.call import AioEngine, AioRead, AioSync, AioWrite
from gossamer.core.loop.fd.call import FdClose, FdRead, FdReadable, FdWritable, FdWrite
from gossamer.core.loop.fd.descriptor import EdgeClose, EdgeWait, EdgeWatch
from gossamer.core.loop.from_thread import FromThread
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import (
    Blio,
    BlioToEnd,
    EpollWait,
    Fork,
    Join,
    Nbio,
    NotifyClosing,
    Park,
    Ret,
    Sleep,
    Yield,
    sys_blio,
    sys_blio_to_end,
    sys_epoll_wait,
    sys_fork,
    sys_join,
    sys_nbio,
    sys_sleep,
    sys_yield,
)
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.systemcall import SystemCall

OF_STREAMS = ("loop.streamcall", "loop.sock.call", "loop.tcp.call", "tls.call", "tls.stream")
ELSEWHERE = tuple(f"gossamer.core.{name}" for name in OF_STREAMS)
"""Held by the contract of streams."""


async def coroutine_function() -> None: ...


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


TYPES: dict[str, Any] = {
    "None": None,
    "str": "0",
    "float": 1.5,
    "bool": True,
    "object": object(),
    "list": [1],
    "function": coroutine_function,
    "unprintable": Unprintable(),
}
"""Of every type that is mistaken for another now and then; a row leaves out what its field takes."""

NO_FD = {"-2": -2, "2**31": 2**31, "2**63": 2**63, "2**64": 2**64, "-2**63": -(2**63)}
NO_EVENTS = {"-1": -1, "2**32": 2**32, "2**64": 2**64}
NO_OFFSET = {"-1": -1, "2**63 - 1": 2**63 - 1, "2**63": 2**63, "2**64": 2**64}
NO_LENGTH = {"-1": -1, "2**63": 2**63}
NO_READ = {"0": 0, "-1": -1, "2**31": 2**31, "2**63": 2**63}


def released() -> memoryview:
    view = memoryview(b"gone")
    view.release()
    return view


NO_DATA = {"int": 5, "gaps": memoryview(b"abcdef")[::2]}


class Field(NamedTuple):
    """One argument: one that is right, and what is wrong beside most types."""

    right: Any
    wrong: Mapping[str, Any] = MappingProxyType({})
    takes: tuple[str, ...] = ()


class Things:
    """What right arguments are made of."""

    def __init__(self) -> None:
        self.reader, self.writer = open_pipe()
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        self.fd = self.file.fileno()
        self.watch = EdgeWatch(self.reader.fd, EPOLLIN)

    async def close(self) -> None:
        await self.watch.close()
        await self.reader.close()
        await self.writer.close()
        self.file.close()


Row = Callable[[Things], tuple[Field, ...]]


def of_job(_things: Things) -> tuple[Field, ...]:
    return (Field(print, {"async": coroutine_function, "partial": partial(coroutine_function)}), Field(()))


ROWS: dict[type[SystemCall[Any]], Row] = {
    Fork: lambda _: (
        Field(None, {"call": sys_sleep(1)}),
        Field("name", takes=("str",)),
        Field(copy_context(), takes=("None",)),
    ),
    Yield: lambda _: (),
    Ret: lambda _: (Field(1, takes=tuple(TYPES)),),
    Join: lambda _: (Field(None),),
    Nbio: of_job,
    Park: lambda _: (Field(deque(), {"set": set(), "tuple": ()}),),
    Sleep: lambda _: (Field(1),),
    EpollWait: lambda things: (Field(things.reader.fd, NO_FD), Field(EPOLLIN, NO_EVENTS)),
    NotifyClosing: lambda things: (Field(things.fd, NO_FD),),
    AioRead: lambda things: (Field(things.fd, NO_FD), Field(0, NO_OFFSET), Field(1, NO_LENGTH)),
    AioWrite: lambda things: (Field(things.fd, NO_FD), Field(0, NO_OFFSET), Field(b"x", {"int": 5})),
    AioSync: lambda things: (Field(things.fd, NO_FD),),
    AioEngine: lambda _: (),
    Blio: of_job,
    BlioToEnd: of_job,
    FromThread: lambda _: (),
    EdgeWait: lambda things: (Field(things.watch, {"fd": things.reader.fd}),),
    EdgeClose: lambda things: (Field(things.watch, {"fd": things.reader.fd}),),
    FdRead: lambda things: (Field(things.reader, {"fd": things.reader.fd}), Field(1, NO_READ)),
    FdWrite: lambda things: (Field(things.writer, {"fd": things.writer.fd}), Field(b"x", NO_DATA)),
    FdReadable: lambda things: (Field(things.reader, {"fd": things.reader.fd}),),
    FdWritable: lambda things: (Field(things.writer, {"fd": things.writer.fd}),),
    FdClose: lambda things: (Field(things.reader, {"fd": things.reader.fd}),),
    AtRest: lambda _: (),
    AwaitFuture: lambda _: (Field(None, {"call": sys_yield()}),),
}


def classes() -> list[type[SystemCall[Any]]]:
    """Every class of calls of the library, of modules that nothing here imports too."""
    for module in pkgutil.walk_packages(gossamer.core.__path__, "gossamer.core."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[SystemCall[Any]]] = [SystemCall]
    for kind in found:
        found += [each for each in kind.__subclasses__() if each not in found]
    # An example in a docstring makes classes that say they are of its module: the module does not have them.
    ours = [kind for kind in found[1:] if kind.__module__.startswith("gossamer.")]
    return [kind for kind in ours if getattr(sys.modules[kind.__module__], kind.__name__, None) is kind]


def test_every_class_of_calls__has_a_row() -> None:
    missing = [kind for kind in classes() if kind not in ROWS and kind.__module__ not in ELSEWHERE]
    assert not missing, "a new call: say in ROWS what it refuses"


def wrong_arguments(kind: type[SystemCall[Any]], things: Things) -> Iterator[tuple[str, list[Any]]]:
    """Every call of the table, with one argument wrong."""
    fields = ROWS[kind](things)
    for place, field in enumerate(fields):
        names = {name: value for name, value in TYPES.items() if name not in field.takes}
        if callable(field.right):
            names.pop("function")
            names["async function"] = coroutine_function
        for name, value in {**names, **field.wrong}.items():
            arguments = [each.right for each in fields]
            arguments[place] = value
            yield f"{kind.__struct_fields__[place]} {name}", arguments


async def refused(kind: type[SystemCall[Any]], arguments: list[Any]) -> bool:
    """Whether the thread got the one error, and it says what is allowed."""
    try:
        await kind(*arguments)
    except MisuseError as error:
        return "allowed is " in str(error) or "send: data" in str(error)
    return False


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_wrong_argument__misuse_error_in_the_thread__another_lives_on(kind: type[SystemCall[Any]]) -> None:
    turns = 0

    async def lives() -> None:
        nonlocal turns
        while True:
            turns += 1
            await sys_yield()

    async def mistakes(things: Things) -> None:
        for name, arguments in wrong_arguments(kind, things):
            before = turns
            assert await refused(kind, arguments), f"{name} was taken"
            await sys_yield()
            await sys_yield()
            assert turns > before, name

    async def main() -> None:
        things = Things()
        async with open_nursery() as nursery:
            nursery.start_soon(lives)
            await mistakes(things)
            nursery.cancel_scope.cancel()
        await things.close()

    run(main())


@pytest.mark.parametrize("kind", [EpollWait, AioRead, AioWrite, AioSync], ids=lambda kind: kind.__name__)
def test_number_of_a_closed_descriptor__ebadf_of_the_kernels(kind: Any) -> None:
    rest = {EpollWait: (EPOLLIN,), AioRead: (0, 1), AioWrite: (0, b"x"), AioSync: ()}[kind]

    async def main() -> None:
        with pytest.raises(OSError, match="Bad file descriptor"):
            await kind(-1, *rest)

    run(main())


@pytest.mark.parametrize("fd", ["1", None, 1.0, True, -2, 2**31])
def test_edge_watch__wrong_descriptor__refused_where_it_is_made(fd: Any) -> None:
    with pytest.raises(MisuseError, match=r"EdgeWatch: fd: found .* allowed is the number of a descriptor"):
        EdgeWatch(fd, EPOLLIN)


def test_data_that_changes_or_goes__while_it_is_written() -> None:
    async def main() -> bytes:
        things = Things()
        changing = bytearray(b"before")
        call = AioWrite(things.fd, 0, changing)
        changing += bytes(1 << 20)
        with pytest.raises(BoundExceeded):
            await call
        del changing[6:]
        await call
        with pytest.raises(MisuseError, match="released"):
            await AioWrite(things.fd, 0, released())
        with pytest.raises(MisuseError, match="released"):
            await things.writer.send(released())  # type: ignore[arg-type]
        await things.writer.send(memoryview(b"abcdefgh").cast("I"))  # type: ignore[arg-type]
        assert await things.reader.recv(RECV_BYTES_MAX) == b"abcdefgh"
        written = os.pread(things.fd, 100, 0)
        await things.close()
        return written

    assert run(main()) == b"before"


@pytest.mark.parametrize("call", [sys_blio, sys_blio_to_end, sys_nbio])
def test_async_function_where_a_plain_one_is_meant__the_error_says_what_to_do(call: Any) -> None:
    with pytest.raises(MisuseError, match=r"an async one is awaited: coroutine_function\(\.\.\.\)"):
        call(coroutine_function)


def test_fork__of_a_function__the_error_says_that_it_was_not_called() -> None:
    with pytest.raises(MisuseError, match=r"not called, coroutine_function\(\) is meant"):
        sys_fork(coroutine_function)  # type: ignore[arg-type]


def test_fork__of_a_coroutine_that_runs__refused() -> None:
    async def waits() -> str:
        await sys_sleep(1_000)
        return "once"

    async def main() -> str:
        coroutine = waits()
        thread = await sys_fork(coroutine)
        await sys_yield()
        with pytest.raises(MisuseError, match="runs in a thread already"):
            await sys_fork(coroutine)
        return await sys_join(thread)

    assert run(main()) == "once"


def test_epoll_wait__of_a_regular_file__the_error_says_how_to_read_it() -> None:
    async def main() -> None:
        with tempfile.TemporaryFile() as file:
            with pytest.raises(MisuseError, match="sys_aio_read"):
                await sys_epoll_wait(file.fileno(), EPOLLIN)
            with pytest.raises(PermissionError):
                await EdgeWatch(file.fileno(), EPOLLIN).wait()

    run(main())
