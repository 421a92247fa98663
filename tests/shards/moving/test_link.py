"""What two workers write to each other, in whichever build of the core they run."""

import socket

import msgspec
import pytest

from gossamer.core.loop.program import run
from gossamer.core.loop.tcp.moved import MovedConnection, Standing
from gossamer.core.threads.calls import sys_fork, sys_sleep
from gossamer.core.wire.segment import ACK, SYN, EcnBytes, Segment, SynOptions
from gossamer.shards.moving.link import Taken, WorkerLink, packet_of, read, segment_of, written


def test_connection__on_its_way__read_as_it_was_written() -> None:
    moved = MovedConnection(bytes(36), Standing.RESTING, b"record", 77, announced=b"a" * 36)
    found = read(memoryview(written(moved)))
    assert type(found) is MovedConnection
    assert found.announced == b"a" * 36
    assert (found.flow, found.place, found.record, found.until_us) == (
        bytes(36),
        Standing.RESTING,
        b"record",
        77,
    )
    assert isinstance(read(memoryview(written(Taken()))), Taken)


def test_connection__in_no_place_that_there_is__refused() -> None:
    octets = msgspec.msgpack.encode(["moved", bytes(36), 99, b"", 1])
    with pytest.raises(msgspec.DecodeError, match="99"):
        read(memoryview(octets))


@pytest.mark.parametrize("kind", ["moved", "packet"])
def test_flow__of_another_length__refused(kind: str) -> None:
    rest = [0, b"", 1] if kind == "moved" else [[0] * 9, b""]
    with pytest.raises(msgspec.ValidationError, match="36"):
        read(memoryview(msgspec.msgpack.encode([kind, bytes(35), *rest])))


@pytest.mark.parametrize(
    "segment",
    [
        Segment(1, 2, ACK, 3),
        Segment(1, 2, ACK, 3, 4, 5, b"text", ((1, 2), (3, 4)), None, 6, 1, 7),
        Segment(1, 2, ACK, 3, syn_options=SynOptions(1460, 7, True, b"cookie")),
        Segment(1, 2, SYN, 3, syn_options=SynOptions(1460, 7, True, b"", is_cookie_experimental=True)),
        Segment(1, 2, ACK, 3, ecn_bytes=EcnBytes(1449, 0, -1, is_order_1=True)),
    ],
)
def test_packet__comes_as_it_went(segment: Segment) -> None:
    assert segment_of(packet_of(b"flow", segment)) == segment


def test_link__the_other_end_speaks_and_closes__heard_though_nothing_can_be_written() -> None:
    """A worker gives its last connection and ends, while we hand a segment on to it: the connection comes."""
    moved = MovedConnection(bytes(36), Standing.RESTING, b"record", 77)

    async def main() -> list[type]:
        here, there = socket.socketpair()
        link = WorkerLink(here)
        there.sendall(len(content := written(moved)).to_bytes(4, "big") + content)
        there.close()
        await sys_fork(link.write())
        link.post(Taken())
        while not link.is_gone:
            await sys_sleep(1_000)
        heard = []
        while messages := await link.receive():
            heard += [type(message) for message in messages]
        link.post(Taken())
        assert link.waiting_bytes == 0
        await link.close()
        return heard

    assert run(main()) == [MovedConnection]
