"""Connections of proxies, on both stacks: announced they are their client's, and nothing else is served."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.core.http.forwarded import networks_of
from gossamer.core.wire.proxy_protocol import SIGNATURE
from gossamer.shards.worker.announcing import Announcing

from ...core.io.stacks import Functional, Kernel, talk
from ..conftest import Place, wait_until

LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"
IPV6 = SIGNATURE + bytes([0x21, 0x21, 0, 36]) + bytes(15) + b"\7" + bytes(15) + b"\1" + b"\0\7\0\1"
LOCAL = SIGNATURE + b"\x20\0\0\0"


@pytest.fixture(params=[Kernel, Functional])
def stack(request: pytest.FixtureRequest) -> Any:
    made = request.param()
    yield made
    made.close()


class Asked:
    """A handler that answers with what it hears and from whom, behind `Announcing`."""

    def __init__(self, stack: Any, proxies: tuple[str, ...] = ("127.0.0.0/8",), timeout_us: int = SECOND_US):
        self.stack = stack
        clock = stack.server_scheduler.now_us
        self.announcing = Announcing(self.handle, networks_of(proxies), timeout_us, clock)

    async def handle(self, stream: Any) -> None:
        heard = await stream.recv()
        await stream.send(f"{stream.peer[0]} {stream.local[1]} ".encode() + heard)
        await stream.close()

    def hears(self, user: Callable[[Any], Awaitable[Any]]) -> Any:
        return self.stack.run(talk(self.stack, user, self.announcing.serve))

    def answer(self, *parts: bytes) -> bytes:
        """What comes back for these; b"" where the connection is closed."""

        async def user(client: Any) -> bytes:
            try:
                for part in parts:
                    await client.send(part)
                return b"".join([data async for data in client])
            except ConnectionResetError:
                return b""

        answered: bytes = self.hears(user)
        return answered

    @property
    def refused_total(self) -> int:
        return self.announcing.statistics()["proxy_headers_refused_total"]


def test_header__of_a_listed_proxy__its_client_is_the_peer(stack: Any) -> None:
    asked = Asked(stack)
    assert asked.answer(LINE + b"GET") == b"192.0.2.7 443 GET"
    assert asked.answer(IPV6 + b"GET") == b"::7 1 GET"
    assert asked.answer(*(bytes([each]) for each in LINE), b"GET") == b"192.0.2.7 443 GET"
    assert asked.answer(LOCAL + b"GET").startswith(b"127.0.0.1 ")
    assert asked.refused_total == 0


def test_no_header__of_a_listed_proxy__closed_and_counted_and_logged_once_a_second(
    stack: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    asked = Asked(stack)
    assert asked.answer(b"GET / HTTP/1.1\r\n\r\n") == b""
    assert asked.answer(LINE.replace(b"4711", b"x")) == b""
    assert asked.refused_total == 2
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        "a connection from the proxy 127.0.0.1 was closed for its PROXY header: "
        "it begins as neither version does"
    )


def test_header__that_does_not_come_in_time__closed(stack: Any) -> None:
    async def user(client: Any) -> bytes:
        await client.send(LINE[:20])
        heard: bytes = await client.recv()
        return heard

    asked = Asked(stack, timeout_us=20_000)
    with pytest.raises(ConnectionResetError):
        asked.hears(user)
    assert asked.refused_total == 1


def test_nothing__of_a_listed_proxy__is_a_question_whether_we_are_there(stack: Any) -> None:
    async def user(client: Any) -> bytes:
        await client.shutdown()
        heard: bytes = await client.recv()
        return heard

    asked = Asked(stack)
    assert (asked.hears(user), asked.refused_total) == (b"", 0)


def test_header__of_anybody_else__is_not_looked_for(stack: Any) -> None:
    assert Asked(stack, ("10.0.0.0/8", "::1")).answer(LINE).endswith(LINE)


def test_site__behind_a_proxy__logs_its_clients(place: Place, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    config = tmp_path / "config.toml"
    config.write_text(
        f'[log]\naccess_log = true\naccess_log_file = "{log}"\naccess_log_format = "{{client}} {{status}}"\n'
        '[web]\nproxy_protocol = ["127.0.0.1"]\n'
    )
    server = place.start("--config", str(config), "--workers", "1").wait_ready()
    port = server.port()
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for begin in (LINE, b""):
        with place.connect(port) as client:
            client.sendall(begin + request)
            try:
                heard = client.recv(65536)
            except ConnectionResetError:
                heard = b""
            assert heard.startswith(b"HTTP/1.1 200" if begin else b"")
            if begin:
                client.sendall(request)
                assert client.recv(65536)
                assert server.command("reload").returncode == 0
                client.sendall(request)
                assert client.recv(65536).startswith(b"HTTP/1.1 200")
    wait_until(lambda: log.read_text() == "192.0.2.7 200\n" * 3, "three lines of the access log")
    wait_until(
        lambda: server.status()["workers"][0]["totals"]["proxy_headers_refused_total"] == 1, "the refusal"
    )
