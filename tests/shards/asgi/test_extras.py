"""On either stack: the extensions of ASGI, and what is said of an application that holds its worker, waits,
is left, is wrong or silent."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from ...parts import ask_each
from ..conftest import Place, Server, wait_until
from .test_served import FOLDER, get

FILE = Path(FOLDER) / "extras_sample.py"
BUFFERS_BYTES = 32 << 20
"""More than all buffers between an application and its client hold."""
HANDSHAKE = (
    b"GET /silent HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
def server(place: Place) -> Server:
    return place.start("--lifespan", "off", target="extras_sample:app", PYTHONPATH=FOLDER).wait_ready()


@pytest.mark.needs("open-checkout")  # as the workers' user it sends a file of it, and tells a line
def test_application__extended_and_seen(place: Place, server: Server) -> None:
    """Of one server."""
    port = server.port()

    def worker() -> dict[str, int]:
        found: dict[str, int] = server.status()["workers"][0]
        return found

    def sends_files() -> None:
        whole = FILE.read_bytes()
        assert get(place, port, "/path").endswith(b"\r\n\r\n" + whole)
        chunks = get(place, port, "/zerocopy").partition(b"\r\n\r\n")[2]
        rest = len(whole) - 10
        assert chunks == b"a\r\n%b\r\n1\r\n|\r\n%x\r\n%b\r\n0\r\n\r\n" % (whole[:10], rest, whole[10:])

    def sends_hints_and_trailers() -> None:
        got = get(place, port, "/trailers")
        assert got.startswith(
            b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK"
        )
        assert got.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n")

    def waits_for_a_client_that_does_not_read() -> None:
        with place.connect(port) as client:
            client.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
            wait_until(lambda: worker()["tasks"] == 1, "it waits")
            time.sleep(0.5)
        found = wait_until(lambda: re.search(r"sent (\d+) pieces", server.log()), "it hears who left")
        assert int(found[1]) * 65536 < BUFFERS_BYTES

    def has_a_client_wait_whose_body_it_does_not_receive() -> None:
        with place.connect(port) as client:
            client.sendall(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 99000000\r\n\r\n")
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.sendall(bytes(BUFFERS_BYTES))
        assert get(place, port, "/release").endswith(b"done")

    def is_named_where_it_holds_its_worker() -> None:
        for name in ("/holds", "/holds-later"):
            held = rf"<Task pending name='GET {name}'.* holds the loop for more than 100 ms"

            def is_named(name: str = name, held: str = held) -> bool:
                assert get(place, port, name).endswith(b"done")
                return re.search(held, server.log()) is not None

            wait_until(is_named, f"{name} is named")
        assert "time.sleep(0.5)" in server.log()

    def is_counted_and_dumped_while_it_waits_and_hears_who_leaves() -> None:
        with place.connect(port) as client:
            client.sendall(b"GET /waits HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: worker()["tasks"] == 1, "its task is counted")
            os.kill(server.worker_pids()[0], signal.SIGQUIT)
            wait_until(lambda: "waiting: GET /waits" in server.log(), "its task is in the dump")
            wait_until(lambda: re.search(r"in others\b", server.log()), "with its stack")
            wait_until(lambda: "in Worker._accept_for_ever" in server.log(), "beside the threads")
        wait_until(lambda: "the client has left" in server.log(), "it hears of that")
        wait_until(lambda: worker()["tasks"] == 0, "its task has ended")

    def is_500_and_one_line_where_it_is_wrong() -> None:
        assert get(place, port, "/wrong").startswith(b"HTTP/1.1 500 ")
        assert get(place, port, "/returns").startswith(b"HTTP/1.1 500 ")
        said = "wrong at GET /wrong: MessageError: send: found http.response.body before the response has"
        wait_until(lambda: said in server.log(), "the wrong message is named")
        said = "the application returned without a response: GET /returns"
        wait_until(lambda: said in server.log(), "that it returned, too")
        assert "Traceback" not in server.log()

    parts = (
        sends_files,
        sends_hints_and_trailers,
        waits_for_a_client_that_does_not_read,
        has_a_client_wait_whose_body_it_does_not_receive,
        is_named_where_it_holds_its_worker,
        is_counted_and_dumped_while_it_waits_and_hears_who_leaves,
        is_500_and_one_line_where_it_is_wrong,
    )
    ask_each((part.__name__, part) for part in parts)


def test_application__that_never_answers__504_and_a_line(place: Place) -> None:
    limits = ("--lifespan", "off", "--timeout-request", "300ms")
    silent = "sample:silent"
    server = place.start(*limits, target=silent, PYTHONPATH=FOLDER).wait_ready()
    port = server.port()
    assert get(place, port, "/never").startswith(b"HTTP/1.1 504 ")
    with place.connect(port) as client:
        client.sendall(HANDSHAKE)
        assert b"".join(iter(lambda: client.recv(4096), b"")).startswith(b"HTTP/1.1 504 ")
    for path in ("/never", "/silent"):
        limit = "300ms (application.timeout_request)"
        said = f"silent at GET {path} for {limit}: its task 'GET {path}' is cancelled"
        wait_until(lambda said=said: said in server.log(), f"{path} is told")
    hung = lambda: server.status()["workers"][0]["totals"]["application_hung_total"]  # noqa: E731 - again
    wait_until(lambda: hung() == 2, "both are counted")
