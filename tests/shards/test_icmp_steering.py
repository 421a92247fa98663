"""ICMP errors: those that quote our port reach their flow's shard, all others stay the host's."""

import socket
import struct
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from gossamer.cli.status import fetch_status
from gossamer.core.clock import monotonic_us
from gossamer.loadtest.namespaces import Namespace

from .conftest import Server, wait_until

pytestmark = pytest.mark.needs("nfqueue")

PORT = 18095


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def unreachable(source: str, destination: str, sport: int, dport: int) -> bytes:
    """A destination-unreachable message that quotes a segment from source to destination."""
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    quoted = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0x4000, 64, 6, 0) + addresses
    message = struct.pack("!BBHI", 3, 1, 0, 0) + quoted + struct.pack("!HHI", sport, dport, 7)
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def packets_in(server: Server) -> list[int]:
    """Of each worker, all that had come by now: it is read before the second heartbeat that follows."""
    for _ in range(2):
        asked_us = monotonic_us()
        wait_until(lambda asked_us=asked_us: has_beaten_since(server, asked_us), "a heartbeat of each")
    return [worker.packets_in_total for worker in fetch_status(server.directory).workers]


def has_beaten_since(server: Server, then_us: int) -> bool:
    now_us = monotonic_us()
    ages_us = [worker.heartbeat_age_us for worker in fetch_status(server.directory).workers]
    return all(now_us - age_us > then_us for age_us in ages_us)


def test_icmp_error__quotes_our_port__reaches_the_shard_of_its_flow__another_is_not_ours(
    serve: Callable[..., Server], namespace: Namespace
) -> None:
    prefix = tuple(namespace.command([]))
    server = serve("--stack", "nfqueue", "--port", str(PORT), prefix=prefix, workers="2").wait_ready()
    with (
        namespace.entered(),
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw,
        ExitStack() as clients,
    ):
        for sport, dport in ((80, PORT), (PORT + 1, 80), (22, 443)):
            raw.sendto(unreachable("127.0.0.1", "127.0.0.1", sport, dport), ("127.0.0.1", 0))
        after = packets_in(server)
        assert after == [0, 0]
        for _ in range(8):
            before = after
            client = clients.enter_context(socket.create_connection(("127.0.0.1", PORT), timeout=30))
            connected = packets_in(server)
            raw.sendto(unreachable("127.0.0.1", "127.0.0.1", PORT, client.getsockname()[1]), ("127.0.0.1", 0))
            after = packets_in(server)
            (flow_shard,) = (i for i in (0, 1) if connected[i] != before[i])
            assert [after[i] - connected[i] for i in (0, 1)] == [int(i == flow_shard) for i in (0, 1)]
