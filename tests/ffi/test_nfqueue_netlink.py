"""What only our own netlink receiver does: aggregates, inherited sockets, fatal errors, clear refusals."""

import errno
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.packet import parse_packet
from gossamer.core.wire.record import IN_RECORD
from gossamer.core.wire.segment import ACK, SYN, Segment, SynOptions
from gossamer.ffi.nfqueue_netlink import COPY_RANGE_BYTES, NetlinkSource, open_queue
from gossamer.ffi.rawout import RawSink
from gossamer.ffi.sendsocket import open_raw_sockets
from gossamer.loadtest import namespaces

pytestmark = pytest.mark.needs("nfqueue")

PEER_PORT = 40_001


@pytest.fixture
def netlink(diverted: Any, kept: Callable[..., Any]) -> socket.socket:
    """The socket of the diverted queue."""
    bound: socket.socket = kept(open_queue(diverted.queue))
    return bound


@pytest.fixture
def source(netlink: socket.socket, kept: Callable[..., Any]) -> NetlinkSource:
    """A receiver on it."""
    made: NetlinkSource = kept(NetlinkSource(netlink.fileno()))
    return made


@pytest.fixture
def sink(diverted: Any, kept: Callable[..., Any]) -> RawSink:
    """A sink in the same namespace."""
    del diverted
    v4, v6 = (kept(raw) for raw in open_raw_sockets())
    made: RawSink = kept(RawSink(v4.fileno(), v6.fileno()))
    return made


def shake_hands(client: socket.socket, diverted: Any, source: NetlinkSource, sink: RawSink) -> bytes:
    """Let a kernel client connect to us; the flow."""
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", diverted.port))
    ((flow, syn), *_) = diverted.take(source, 1)
    answer = Segment(999, syn.seq + 1, SYN | ACK, 65535, syn_options=SynOptions(mss=1460))
    sink.emit(flow, answer, encode_options(answer))
    sink.flush()
    diverted.take(source, 1)
    assert isinstance(flow, bytes)
    return flow


def test_recv_batch__burst_of_a_kernel_client__comes_in_aggregates_without_checksum(
    diverted: Any, source: NetlinkSource, sink: RawSink
) -> None:
    namespaces.run(["ip", "link", "set", "lo", "mtu", "1500"])
    sent = os.urandom(12_000)
    with socket.socket() as client:
        shake_hands(client, diverted, source, sink)
        assert client.send(sent) == len(sent)
        select.select([source.fd], [], [], 5)
        count = source.recv_batch()
        records = list(IN_RECORD.iter_unpack(source.records[: count * IN_RECORD.size]))
        payloads = [source.arena[record[8] : record[8] + record[9]] for record in records]
    assert b"".join(payloads) == sent
    assert max(len(payload) for payload in payloads) > 1500
    largest = max(records, key=lambda record: record[9])
    packet = source.arena[largest[8] - 40 : largest[8] + largest[9]]
    assert parse_packet(packet) is DropReason.TCP_BAD_CHECKSUM
    assert isinstance(parse_packet(packet, checksum_ready=False), tuple)


def test_recv_batch__longest_packet_of_loopback__whole_or_named(
    diverted: Any, source: NetlinkSource, sink: RawSink
) -> None:
    flow = pack_flow(("127.0.0.1", PEER_PORT), ("127.0.0.1", diverted.port))
    fits = Segment(1, 2, ACK, 3, payload=os.urandom(COPY_RANGE_BYTES - 40))
    sink.emit(flow, fits)
    sink.emit(flow, Segment(2, 2, ACK, 3, payload=bytes(COPY_RANGE_BYTES - 39)))
    assert sink.flush() == 2
    assert [value for _, value in diverted.take(source, 2)] == [fits, DropReason.TRUNCATED]


def test_recv_batch__socket_overrun__the_rest_is_dropped_and_counted(diverted: Any, sink: RawSink) -> None:
    flow = pack_flow(("127.0.0.1", PEER_PORT), ("127.0.0.1", diverted.port))
    with open_queue(diverted.queue, receive_buffer_bytes=16_384) as bound:
        source = NetlinkSource(bound.fileno())
        for seq in range(200):
            sink.emit(flow, Segment(seq, 2, ACK, 3, payload=bytes(1000)))
        sink.flush()
        came = diverted.segments(source, 200, wait_s=0.2)
        assert 0 < len(came) < 200
        with open("/proc/thread-self/net/netfilter/nfnetlink_queue") as lines:
            assert int(lines.readline().split()[6]) == 200 - len(came)
        sink.emit(flow, Segment(999, 2, ACK, 3))
        sink.flush()
        assert [segment.seq for segment in diverted.segments(source, 1)] == [999]
        source.close()


def test_source__replaced_on_the_same_socket__takes_what_waited(
    diverted: Any, netlink: socket.socket, sink: RawSink
) -> None:
    flow = pack_flow(("127.0.0.1", PEER_PORT), ("127.0.0.1", diverted.port))
    first = NetlinkSource(os.dup(netlink.fileno()))
    sink.emit(flow, Segment(1, 2, ACK, 3))
    sink.flush()
    os.close(first.fd)
    first.close()
    second = NetlinkSource(netlink.fileno())
    assert [segment.seq for segment in diverted.segments(second, 1)] == [1]
    second.close()


def test_source__two_batches_deep__verdicts_leave_nothing_in_the_kernel(
    diverted: Any, source: NetlinkSource, sink: RawSink
) -> None:
    flow = pack_flow(("127.0.0.1", PEER_PORT), ("127.0.0.1", diverted.port))
    for seq in range(100):
        sink.emit(flow, Segment(seq, 2, ACK, 3))
    sink.flush()
    assert len(diverted.segments(source, 100)) == 100
    with open("/proc/thread-self/net/netfilter/nfnetlink_queue") as lines:
        assert int(lines.readline().split()[2]) == 0


WITHOUT_CAPABILITY = """
import select, sys
from gossamer.ffi.nfqueue_netlink import NetlinkSource
source = NetlinkSource(int(sys.argv[1]))
try:
    for _ in range(10):
        select.select([source.fd], [], [], 1)
        source.recv_batch()
except PermissionError as error:
    print(error)
"""


def test_recv_batch__without_cap_net_admin__fatal_at_the_latest_with_the_next_batch(
    diverted: Any, netlink: socket.socket, sink: RawSink
) -> None:
    flow = pack_flow(("127.0.0.1", PEER_PORT), ("127.0.0.1", diverted.port))
    sink.emit(flow, Segment(1, 2, ACK, 3))
    sink.flush()
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    fd = str(netlink.fileno())
    done = subprocess.run(
        [*drop, sys.executable, "-c", WITHOUT_CAPABILITY, fd],
        pass_fds=[netlink.fileno()],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "Operation not permitted" in done.stdout, done.stderr


def test_open_queue__taken__says_so(diverted: Any, netlink: socket.socket) -> None:
    del netlink
    with pytest.raises(OSError, match="queue 77 is taken") as caught:
        open_queue(diverted.queue)
    assert caught.value.errno == errno.EBUSY


def test_open_queue__closed__free_again(diverted: Any) -> None:
    open_queue(diverted.queue).close()
    open_queue(diverted.queue).close()


def test_open_queue__packets_already_come__bound_all_the_same(diverted: Any, sink: RawSink) -> None:
    flow = pack_flow(("127.0.0.1", PEER_PORT), ("127.0.0.1", diverted.port))
    open_queue(diverted.queue).close()
    for seq in range(20):
        sink.emit(flow, Segment(seq, 2, ACK, 3))
    sink.flush()
    with open_queue(diverted.queue) as bound:
        source = NetlinkSource(bound.fileno())
        sink.emit(flow, Segment(99, 2, ACK, 3))
        sink.flush()
        assert [segment.seq for segment in diverted.segments(source, 1)] == [99]
        source.close()


def test_recv_batch__after_close__os_error(netlink: socket.socket) -> None:
    source = NetlinkSource(netlink.fileno())
    source.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        source.recv_batch()


@pytest.mark.needs("net-admin", "setpriv")
def test_open_queue__without_cap_net_admin__says_so() -> None:
    script = "from gossamer.ffi.nfqueue_netlink import open_queue; open_queue(7)"
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    done = subprocess.run([*drop, sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert "PermissionError" in done.stderr
    assert "needs CAP_NET_ADMIN" in done.stderr
