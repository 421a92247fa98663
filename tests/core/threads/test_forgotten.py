"""Awaits that were forgotten are warned of, and no others."""

import gc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gossamer.core.errors import MisuseError
from gossamer.core.io.pipe import open_pipe
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import (
    sys_blio,
    sys_epoll_wait,
    sys_fork,
    sys_join,
    sys_nbio,
    sys_notify_closing,
    sys_sleep,
    sys_yield,
)
from gossamer.core.threads.forgotten import forgotten_awaits_are_named
from gossamer.core.threads.nursery import open_nursery
from gossamer.core.threads.systemcall import SystemCall


@contextmanager
def warned() -> Iterator[list[str]]:
    gc.collect()  # what other tests have dropped is reported before
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught, forgotten_awaits_are_named():
        warnings.simplefilter("always")
        yield found
        gc.collect()
        found += [str(each.message) for each in caught if each.category is RuntimeWarning]


FORGOTTEN: dict[str, Callable[[Any, Any], Any]] = {
    "Sleep": lambda _reader, _writer: sys_sleep(5),
    "Yield": lambda _reader, _writer: sys_yield(),
    "FdWrite": lambda _reader, writer: writer.send(b"never sent"),
    "FdRead": lambda reader, _writer: reader.recv(10),
    "FdClose": lambda reader, _writer: reader.close(),
    "Blio": lambda _reader, _writer: sys_blio(print),
    "Nbio": lambda _reader, _writer: sys_nbio(print),
    "EpollWait": lambda reader, _writer: sys_epoll_wait(reader.fd, 1),
    "NotifyClosing": lambda reader, _writer: sys_notify_closing(reader.fd),
}


@pytest.mark.parametrize("name", FORGOTTEN)
def test_forgotten__warned_of_by_its_name(name: str) -> None:
    async def main() -> None:
        reader, writer = open_pipe()
        FORGOTTEN[name](reader, writer)
        await reader.close()
        await writer.close()

    with warned() as found:
        run(main())
    (message,) = found
    assert message.startswith(name)
    assert message.endswith("was never awaited: await it, or nothing is done")


def test_awaited__by_whatever_way__nothing_is_said() -> None:
    async def child() -> None:
        await sys_yield()

    async def main() -> None:
        reader, writer = open_pipe()
        async with open_nursery() as nursery:
            nursery.start_soon(writer.send, b"x")
            nursery.start_soon(child)
        assert await reader.recv() == b"x"
        call = sys_sleep(1)
        await call
        await sys_join(await sys_fork(child()))
        with pytest.raises(MisuseError):
            sys_join(None)  # type: ignore[arg-type]
        with pytest.raises(MisuseError):
            await sys_sleep("1")  # type: ignore[arg-type]
        await reader.close()
        await writer.close()

    with warned() as found:
        run(main())
    assert found == []


def test_block_within_a_block__and_after_it__nothing_is_left() -> None:
    with warned() as found:
        with forgotten_awaits_are_named():
            sys_sleep(1)
        sys_sleep(2)
    assert len(found) == 2
    assert "__del__" not in SystemCall.__dict__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sys_sleep(3)
        gc.collect()
