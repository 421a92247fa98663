"""The bad link over real TUN devices: what goes in comes out as its seed decides."""

import hashlib
import socket
import subprocess
import sys
import threading

import pytest

from gossamer.core.clock import SECOND_US, VirtualClock
from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.link import QUEUE_PACKETS_MAX, Direction, carry
from gossamer.loadtest.linked import linked
from gossamer.loadtest.namespaces import RIGHT_V4, Namespace

SEND = """
import socket, sys
s = socket.create_connection((sys.argv[1], 7101), timeout=20)
block = bytes(range(256)) * 256
for _ in range(int(sys.argv[2])): s.sendall(block)
s.shutdown(socket.SHUT_WR); print(s.recv(100).decode())
"""
RECEIVE = """
import hashlib, socket
l = socket.create_server(("0.0.0.0", 7101)); print("up", flush=True)
c, _ = l.accept(); c.settimeout(20); digest = hashlib.sha256();
while data := c.recv(1 << 20): digest.update(data)
c.sendall(digest.hexdigest().encode())
"""


def transfer(left: Namespace, right: Namespace, blocks: int) -> str:
    """Send blocks of 64 KiB by kernel TCP; the digest that the receiver saw."""
    receiver = right.start([sys.executable, "-c", RECEIVE], stdout=subprocess.PIPE, text=True)
    assert receiver.stdout is not None
    with receiver.stdout as lines:
        assert lines.readline() == "up\n"
        return left.run([sys.executable, "-c", SEND, RIGHT_V4, str(blocks)]).strip()


def digest_of(blocks: int) -> str:
    """The digest that must arrive."""
    return hashlib.sha256(bytes(range(256)) * 256 * blocks).hexdigest()


@pytest.mark.needs("tun")
def test_link__perfect__every_packet_arrives(
    namespace_pair: tuple[Namespace, Namespace],
) -> None:
    with linked(*namespace_pair, LinkFaults()) as link:
        digest = transfer(*namespace_pair, blocks=512)
        counts = link.close()
    assert digest == digest_of(512)
    assert counts.forth.lost_total == counts.back.lost_total == 0
    assert counts.forth.received_total > 512 * 64 // 1500


@pytest.mark.needs("tun")
def test_link__loss_reorder_duplicates_corruption__kernel_tcp_still_gets_through(
    namespace_pair: tuple[Namespace, Namespace],
) -> None:
    faults = LinkFaults(loss=0.02, reorder=0.02, duplicate=0.01, corrupt=0.005)
    with linked(*namespace_pair, faults, seed=11) as link:
        digest = transfer(*namespace_pair, blocks=128)
        counts = link.close()
    assert digest == digest_of(128)
    forth = counts.forth
    assert forth.lost_total / forth.received_total == pytest.approx(0.02, rel=0.5)
    assert min(forth.reordered_total, forth.duplicated_total, forth.corrupted_total) > 0


def packets_through(faults: LinkFaults, count: int, seconds: float) -> tuple[list[bytes], Direction]:
    """Put numbered packets through a direction whose ends are datagram sockets, on a virtual clock."""
    entry, source = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    sink, outlet = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with entry, source, sink, outlet:
        source.setblocking(False)
        outlet.setblocking(False)
        direction = Direction(source.fileno(), sink.fileno(), faults, seed=5)
        clock = VirtualClock()
        arrived = []
        for number in range(count):
            entry.send(number.to_bytes(4, "big") * 10)
            direction.take(clock())
            clock.advance(int(seconds * SECOND_US / count))
            direction.release(clock())
            arrived += drain(outlet)
        clock.advance(SECOND_US)
        direction.release(clock())
        return arrived + drain(outlet), direction


def drain(outlet: socket.socket) -> list[bytes]:
    """All that has arrived."""
    packets = []
    while True:
        try:
            packets.append(outlet.recv(2048))
        except BlockingIOError:
            return packets


def test_direction__reorder__held_packets_come_later_and_none_is_missing() -> None:
    arrived, direction = packets_through(LinkFaults(reorder=0.1), 500, seconds=0.5)
    assert sorted(arrived) == [n.to_bytes(4, "big") * 10 for n in range(500)]
    assert arrived != sorted(arrived)
    assert direction.counts.reordered_total > 20


def test_direction__loss_and_duplicates__counts_add_up() -> None:
    arrived, direction = packets_through(LinkFaults(loss=0.1, duplicate=0.1), 500, seconds=0.5)
    counts = direction.counts
    assert len(arrived) == counts.delivered_total == 500 - counts.lost_total + counts.duplicated_total
    assert counts.lost_total > 20
    assert counts.duplicated_total > 20


def test_direction__more_under_way_than_the_bound__dropped_and_counted() -> None:
    direction = Direction(-1, -1, LinkFaults(delay_us=1000), seed=1)
    for _ in range(QUEUE_PACKETS_MAX + 3):
        direction.route(b"packet", now_us=0)
    assert len(direction.under_way) == QUEUE_PACKETS_MAX
    assert direction.counts.queue_full_total == 3


def test_direction__sink_refuses__counted_and_goes_on() -> None:
    direction = Direction(-1, -1, LinkFaults(), seed=1)
    direction.route(b"packet", now_us=0)
    assert direction.counts.refused_total == 1


def test_carry__time_is_over__ends_by_itself() -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    clock = VirtualClock()

    def moving() -> int:
        clock.advance(SECOND_US)
        return clock()

    with left, right:
        direction = Direction(left.fileno(), right.fileno(), LinkFaults(), seed=1)
        worker = threading.Thread(target=carry, args=([direction], 4 * SECOND_US, lambda: False, moving))
        worker.start()
        worker.join(20)
        assert not worker.is_alive()
