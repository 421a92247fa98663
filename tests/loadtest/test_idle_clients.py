"""Clients without sockets: their packets, and what they answer."""

from dataclasses import dataclass, field
from typing import Any

from gossamer.core.sim.device import MemorySource
from gossamer.core.wire.flow import local_address, remote_address
from gossamer.core.wire.segment import ACK, FIN, PSH, SYN
from gossamer.loadtest.idle_clients import ADDRESSES, CLIENTS_MAX, FIRST_PORT, PORTS, IdleClients

SERVER = ("10.77.0.2", 80)
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


@dataclass
class Kept:
    """A sink that keeps what is sent."""

    sent: list[tuple[bytes, Any]] = field(default_factory=list)

    def emit(self, flow: bytes, segment: Any, options: bytes = b"") -> None:
        self.sent.append((flow, segment))
        assert len(options) % 4 == 0

    def flush(self) -> int:
        return 0


def clients() -> tuple[IdleClients, Kept]:
    sink = Kept()
    return IdleClients(MemorySource(), sink, SERVER, REQUEST), sink  # type: ignore[arg-type]


def record(flow: bytes, flags: int, seq: int, ack: int, length: int = 0) -> tuple[Any, ...]:
    return flow, 1, flags, 500, seq, ack, 77, 0, 0, length, 0, 1


def test_flows__each_client_has_its_own_address_and_port() -> None:
    made, _ = clients()
    for number in (0, PORTS - 1, PORTS, CLIENTS_MAX - 1):
        assert made.number(made.flow(number)) == number
        assert remote_address(made.flow(number)) == SERVER
    assert local_address(made.flow(PORTS)) == (ADDRESSES[1], FIRST_PORT)


def test_syn_ack__the_request_with_the_acknowledgement() -> None:
    made, sink = clients()
    made._take(*record(made.flow(7), SYN | ACK, 0xFFFFFFFF, 1_001))
    ((flow, segment),) = sink.sent
    assert (flow, segment.flags, segment.seq, segment.ack) == (made.flow(7), ACK | PSH, 1_001, 0)
    assert (segment.payload, segment.ts_ecr) == (REQUEST, 77)


def test_answer__acknowledged_each_time__counted_once() -> None:
    made, sink = clients()
    for _ in range(2):
        made._take(*record(made.flow(7), ACK | PSH, 5, 1_019, length=100))
    assert [(segment.flags, segment.seq, segment.ack) for _, segment in sink.sent] == [(ACK, 1_019, 105)] * 2
    assert made.answered_total == 1


def test_plain_ack__nothing_to_say() -> None:
    made, sink = clients()
    made._take(*record(made.flow(7), ACK, 5, 1_019))
    assert sink.sent == []


def test_fin__answered_with_its_own() -> None:
    made, sink = clients()
    made._take(*record(made.flow(7), ACK | FIN, 5, 1_019))
    ((_, segment),) = sink.sent
    assert (segment.flags, segment.seq, segment.ack) == (ACK | FIN, 1_019, 6)
