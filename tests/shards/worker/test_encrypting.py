"""Connections of a server that speaks TLS, on both stacks: who shakes hands is served, and nobody else is."""

import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.tls.errors import TlsError
from gossamer.core.tls.stream import asked
from gossamer.shards.worker.encrypting import BODY, Encrypting

from ...certificates import AUTHORITY, asking, pair, serving
from ...core.io.stacks import Functional, Kernel, talk


@pytest.fixture(params=[Kernel, Functional])
def stack(request: pytest.FixtureRequest) -> Any:
    made = request.param()
    yield made
    made.close()


class Answering:
    """A handler that answers with what it hears and on which terms, behind `Encrypting`."""

    def __init__(self, stack: Any, context: ssl.SSLContext | None = None, timeout_us: int = 30 * SECOND_US):
        self.stack = stack
        clock = stack.server_scheduler.now_us
        self.encrypting = Encrypting(self.handle, context or serving(), timeout_us, clock)

    async def handle(self, stream: Any) -> None:
        heard = await stream.recv()
        facts = stream.tls
        await stream.send(f"{facts.version} {facts.alpn} {facts.server_name} ".encode() + heard)
        await stream.close()

    def hears(self, user: Callable[[Any], Awaitable[Any]]) -> Any:
        return self.stack.run(talk(self.stack, user, self.encrypting.serve))

    def counted(self) -> tuple[int, int, int]:
        """Handshakes, failed ones, plain requests."""
        found = self.encrypting.statistics()
        return found["tls_handshakes_total"], found["tls_failed_total"], found["tls_plain_total"]


async def all_of(stream: Any) -> bytes:
    return b"".join([data async for data in stream])


def test_handshake__then_served__and_ended_in_order(stack: Any) -> None:
    answering = Answering(stack)

    async def user(client: Any) -> bytes:
        async with asked(client, asking(), "a.example") as tls:
            await tls.send(b"hello")
            return await all_of(tls)

    assert answering.hears(user) == b"TLSv1.3 http/1.1 a.example hello"
    assert answering.counted() == (1, 0, 0)


def test_plain_request__is_answered_400__counted_and_logged(stack: Any, caplog: Any) -> None:
    answering = Answering(stack)

    async def user(client: Any) -> bytes:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return await all_of(client)

    answer = answering.hears(user)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(BODY)
    assert answering.counted() == (0, 0, 1)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("a plain HTTP request on the TLS port ")


def test_what_is_neither__is_closed_without_a_word(stack: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    answering = Answering(stack)

    async def user(client: Any) -> Any:
        await client.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        with pytest.raises(ConnectionResetError):
            await client.recv()

    answering.hears(user)
    assert answering.counted() == (0, 1, 0)
    assert "neither TLS nor HTTP" in caplog.text


def test_nothing__is_a_question_whether_we_are_there(stack: Any) -> None:
    answering = Answering(stack)

    async def user(client: Any) -> Any:
        await client.shutdown()
        return await client.recv()

    assert answering.hears(user) == b""
    assert answering.counted() == (0, 0, 0)


@pytest.mark.parametrize("begin", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_takes_too_long__is_given_up(stack: Any, begin: bytes, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    answering = Answering(stack, timeout_us=20_000)

    async def user(client: Any) -> Any:
        if begin:
            await client.send(begin)
        with pytest.raises(ConnectionResetError):
            await client.recv()

    answering.hears(user)
    assert answering.counted() == (0, 1, 0)
    assert "the TLS handshake was not over in time" in caplog.text


def test_a_client_that_is_refused__hears_why(stack: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    answering = Answering(stack, serving(authorities=AUTHORITY, asks="required"))

    async def user(client: Any) -> str:
        stream = asked(client, asking(), "localhost")
        await stream.handshake()  # That of TLS 1.3 ends before the server has looked.
        with pytest.raises(TlsError) as raised:
            await stream.recv()
        await stream.abort()
        return str(raised.value)

    assert answering.hears(user) == "the peer has refused: certificate required"
    assert answering.counted() == (0, 1, 0)
    assert "peer did not return a certificate" in caplog.text


def test_a_client_that_distrusts_us__is_logged(stack: Any, caplog: Any) -> None:
    caplog.set_level(logging.INFO)
    answering = Answering(stack, serving("stranger"))

    async def user(client: Any) -> None:
        stream = asked(client, asking(), "localhost")
        with pytest.raises(TlsError, match="certificate verify failed: self-signed certificate"):
            await stream.handshake()
        await stream.abort()
        await sys_sleep(20_000)

    answering.hears(user)
    assert answering.counted() == (0, 1, 0)
    assert "the peer has refused: unknown ca" in caplog.text


def test_a_client_that_comes_back__has_no_signature_made(stack: Any) -> None:
    answering = Answering(stack)
    context = asking()
    sessions: list[Any] = []

    async def user(client: Any) -> bytes:
        stream = asked(client, context, "localhost")
        if sessions:
            stream.machine._object.session = sessions[0]
        async with stream as tls:
            await tls.send(b"x")
            heard = await all_of(tls)
            sessions.append(tls.machine._object.session)
        return heard

    for _ in range(2):
        answering.hears(user)
    assert answering.encrypting.statistics()["tls_resumed_total"] == 1
    assert pair("server").key_name == "server.key"
