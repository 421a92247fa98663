"""What both receivers must do alike: real packets, diverted by the firewall, become records."""

import select
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import pack_flow, remote_address
from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.reading import read_icmp
from gossamer.core.wire.record import IN_RECORD, KIND_ICMP
from gossamer.core.wire.segment import ACK, NO_TIMESTAMP, PSH, SYN, Segment
from gossamer.ffi import nfqueue_netlink, rawout
from gossamer.ffi.nfqueue_netlink import NetlinkSource, open_queue
from gossamer.ffi.packets import PacketSource
from gossamer.ffi.rawout import RawSink
from gossamer.ffi.sendsocket import open_raw_sockets
from gossamer.loadtest import namespaces

pytestmark = pytest.mark.needs("nfqueue")

PEER_PORT = 40_000


@pytest.fixture(params=["netlink", "netfilterqueue"])
def open_source(request: pytest.FixtureRequest, kept: Callable[..., Any]) -> Callable[..., PacketSource]:
    """Opens a receiver of either kind on a queue."""

    def by_netlink(queue: int, maxlen: int = nfqueue_netlink.QUEUE_MAXLEN) -> PacketSource:
        source: PacketSource = kept(NetlinkSource(kept(open_queue(queue, maxlen)).fileno()))
        return source

    def by_package(queue: int, maxlen: int = nfqueue_netlink.QUEUE_MAXLEN) -> PacketSource:
        package = pytest.importorskip(
            "gossamer.ffi.nfqueue_package", reason="needs the package NetfilterQueue"
        )
        source: PacketSource = kept(package.NetfilterQueueSource(queue, maxlen))
        return source

    return by_netlink if request.param == "netlink" else by_package


@pytest.fixture
def sink(diverted: Any) -> Iterator[RawSink]:
    """A sink in the namespace of `diverted`."""
    del diverted
    v4, v6 = open_raw_sockets()
    assert v6 is not None
    with v4, v6:
        made = RawSink(v4.fileno(), v6.fileno())
        yield made
        made.close()


def to_us(port: int, host: str = "127.0.0.1") -> bytes:
    """The flow of a peer, as the peer has it: packets emitted on it are diverted to us."""
    return pack_flow((host, PEER_PORT), (host, port))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_recv_batch__syn_of_a_kernel_client__its_flow_and_options(
    diverted: Any, open_source: Callable[..., PacketSource], host: str
) -> None:
    source = open_source(diverted.queue)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as client:
        client.setblocking(False)
        assert client.connect_ex((host, diverted.port)) != 0
        ((flow, segment), *_) = diverted.take(source, 1)
        assert remote_address(flow) == client.getsockname()[:2]
    assert isinstance(segment, Segment)
    assert segment.flags == SYN
    assert segment.syn_options is not None
    assert segment.syn_options.sack_permitted
    assert segment.ts_val != NO_TIMESTAMP


def test_recv_batch__nothing_waits__zero(diverted: Any, open_source: Callable[..., PacketSource]) -> None:
    assert open_source(diverted.queue).recv_batch() == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_recv_batch__burst_of_raw_segments__all_in_order_in_bounded_batches(
    diverted: Any, open_source: Callable[..., PacketSource], sink: RawSink, host: str
) -> None:
    source = open_source(diverted.queue)
    sent = [Segment(seq, 7, ACK | PSH, 9, ts_val=seq, ts_ecr=1, payload=b"%d" % seq) for seq in range(200)]
    for segment in sent:
        sink.emit(to_us(diverted.port, host), segment)
    assert sink.flush() == 200
    first = source.recv_batch()
    assert 0 < first <= nfqueue_netlink.SLOTS
    assert diverted.segments(source, 200 - first) == sent[first:]
    assert source.recv_batch() == 0


def test_recv_batch__wrong_checksum__named(diverted: Any, open_source: Callable[..., PacketSource]) -> None:
    source = open_source(diverted.queue)
    packet = build_packet(to_us(diverted.port), Segment(1, 2, ACK, 3, payload=b"data"))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(packet[:-1] + b"b", ("127.0.0.1", 0))
        raw.sendto(packet, ("127.0.0.1", 0))
    found = [value for _, value in diverted.take(source, 2)]
    assert found == [DropReason.TCP_BAD_CHECKSUM, Segment(1, 2, ACK, 3, payload=b"data")]


def test_recv_batch__queue_full__the_rest_is_dropped_and_counted(
    diverted: Any, open_source: Callable[..., PacketSource], sink: RawSink
) -> None:
    source = open_source(diverted.queue, 10)
    for seq in range(50):
        sink.emit(to_us(diverted.port), Segment(seq, 7, ACK, 9))
    sink.flush()
    assert [segment.seq for segment in diverted.segments(source, 50, wait_s=0.2)] == list(range(10))
    with open(nfqueue_netlink.QUEUES_IN_USE) as lines:
        assert int(lines.readline().split()[5]) == 40
    sink.emit(to_us(diverted.port), Segment(1000, 7, ACK, 9))
    sink.flush()
    assert [segment.seq for segment in diverted.segments(source, 1)] == [1000]


def test_exchange__kernel_client__gets_our_answer(
    diverted: Any, open_source: Callable[..., PacketSource], sink: RawSink
) -> None:
    source = open_source(diverted.queue)
    with socket.socket() as client:
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", diverted.port))
        ((flow, syn), *_) = diverted.take(source, 1)
        sink.emit(flow, Segment(999, syn.seq + 1, SYN | ACK, 65535, ts_val=1, ts_ecr=syn.ts_val))
        sink.flush()
        diverted.take(source, 1)
        assert client.send(b"question") == 8
        (request,) = diverted.segments(source, 1)
        assert request.payload == b"question"
        answer = Segment(
            1000, request.seq + 8, PSH | ACK, 65535, ts_val=2, ts_ecr=request.ts_val, payload=b"answer"
        )
        sink.emit(flow, answer)
        sink.flush()
        client.setblocking(True)
        client.settimeout(5)
        assert client.recv(100) == b"answer"


@pytest.mark.parametrize(
    ("host", "command", "protocol", "reject", "expected"),
    [
        ("127.0.0.1", "iptables", "icmp", "icmp-host-unreachable", (3, 1)),
        ("::1", "ip6tables", "icmpv6", "icmp6-addr-unreachable", (1, 3)),
    ],
)
def test_recv_batch__icmp_error_of_the_kernel__read_as_one_about_our_flow(
    diverted: Any,
    open_source: Callable[..., PacketSource],
    sink: RawSink,
    host: str,
    command: str,
    protocol: str,
    reject: str,
    expected: tuple[int, int],
) -> None:
    refuse = ["INPUT", "-p", "tcp", "--dport", str(PEER_PORT), "-j", "REJECT", "--reject-with", reject]
    namespaces.run([command, "-w", "-A", *refuse])
    divert = ["INPUT", "-p", protocol, "-j", "NFQUEUE", "--queue-num", str(diverted.queue)]
    namespaces.run([command, "-w", "-t", "security", "-A", *divert])
    source = open_source(diverted.queue)
    ours = pack_flow((host, diverted.port), (host, PEER_PORT))
    sink.emit(ours, Segment(0xFFFFFFF0, 2, ACK, 3, ts_val=4, payload=b"refused"))
    assert sink.flush() == 1
    select.select([source.fd], [], [], 5)
    assert source.recv_batch() == 1
    record = IN_RECORD.unpack_from(source.records)
    assert record[1] == KIND_ICMP
    assert read_icmp(record) == IcmpMessage(ours, *expected, seq=0xFFFFFFF0, mtu=0)


def test_close__twice__harmless(diverted: Any, open_source: Callable[..., PacketSource]) -> None:
    source = open_source(diverted.queue)
    source.close()
    source.close()


def test_batch_bounds__fit_the_arena() -> None:
    assert nfqueue_netlink.SLOT_BYTES > nfqueue_netlink.COPY_RANGE_BYTES + 1024
    assert rawout.ARENA_BYTES > 2 * rawout.SEGMENT_BYTES_MAX
