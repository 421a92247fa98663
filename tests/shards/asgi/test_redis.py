"""A client of a database within requests: an unmodified library of asyncio's asks a real Redis over kernel
sockets, while clients of the application come by either stack."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import Place, place, serve, site, wait_until
from ..web.h2_client import H2Client

__all__ = ["place", "serve", "site"]

FOLDER = str(Path(__file__).parent)


def free_port(place: Place) -> int:
    """One that nobody listens on now."""
    with place.inside(), socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def redis_port(place: Place, tmp_path: Path) -> Iterator[int]:
    """The port of a Redis of the test's own, where its server runs."""
    command = shutil.which("redis-server")
    assert command is not None
    for _ in range(5):  # somebody else may have taken the port
        port = free_port(place)
        options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
        with place.inside():
            process = subprocess.Popen([command, *options], stdout=subprocess.DEVNULL)
        try:
            wait_until(
                lambda port=port, of=process: of.poll() is not None or answers(place, port), "it is up"
            )
            if process.poll() is None:
                yield port
                return
        finally:
            process.kill()
            process.wait()
    pytest.fail("no port for redis-server")


def answers(place: Place, port: int) -> bool:
    """Whether a Redis does."""
    try:
        with place.inside(), socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(b"PING\r\n")
            return client.recv(100) == b"+PONG\r\n"
    except OSError:
        return False


@pytest.mark.needs("redis-server")
def test_redis__asked_in_each_request__of_many_at_once(place: Place, redis_port: int) -> None:
    options = ("--lifespan", "off", "--set", "web.http2=true")
    environment = {"PYTHONPATH": FOLDER, "REDIS_PORT": str(redis_port)}
    server = place.start(*options, target="redis_sample:app", **environment).wait_ready()
    with place.connect(server.port()) as sock:
        sock.settimeout(60)
        client = H2Client(sock)
        numbers = [client.ask(f"/{number % 5}") for number in range(50)]
        bodies = [client.answer(number).body for number in numbers]
    assert sorted(bodies) == sorted(
        b"/%d %d 1000000" % (n, count) for n in range(5) for count in range(1, 11)
    )
    with place.connect(server.port()) as sock:
        sock.sendall(b"GET /0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"".join(iter(lambda: sock.recv(1 << 16), b"")).endswith(b"\r\n\r\n/0 11 1000000")
    assert server.status()["workers"][0]["totals"]["thread_errors_total"] == 0, server.log()
