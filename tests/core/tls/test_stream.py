"""What TLS adds to a stream, on both stacks: a cut is no end, half a record no beginning, and no client waits
for another's handshake."""

import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.errors import MisuseError
from gossamer.core.io.serve import is_no_fault, serve
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.tls.errors import TlsError, TruncatedError
from gossamer.core.tls.stream import TlsAcceptor, TlsConnector, TlsStream, asked, served

from ...certificates import asking, serving
from ..io.stacks import talk

SOON_US = 20_000
BIG = bytes(64 << 20)


async def echoes(stream: Any) -> None:
    async for data in stream:
        await stream.send(data)
    await stream.close()


async def is_deaf(stream: Any) -> None:
    await sys_sleep(20 * SOON_US)
    await stream.abort()


def test_facts__on_both_ends(stack: Any) -> None:
    seen: list[Any] = []

    async def peer(stream: Any) -> None:
        seen.append(stream.tls)
        await echoes(stream)

    async def user(stream: Any) -> Any:
        async with stream:
            await stream.send(b"x")
            assert await stream.recv() == b"x"
            return stream.tls

    facts = stack.run(talk(stack, user, peer))
    assert (facts.version, facts.server_name, facts.alpn) == ("TLSv1.3", "localhost", "http/1.1")
    assert seen[0].server_name == "localhost"
    assert ("DNS", "localhost") in facts.peer_certificate["subjectAltName"]


def test_the_way_is_cut__without_close_notify__truncated_and_the_peers_fault(stack: Any) -> None:
    heard: list[Any] = []

    async def peer(stream: Any) -> None:
        heard.append(await stream.recv())
        with pytest.raises(TruncatedError) as raised:
            await stream.recv()
        heard.append(is_no_fault(stream, raised.value))
        await stream.abort()

    async def user(stream: Any) -> None:
        await stream.send(b"a part")
        await stream.inner.shutdown()
        await sys_sleep(SOON_US)
        await stream.abort()

    stack.run(talk(stack, user, peer))
    assert heard == [b"a part", True]


def test_what_the_stream_beneath_says_of_its_peer__is_said_of_ours(stack: Any) -> None:
    faults: list[bool] = []

    async def peer(stream: Any) -> None:
        with pytest.raises(TimeoutError) as silent:
            await stream.recv(1, SOON_US // 4)
        with pytest.raises(ConnectionResetError) as reset:
            await stream.recv()
        faults.extend(is_no_fault(stream, raised.value) for raised in (silent, reset))
        with pytest.raises(ConnectionResetError) as again:
            await stream.send(b"x")
        faults.append(is_no_fault(stream, again.value))
        await stream.abort()

    async def user(stream: Any) -> None:
        await sys_sleep(SOON_US)
        await stream.abort()
        await sys_sleep(SOON_US)

    stack.run(talk(stack, user, peer))
    assert faults == [True, True, True]


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_half_a_record_was_sent__nothing_can_be_sent_any_more__receiving_goes_on(
    stack: Any, how: str
) -> None:
    async def peer(stream: Any) -> None:
        await stream.send(b"still")
        await is_deaf(stream)

    async def user(stream: Any) -> Any:
        if how == "timeout":
            with pytest.raises(TimeoutError):
                await stream.send(BIG, SOON_US)
        else:
            with move_on_after(SOON_US / 1e6):
                await stream.send(BIG)
        with pytest.raises(BrokenPipeError, match="cut short"):
            await stream.send(b"x")
        found = await stream.recv()
        await stream.abort()
        return found

    assert stack.run(talk(stack, user, peer)) == b"still"


def test_large_messages_both_ways__arrive_while_buffers_stay_small(stack: Any) -> None:
    data = os.urandom(3 << 20)

    async def sends(stream: Any) -> None:
        await stream.send(data)
        await stream.shutdown()

    async def user(stream: Any) -> bytes:
        sender = await sys_fork(sends(stream))
        heard = bytearray()
        async for part in stream:
            heard += part
            assert stream.machine._out.pending < 1 << 18
            assert len(stream.machine._held) < 1 << 18
        await sys_join(sender)
        await stream.close()
        return bytes(heard)

    assert stack.run(talk(stack, user, echoes)) == data


def test_files__are_read_here_and_arrive(stack: Any, tmp_path: Path) -> None:
    data = os.urandom(700_001)
    (tmp_path / "file").write_bytes(data)
    fd = os.open(tmp_path / "file", os.O_RDONLY)

    async def peer(stream: Any) -> None:
        assert await stream.send_file(fd, 1, 300_000) == 300_000
        assert await stream.send_file(fd, 300_001, 10**9) == 400_000
        with pytest.raises(MisuseError):
            await stream.send_file(-1, 0, 1)
        await stream.close()

    async def user(stream: Any) -> bytes:
        heard = b"".join([part async for part in stream])
        await stream.close()
        return heard

    try:
        assert stack.run(talk(stack, user, peer)) == data[1:]
    finally:
        os.close(fd)


def test_two_threads_begin_at_once__one_shakes_hands_and_both_go_on(stack: Any) -> None:
    connector, acceptor = stack.connector._inner, stack.acceptor._inner

    async def peer() -> None:
        stream = served(await acceptor.accept(), serving())
        await echoes(stream)

    async def sends(stream: TlsStream) -> None:
        await stream.send(b"hello")
        await stream.shutdown()

    async def user() -> bytes:
        stream = asked(await connector.connect(stack.address), asking(), "localhost")
        sender = await sys_fork(sends(stream))
        heard = b"".join([part async for part in stream])
        await sys_join(sender)
        await stream.close()
        return heard

    stack.server_scheduler.spawn(peer())
    assert stack.run(user()) == b"hello"


def test_what_is_no_record__the_peer_hears_why(stack: Any) -> None:
    async def peer(stream: Any) -> None:
        with pytest.raises(TlsError):
            await stream.recv()
        await stream.abort()

    async def user(stream: TlsStream) -> str:
        await stream.inner.send(b"\x63\3\3\0\1\2")
        with pytest.raises(TlsError) as raised:
            await stream.recv()
        await stream.abort()
        return str(raised.value)

    assert stack.run(talk(stack, user, peer)).startswith("the peer has refused: ")


def test_what_is_no_record__a_peer_that_sends_on_hears_why_and_no_reset(stack: Any) -> None:
    """What nobody has read would bring a reset about, which may overtake the alert."""

    async def peer(stream: Any) -> None:
        with pytest.raises(TlsError):
            await stream.recv()
        await stream.abort()

    async def user(stream: TlsStream) -> str:
        await stream.inner.send(b"\x63\3\3\0\1\2" + bytes(200_000))
        with pytest.raises(TlsError) as raised:
            await stream.recv()
        for _ in range(5):
            await sys_sleep(SOON_US // 4)
            await stream.inner.send(bytes(10_000))
        await stream.inner.shutdown()
        await stream.inner.close()
        return str(raised.value)

    assert stack.run(talk(stack, user, peer)).startswith("the peer has refused: ")


def test_connect__a_certificate_of_nobody__is_refused_at_once(stack: Any) -> None:
    connector = TlsConnector(stack.connector._inner, asking(), "elsewhere.example")

    async def serve_one() -> None:
        stream = await TlsAcceptor(stack.acceptor._inner, serving()).accept()
        with pytest.raises(TlsError, match=r"bad certificate|certificate unknown"):
            await stream.recv()
        await stream.abort()

    async def user() -> str:
        with pytest.raises(TlsError) as raised:
            await connector.connect(stack.address)
        return str(raised.value)

    stack.server_scheduler.spawn(serve_one())
    assert "Hostname mismatch" in stack.run(user())


def test_serve__an_acceptor_of_tls__no_handshake_waits_for_another(stack: Any) -> None:
    """A client that never shakes hands keeps nobody from being served."""
    acceptor = TlsAcceptor(stack.acceptor._inner, serving())

    async def once(stream: Any) -> None:
        heard = await stream.recv()
        if heard:
            await stream.send(heard)
            await acceptor.close()

    async def user() -> bytes:
        connector = stack.connector._inner
        silent = await connector.connect(stack.address)
        asking_one = TlsConnector(connector, asking(), "localhost")
        async with await asking_one.connect(stack.address) as tls:
            await tls.send(b"hello")
            heard: bytes = await tls.recv()
        await silent.close()
        return heard

    stack.server_scheduler.spawn(serve(acceptor, once))
    assert stack.run(user()) == b"hello"


def test_versions__a_server_of_1_3_alone(stack: Any) -> None:
    context = asking()
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    async def serve_one() -> None:
        stream = served(await stack.acceptor._inner.accept(), serving(version_min="1.3"))
        with pytest.raises(TlsError, match="unsupported protocol"):
            await stream.handshake()
        await stream.abort()

    async def user() -> str:
        stream = asked(await stack.connector._inner.connect(stack.address), context, "localhost")
        with pytest.raises(TlsError) as raised:
            await stream.handshake()
        await stream.abort()
        return str(raised.value)

    stack.server_scheduler.spawn(serve_one())
    assert stack.run(user()) == "the peer has refused: protocol version"
