"""WebSockets of an ASGI application, on either stack, with the client of the package `websockets`."""

import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ...parts import ask_each
from ..conftest import Place, Server, wait_until

FOLDER = str(Path(__file__).parent)


def opened(place: Place, port: int, path: str = "/", **options: Any) -> ClientConnection:
    return connect(f"ws://127.0.0.1{path}", sock=place.connect(port), **options)


def closing_of(client: ClientConnection) -> tuple[int, str]:
    """How the server closes it."""
    with pytest.raises(ConnectionClosed) as closed:
        client.recv(timeout=20)
    received = closed.value.rcvd
    assert received is not None
    return received.code, received.reason


def test_websockets__on_either_stack(place: Place) -> None:  # noqa: C901 - its parts are functions of it
    """Of one server; its end comes last."""
    lifespan_off = ("--lifespan", "off")
    server = place.start(
        *lifespan_off, "--access-log", target="sample:sockets", PYTHONPATH=FOLDER
    ).wait_ready()
    port = server.port()

    def echoes() -> None:
        offered = [Subprotocol("chat"), Subprotocol("other")]
        with opened(place, port, "/echo", subprotocols=offered) as client:
            assert client.subprotocol == "chat"
            assert client.response is not None
            assert client.response.headers["x-own"] == "1"
            assert client.response.headers["server"] == "gossamer"
            assert "permessage-deflate" in client.response.headers["sec-websocket-extensions"]
            for message in ("hello", "", "\xe4" * 1000, b"\0\xff" * 1000, b"", "x" * 900_000):
                client.send(message)
                assert client.recv(timeout=20) == message
            assert client.ping().wait(20)
        wait_until(lambda: "disconnected /echo 1000" in server.log(), "it hears of the end")

    def many_at_once_come_in_their_order() -> None:
        with opened(place, port, compression=None) as client:
            for number in range(500):
                client.send(str(number))
            assert [client.recv(timeout=20) for _ in range(500)] == [str(number) for number in range(500)]

    def pings_are_answered_while_the_application_does_not_receive() -> None:
        with opened(place, port) as client:
            client.send("slow")
            assert client.ping().wait(0.8)
            assert client.recv(timeout=20) == "slow"

    def closes() -> None:
        with opened(place, port) as client:
            client.send("close")
            assert closing_of(client) == (4001, "as you wish")
        wait_until(lambda: "then websocket.disconnect" in server.log(), "it hears of its own close")
        with opened(place, port, "/leaves") as client:
            client.close(4002, "mine")
        wait_until(lambda: "disconnected /leaves 4002 mine" in server.log(), "it hears of the client's")
        with opened(place, port, "/vanishes") as client:
            client.socket.shutdown(socket.SHUT_RDWR)
        wait_until(lambda: "disconnected /vanishes 1006" in server.log(), "it hears that it is gone")
        with opened(place, port, "/returns") as client:
            assert closing_of(client) == (1000, "")

    def refuses() -> None:
        found = {}
        for path in ("/forbidden", "/denied", "/fails"):
            with pytest.raises(InvalidStatus) as refused:
                opened(place, port, path)
            found[path] = refused.value.response.status_code
            if path == "/denied":
                assert refused.value.response.body == b"who are you?"
        assert found == {"/forbidden": 403, "/denied": 401, "/fails": 500}
        with opened(place, port, "/fails-later") as client:
            assert closing_of(client) == (1011, "")
        for when in ("before", "after"):
            wait_until(lambda when=when: f"ValueError: {when} the handshake" in server.log(), "it is logged")

    def client_that_does_not_read_keeps_it_waiting() -> None:
        with place.connect(port) as client:
            client.sendall(HANDSHAKE)
            assert client.recv(12) == b"HTTP/1.1 101"
            time.sleep(0.3)
        wait_until(lambda: "flood ended ClientLeftError" in server.log(), "it hears that nobody reads")

    def breach_and_bad_handshake() -> None:
        with place.connect(port) as client:
            client.sendall(HANDSHAKE.replace(b"/flood", b"/breach"))
            client.recv(1 << 16)
            client.sendall(b"\x81\x05Hello")  # not masked
            assert client.recv(1 << 16)[2:4] == (1002).to_bytes(2, "big")
            for _ in range(8):
                client.sendall(bytes(100_000))
                time.sleep(0.005)  # A reset would end the next one.
        wait_until(lambda: "disconnected /breach 1002" in server.log(), "it hears of the breach")
        with place.connect(port) as client:
            client.sendall(HANDSHAKE.replace(b"13", b"8"))
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 426 ")
            for _ in range(8):
                client.sendall(bytes(100_000))
                time.sleep(0.005)

    def ends_with_1012() -> None:
        with opened(place, port, "/drained") as client, opened(place, port, "/busy") as busy:
            busy.send("slow")
            wait_until(lambda: server.status()["workers"][0]["connections"] >= 2, "both are open")
            server.process.send_signal(signal.SIGTERM)
            assert closing_of(client) == (1012, "")
            assert closing_of(busy) == (1012, "")
        assert server.wait_end() == 0
        assert "disconnected /drained 1012" in server.log()
        assert "the application was wrong" not in server.log()
        assert re.search(r'"GET /denied HTTP/1.1" 401 12', server.log())
        assert re.search(r'"GET /echo HTTP/1.1" 101 ', server.log())

    parts: list[Callable[[], None]] = [
        echoes,
        many_at_once_come_in_their_order,
        pings_are_answered_while_the_application_does_not_receive,
        closes,
        refuses,
        client_that_does_not_read_keeps_it_waiting,
        breach_and_bad_handshake,
        ends_with_1012,
    ]
    try:
        ask_each((part.__name__, part) for part in parts)
    except BaseException as error:
        error.add_note(tail(server))
        raise


def tail(server: Server) -> str:
    return server.log()[-6000:]


HANDSHAKE = (
    b"GET /flood HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
