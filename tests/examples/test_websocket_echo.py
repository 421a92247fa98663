"""examples/websocket_echo.py, run by itself and by workers on either stack, against the client of the package
websockets.
"""

import http.client
import signal

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from .conftest import Place
from .programs import SECONDS, example, running

LARGE = "wörld " * 100_000


def ask(port: int) -> None:
    """All that it does."""
    with connect(f"ws://127.0.0.1:{port}/", open_timeout=SECONDS) as client:
        for message in ("hello", b"\x00\xff", LARGE, ""):
            client.send(message)
            assert client.recv(SECONDS) == message
        client.send([LARGE[:100], LARGE[100:200], LARGE[200:300]])
        assert client.recv(SECONDS) == LARGE[:300]
        assert client.ping().wait(SECONDS)
        assert any("deflate" in extension.name for extension in client.protocol.extensions)
    assert client.close_code == 1000
    loud = [Subprotocol("loud.example")]
    with connect(f"ws://127.0.0.1:{port}/", subprotocols=loud, compression=None) as client:
        client.send("hello")
        assert client.recv(SECONDS) == "HELLO"
    with connect(f"ws://127.0.0.1:{port}/", compression=None) as client:
        client.send("x" * 2_000_000)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
    plain = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    plain.request("GET", "/")
    assert plain.getresponse().status == 426
    plain.close()


def test_echo__on_its_own() -> None:
    with running(example("websocket_echo.py", 0)) as echo:
        ask(echo.port)


def test_echo__by_workers_on_either_stack(place: Place) -> None:
    with place.serving("examples.websocket_echo:handler") as server:
        ask(server.port)


def test_drained__clients_are_told_to_come_again(place: Place) -> None:
    with (
        place.serving("examples.websocket_echo:handler") as server,
        connect(f"ws://127.0.0.1:{server.port}/", open_timeout=SECONDS) as client,
    ):
        client.send("hello")
        assert client.recv(SECONDS) == "hello"
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        assert server.process.wait(SECONDS) == 0
