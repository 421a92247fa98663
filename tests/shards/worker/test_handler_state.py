"""Connections of a native handler, moved by what it saves: on either stack, and by themselves."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gossamer.core.loop.continuing import CannotGoOnError, opens_none
from gossamer.core.wire.text import Extent
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.worker.handler_state import continuing_of

from ..conftest import Place, wait_until

ROOT = Path(__file__).parents[3]


class Sent:
    """A stream as far as a restored thread sends on it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> Iterator[None]:
        self.sent.append(data)
        return self

    def close(self) -> Any:
        return self

    def __await__(self) -> Iterator[None]:
        return iter(())


class Handler:
    """One that saves what it is told to."""

    value: Any = None

    def __init__(self) -> None:
        self.restored: list[Any] = []

    async def __call__(self, _stream: Any) -> None: ...

    def save(self, _stream: Any) -> Any:
        return self.value

    async def restore(self, _stream: Any, value: Any) -> None:
        self.restored.append(value)


class Half:
    async def __call__(self, _stream: Any) -> None: ...

    def save(self, _stream: Any) -> Any: ...


@pytest.mark.parametrize("value", [0, [1, b"two", "three"], {"a": [None]}])
def test_value__moves_with_what_is_unsent(value: Any) -> None:
    handler, stream = Handler(), Sent()
    handler.value = value
    continuing = continuing_of(handler)
    assert continuing is not None
    saved = continuing.save(stream, b"unsent")
    assert saved is not None
    with pytest.raises(StopIteration):
        continuing.restore(stream, saved.state, opens_none).send(None)
    assert (stream.sent, handler.restored) == ([b"unsent"], [value])


def test_value__that_cannot_move__the_connection_stays(caplog: pytest.LogCaptureFixture) -> None:
    handler = Handler()
    continuing = continuing_of(handler)
    assert continuing is not None
    assert continuing.save(Sent(), b"") is None
    handler.value = object()
    assert continuing.save(Sent(), Extent(0, 0, 1)) is None
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert continuing.save(Sent(), b"") is None
    assert len(caplog.records) == 1
    with pytest.raises(CannotGoOnError, match="cannot be read"):
        continuing.restore(Sent(), b"\xc1", opens_none)


def test_handler__with_half_of_it__refused__with_neither__as_ever() -> None:
    with pytest.raises(ConfigError, match="Half has save alone: connections move with both"):
        continuing_of(Half())
    assert continuing_of(lambda _stream: None) is None


def test_reload__a_conversation__goes_on_in_the_new_worker(place: Place) -> None:
    server = place.start("--workers", "1", target="examples.adder:handler", PYTHONPATH=str(ROOT)).wait_ready()
    with place.connect(server.port()) as client:
        client.sendall(b"40\n1")
        assert client.recv(100) == b"40\n"
        (old,) = server.worker_pids()
        assert server.command("reload").returncode == 0
        wait_until(lambda: not psutil.pid_exists(old), "the old worker ends")
        client.sendall(b"2\n")
        assert client.recv(100) == b"52\n"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    assert server.status()["workers"][0]["totals"]["moved_lost_total"] == 0
