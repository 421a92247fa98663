"""The netlink receiver against messages of our own making: a socket pair stands where the kernel would be.

Needs no root: recvmmsg takes datagrams from any socket, and the verdicts come out at the other end.
"""

import errno
import random
import socket
import struct
from collections.abc import Iterator

import pytest

from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.record import IN_RECORD, KIND_PLAIN
from gossamer.core.wire.segment import ACK, Segment
from gossamer.ffi.nfqueue_netlink import SLOT_BYTES, SLOTS, NetlinkSource

PACKET_HDR, CAP_LEN, SKB_INFO, PAYLOAD, VERDICT_HDR = 1, 13, 14, 10, 2
VERDICT_BYTES = 32
MSG_PACKET, MSG_VERDICT_BATCH, MSG_ERROR = 3 << 8 | 0, 3 << 8 | 3, 2
NF_DROP, NF_ACCEPT = 0, 1
QUEUE = 77
PORT = 2
"""The local port of the packets that are sent."""
SENT = build_packet(pack_flow(("192.0.2.1", 1), ("192.0.2.2", 2)), Segment(1, 2, ACK, 3, payload=b"data"))


@pytest.fixture
def kernel_and_source() -> Iterator[tuple[socket.socket, NetlinkSource]]:
    """The kernel's end, and a receiver on the other."""
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    kernel.setblocking(False)
    source = NetlinkSource(ours.fileno())
    with kernel, ours:
        yield kernel, source
        source.close()


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def queued(number: int, *attributes: bytes) -> bytes:
    """A packet of the queue, with its id and whatever else."""
    header = struct.pack("!IHB", number, 0x0800, 0)
    body = struct.pack("!BBH", 2, 0, QUEUE) + attribute(PACKET_HDR, header) + b"".join(attributes)
    return message(MSG_PACKET, body)


def kinds(source: NetlinkSource) -> list[int]:
    """The kind of each record of the next batch."""
    count = source.recv_batch()
    return [record[1] for record in IN_RECORD.iter_unpack(source.records[: count * IN_RECORD.size])]


def verdicts(kernel: socket.socket) -> list[tuple[int, int, int]]:
    """Queue, verdict and last id of each verdict that came; a datagram may hold several."""
    found = []
    while True:
        try:
            datagram = kernel.recv(65536)
        except BlockingIOError:
            return found
        assert len(datagram) % VERDICT_BYTES == 0
        for at in range(0, len(datagram), VERDICT_BYTES):
            assert struct.unpack_from("=IHH", datagram, at) == (VERDICT_BYTES, MSG_VERDICT_BATCH, 1)
            (queue,) = struct.unpack_from("!H", datagram, at + 18)
            assert struct.unpack_from("=HH", datagram, at + 20) == (12, VERDICT_HDR)
            found.append((queue, *struct.unpack_from("!II", datagram, at + 24)))


Pair = tuple[socket.socket, NetlinkSource]


def test_recv_batch__several_packets__one_verdict_for_all_up_to_the_last(kernel_and_source: Pair) -> None:
    kernel, source = kernel_and_source
    for number in (5, 6, 7):
        kernel.send(queued(number, attribute(PAYLOAD, SENT)))
    assert kinds(source) == [KIND_PLAIN] * 3
    assert verdicts(kernel) == [(QUEUE, NF_DROP, 7)]


def to_port(port: int) -> bytes:
    return build_packet(
        pack_flow(("192.0.2.1", 1), ("192.0.2.2", port)), Segment(1, 2, ACK, 3, payload=b"data")
    )


def test_recv_batch__accepted_port__each_run_of_the_same_verdict_is_one(kernel_and_source: Pair) -> None:
    kernel, ours = kernel_and_source
    source = NetlinkSource(ours.fd, accepted_port=PORT)
    bad = SENT[:-1] + b"b"
    for number, packet in enumerate((SENT, SENT, to_port(PORT + 1), to_port(61000), SENT, bad, SENT)):
        kernel.send(queued(number, attribute(PAYLOAD, packet)))
    assert len(kinds(source)) == 7
    assert [each[1:] for each in verdicts(kernel)] == [
        (NF_ACCEPT, 1),
        (NF_DROP, 3),
        (NF_ACCEPT, 4),
        (NF_DROP, 5),
        (NF_ACCEPT, 6),
    ]
    source.close()


def test_recv_batch__verdicts_of_two_kinds_do_not_get_through__nothing_more_is_read_until_they_do(
    kernel_and_source: Pair,
) -> None:
    kernel, ours = kernel_and_source
    source = NetlinkSource(ours.fd, slots=4, accepted_port=PORT)
    last = 0
    for number in range(2000):
        kernel.send(queued(number, attribute(PAYLOAD, to_port(PORT + number % 2))))
        last += len(kinds(source))
    assert last < 2000, "the way back never filled, so nothing was tried"
    came = verdicts(kernel)
    while kinds(source):
        came += verdicts(kernel)
    came += verdicts(kernel)
    assert [each[2] for each in came] == list(range(2000)), "each in its place, none changed"
    assert [each[1] for each in came] == [NF_ACCEPT, NF_DROP] * 1000
    source.close()


def test_recv_batch__more_than_a_batch__the_rest_comes_next(kernel_and_source: Pair) -> None:
    kernel, ours = kernel_and_source
    small = NetlinkSource(ours.fd, slots=3)
    for number in range(5):
        kernel.send(queued(number, attribute(PAYLOAD, SENT)))
    assert (len(kinds(small)), len(kinds(small)), len(kinds(small))) == (3, 2, 0)
    assert verdicts(kernel) == [(QUEUE, NF_DROP, 2), (QUEUE, NF_DROP, 4)]
    small.close()


def test_recv_batch__payload__where_the_record_points(kernel_and_source: Pair) -> None:
    kernel, source = kernel_and_source
    kernel.send(queued(1))
    kernel.send(queued(2, attribute(PAYLOAD, SENT)))
    assert source.recv_batch() == 2
    record = IN_RECORD.unpack_from(source.records, IN_RECORD.size)
    assert source.arena[record[8] : record[8] + record[9]] == b"data"
    assert SLOT_BYTES < record[8] < 2 * SLOT_BYTES


BAD_SUM = SENT[:-1] + b"b"


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        pytest.param([], DropReason.IP_TOO_SHORT, id="no payload"),
        pytest.param([attribute(PAYLOAD, b"")], DropReason.IP_TOO_SHORT, id="empty payload"),
        pytest.param([attribute(PAYLOAD, BAD_SUM)], DropReason.TCP_BAD_CHECKSUM, id="bad checksum"),
        pytest.param(
            [attribute(SKB_INFO, struct.pack("!I", 1)), attribute(PAYLOAD, BAD_SUM)],
            KIND_PLAIN,
            id="checksum not ready",
        ),
        pytest.param(
            [attribute(SKB_INFO, struct.pack("!I", 2)), attribute(PAYLOAD, BAD_SUM)],
            DropReason.TCP_BAD_CHECKSUM,
            id="aggregate, but with its checksum",
        ),
        pytest.param(
            [attribute(CAP_LEN, struct.pack("!I", 70_000)), attribute(PAYLOAD, SENT)],
            DropReason.TRUNCATED,
            id="less copied than there was",
        ),
        pytest.param([attribute(0x7FFF, b"x"), attribute(PAYLOAD, SENT)], KIND_PLAIN, id="unknown attribute"),
        pytest.param([attribute(0x8000 | PAYLOAD, SENT)], KIND_PLAIN, id="attribute flagged as nested"),
        pytest.param(
            [b"\0\0\0\0", attribute(PAYLOAD, SENT)], DropReason.IP_TOO_SHORT, id="attribute of length 0"
        ),
        pytest.param([b"\xff\xff\x0a\0"], DropReason.IP_TOO_SHORT, id="attribute over the message"),
    ],
)
def test_recv_batch__what_the_kernel_says_of_a_packet(
    kernel_and_source: Pair, attributes: list[bytes], kind: int
) -> None:
    kernel, source = kernel_and_source
    kernel.send(queued(9, *attributes))
    assert kinds(source) == [kind]
    assert verdicts(kernel) == [(QUEUE, NF_DROP, 9)]


def test_recv_batch__message_longer_than_a_slot__truncated(kernel_and_source: Pair) -> None:
    kernel, source = kernel_and_source
    kernel.send(queued(9, attribute(PAYLOAD, bytes(65_531)), attribute(0x7FFF, bytes(4000))))
    kernel.send(queued(10, attribute(PAYLOAD, SENT)))
    assert kinds(source) == [DropReason.TRUNCATED, KIND_PLAIN]


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"x", id="no header"),
        pytest.param(message(MSG_PACKET, b""), id="packet without its body"),
        pytest.param(message(MSG_PACKET, bytes(4)), id="packet without an id"),
        pytest.param(message(3, b""), id="done"),
        pytest.param(message(MSG_ERROR, b""), id="error cut short"),
        pytest.param(message(MSG_ERROR, struct.pack("=i", 0)), id="acknowledgement"),
        pytest.param(message(MSG_ERROR, struct.pack("=i", -errno.ENOENT)), id="packets gone already"),
    ],
)
def test_recv_batch__datagram_without_a_packet__passed_over(kernel_and_source: Pair, datagram: bytes) -> None:
    kernel, source = kernel_and_source
    kernel.send(datagram)
    kernel.send(queued(1, attribute(PAYLOAD, SENT)))
    assert kinds(source) == [KIND_PLAIN]


def test_recv_batch__error_of_a_verdict__raised(kernel_and_source: Pair) -> None:
    kernel, source = kernel_and_source
    kernel.send(message(MSG_ERROR, struct.pack("=i", -errno.EPERM)))
    with pytest.raises(PermissionError, match="netlink"):
        source.recv_batch()


def test_recv_batch__verdict_does_not_get_through__sent_with_the_next(kernel_and_source: Pair) -> None:
    kernel, source = kernel_and_source
    for number in range(1000):
        kernel.send(queued(number, attribute(PAYLOAD, SENT)))
        assert kinds(source) == [KIND_PLAIN]
    came = verdicts(kernel)
    assert len(came) < 1000, "the way back never filled, so nothing was tried"
    assert kinds(source) == []
    assert verdicts(kernel)[-1:] == [(QUEUE, NF_DROP, 999)]


def test_recv_batch__any_datagrams__at_most_a_batch_of_records(kernel_and_source: Pair) -> None:
    kernel, source = kernel_and_source
    rng = random.Random(7)
    for _ in range(3000):
        datagram = bytearray(
            queued(rng.getrandbits(32), attribute(PAYLOAD, SENT), attribute(SKB_INFO, bytes(4)))
        )
        for _ in range(rng.randrange(5)):
            datagram[rng.randrange(len(datagram))] = rng.choice((0, 1, 4, 13, 255, rng.getrandbits(8)))
        if datagram[4:6] == b"\x02\x00":
            continue
        kernel.send(datagram[: rng.randrange(1, len(datagram) + 1)] if rng.random() < 0.3 else datagram)
        assert 0 <= source.recv_batch() <= SLOTS
        verdicts(kernel)
