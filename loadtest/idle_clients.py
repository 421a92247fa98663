"""Clients beyond number: connections that each ask once and then stay open, without a socket for any of them.

A process may hold 20,000 sockets here, and a million connections need none: a client that keeps nothing can
answer every packet from what the packet says. It sends SYNs through a raw socket from as many addresses as it
takes, hears what comes back from a queue (so the kernel's TCP never sees it, and resets nothing),
acknowledges a SYN-ACK together with its request, and an answer at once, and closes with the server. Owns
these packets and one octet a connection: whether it was answered.
"""

import contextlib
import select
import time
from collections.abc import Iterator
from typing import Final

from gossamer.core.wire.flow import Address, pack_address
from gossamer.core.wire.record import IN_RECORD
from gossamer.core.wire.segment import ACK, FIN, PSH, SYN, Segment
from gossamer.ffi.nfqueue_netlink import NetlinkSource, open_queue
from gossamer.ffi.packets import PacketSink, PacketSource
from gossamer.ffi.rawout import RawSink
from gossamer.ffi.sendsocket import open_raw_sockets
from gossamer.loadtest.namespaces import Namespace

ADDRESSES: Final = tuple(f"10.77.0.{number}" for number in range(10, 30))
"""Of the client's side of a veth pair."""
FIRST_PORT: Final = 1_024
PORTS: Final = 60_000
CLIENTS_MAX: Final = len(ADDRESSES) * PORTS
QUEUE: Final = 77
ISS: Final = 1_000
WINDOW: Final = 512
"""As the window scale below has it: 64 KiB."""
SYN_OPTIONS: Final = bytes.fromhex("020405b4 0402 080a") + bytes(8) + bytes.fromhex("01 030307")
"""What a kernel of today offers: MSS 1460, SACK, timestamps (set in between), a window scale of 7."""
UNDER_WAY_MAX: Final = 512
"""Handshakes at a time: far below the server's backlog."""
AGAIN_S: Final = 1.0
"""When a SYN that was not answered is sent again."""
STEP_S: Final = 0.05


class IdleClients:
    """All of them. `open_to(count)` opens those that are missing."""

    def __init__(
        self, source: PacketSource, sink: PacketSink, server: tuple[str, int], request: bytes
    ) -> None:
        self._source = source
        self._sink = sink
        self._request = request
        ports = server[1].to_bytes(2, "big")
        self._ways = [pack_address(server[0]) + pack_address(address) + ports for address in ADDRESSES]
        self._numbers = {way[16:32]: number for number, way in enumerate(self._ways)}
        self._is_answered = bytearray(CLIENTS_MAX)
        self._begun = 0
        self.answered_total = 0

    def flow(self, number: int) -> bytes:
        """The flow of a client, by number."""
        return self._ways[number // PORTS] + (FIRST_PORT + number % PORTS).to_bytes(2, "big")

    def number(self, flow: bytes) -> int:
        """The client of a flow."""
        return self._numbers[flow[16:32]] * PORTS + int.from_bytes(flow[34:36], "big") - FIRST_PORT

    def open_to(self, count: int, limit_s: float) -> bool:
        """Open until so many were answered; whether that was done in the time."""
        end_s = again_s = time.monotonic()
        end_s += limit_s
        while self.answered_total < count:
            now_s = time.monotonic()
            if now_s > end_s:
                return False
            if now_s >= again_s:
                again_s = now_s + AGAIN_S
                self._begin_again()
            while self._begun < min(count, self.answered_total + UNDER_WAY_MAX):
                self._begin(self._begun)
                self._begun += 1
            self._sink.flush()
            self.answer_for(STEP_S)
        return True

    def _begin_again(self) -> None:
        """Those that were not answered for a while: a packet may be lost."""
        if self._begun - self.answered_total:
            for number in range(self._begun):
                if not self._is_answered[number]:
                    self._begin(number)

    def _begin(self, number: int) -> None:
        options = SYN_OPTIONS[:8] + _now().to_bytes(4, "big") + SYN_OPTIONS[12:]
        self._sink.emit(self.flow(number), Segment(ISS, 0, SYN, 65_535), options)

    def answer_for(self, seconds: float) -> None:
        """Answer what comes within that time, or what is there when something comes."""
        ready, _, _ = select.select([self._source.fd], [], [], seconds)
        while ready and (count := self._source.recv_batch()):
            for record in IN_RECORD.iter_unpack(self._source.records[: count * IN_RECORD.size]):
                self._take(*record)
            self._sink.flush()

    def _take(
        self, flow: bytes, _kind: int, flags: int, _window: int, seq: int, ack: int, *rest: int
    ) -> None:
        ts_val, length = rest[0], rest[3]
        if flags & SYN:
            asks = Segment(ack, seq + 1 & 0xFFFFFFFF, ACK | PSH, WINDOW, _now(), ts_val, self._request)
            self._sink.emit(flow, asks)
        elif flags & FIN:
            closes = Segment(ack, seq + length + 1 & 0xFFFFFFFF, ACK | FIN, WINDOW, _now(), ts_val)
            self._sink.emit(flow, closes)
        elif length:
            self._sink.emit(flow, Segment(ack, seq + length & 0xFFFFFFFF, ACK, WINDOW, _now(), ts_val))
            number = self.number(flow)
            self.answered_total += not self._is_answered[number]
            self._is_answered[number] = 1


def _now() -> int:
    """The clock of timestamps, in milliseconds."""
    return time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF


@contextlib.contextmanager
def idle_clients(space: Namespace, server: Address, request: bytes) -> Iterator[IdleClients]:
    """The clients, in a namespace whose `eth0` leads to the server. Raises: NamespaceError, OSError."""
    for address in ADDRESSES:
        space.run(["ip", "addr", "add", f"{address}/24", "dev", "eth0"])
    with contextlib.ExitStack() as held:
        with space.entered():
            queue = held.enter_context(open_queue(QUEUE))
            raw_ipv4, raw_ipv6 = open_raw_sockets()
        held.enter_context(raw_ipv4)
        if raw_ipv6 is not None:
            raw_ipv6.close()
        for address in ADDRESSES:
            match = ["-p", "tcp", "-d", address, "--sport", str(server[1])]
            to_queue = ["-j", "NFQUEUE", "--queue-num", str(QUEUE)]
            space.run(["iptables", "-w", "-t", "security", "-A", "INPUT", *match, *to_queue])
        source = held.enter_context(contextlib.closing(NetlinkSource(queue.fileno())))
        sink = held.enter_context(contextlib.closing(RawSink(raw_ipv4.fileno())))
        yield IdleClients(source, sink, server, request)
