"""Listeners over in-memory devices in virtual time: their queues, their bounds, and floods."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Network
from gossamer.core.tcp.constants import SYN_COOKIE_PERIOD_US
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import build_packet, parse_packet
from gossamer.core.wire.segment import ACK, FIN, RST, SYN, Segment, SynOptions

SERVER, FLOODER = ("10.0.0.2", 80), "10.9.9.9"
BACKLOG = 16
NEAR = Faults(delay_us=5_000)


class Wire:
    """Real clients, a server, and a flooder whose address nobody has."""

    def __init__(self, parameters: TcpParameters, faults: Faults = NEAR) -> None:
        self.network = Network(faults, 1)
        self.client = self.network.host(bytes((10, 0, 0, 1)), TcpParameters())
        self.server = self.network.host(bytes((10, 0, 0, 2)), parameters)
        self.acceptor = TcpAcceptor(self.server.loop, SERVER, parameters)

    def run(self, *threads: Thread[Any], for_us: int = 100 * SECOND_US) -> None:
        self.network.run(*threads, for_us=for_us)

    def use(self, user: Callable[[TcpStream], Coroutine[Any, Any, Any]], port: int) -> Thread[Any]:
        async def connected() -> Any:
            return await user(await TcpConnect(("10.0.0.1", port), SERVER, NEVER_US, TcpStream))

        return self.client.spawn(connected())

    def serve(self) -> None:
        """Echo on every connection."""

        async def server() -> None:
            while True:
                self.server.spawn(echo(await self.acceptor.accept()))

        self.server.spawn(server())

    def flood(self, count: int, first: int = 0) -> None:
        for number in range(first, first + count):
            self.inject(Segment(number, 0, SYN, 1000, 5, 0, syn_options=SynOptions(1460, 7, True)), number)

    def inject(self, segment: Segment, number: int = 0, source: str = FLOODER) -> None:
        """A packet reaches the server, in the order in which it is injected."""
        self.server.source.put(build_packet(pack_flow((source, 1024 + number), SERVER), segment))

    def sent_to(self, host: str) -> list[Segment]:
        parsed = [parse_packet(packet) for packet in self.network.seen]
        return [
            p[1]
            for p in parsed
            if isinstance(p, tuple) and p[0][16:32] == pack_flow((host, 0), (host, 0))[16:32]
        ]

    def count(self, name: str) -> int:
        return self.server.statistics[name]


async def echo(stream: TcpStream) -> None:
    while data := await stream.recv(10_000):
        await stream.send(data)
    await stream.close()


async def asks(stream: TcpStream) -> bytes:
    await stream.send(b"question")
    data = await stream.recv()
    await stream.close()
    return data


async def silent(stream: TcpStream) -> bytes:
    return await stream.recv()


# SYN flood


@pytest.mark.parametrize("cookies", ["off", "auto"])
def test_syn_flood__half_open_stays_within_the_backlog(cookies: Any) -> None:
    wire = Wire(TcpParameters(syn_backlog=BACKLOG, syn_cookies=cookies), Faults())
    wire.flood(10 * BACKLOG)
    wire.run(for_us=1_000)
    assert wire.count("half_open") == wire.server.loop.connections == BACKLOG
    beyond = {"off": "drop_backlog_full", "auto": "syn_cookies_sent_total"}
    assert wire.count(beyond[cookies]) == 9 * BACKLOG
    wire.run(for_us=200 * SECOND_US)
    assert wire.count("half_open") == 0, "each gives its place back"
    assert wire.server.loop.connections == 0


def test_syn_flood__cookies_always__nothing_is_kept_of_a_syn() -> None:
    wire = Wire(TcpParameters(syn_cookies="always"))
    wire.flood(100)
    wire.run(for_us=1_000)
    assert (wire.count("half_open"), wire.count("syn_cookies_sent_total")) == (0, 100)
    wire.run(for_us=10 * SECOND_US)
    assert len(wire.sent_to(FLOODER)) == 100, "a SYN-ACK with a cookie is never repeated"


@pytest.mark.parametrize("cookies", ["auto", "always"])
def test_syn_flood__ten_times_the_backlog__real_clients_connect_at_once_and_are_served(cookies: Any) -> None:
    """RFC 4987 3.6: nothing that a flood can use up stands between a real client and its connection."""
    wire = Wire(TcpParameters(syn_backlog=BACKLOG, syn_cookies=cookies))
    wire.serve()
    wire.flood(5 * BACKLOG)
    wire.run(for_us=1_000)
    users = [wire.use(asks, 50_000 + number) for number in range(20)]
    wire.flood(5 * BACKLOG, first=5 * BACKLOG)
    start_us = wire.network.clock()
    wire.run(*users, for_us=10 * SECOND_US)
    assert [user.inbox for user in users] == [b"question"] * 20
    assert wire.network.clock() - start_us < 500_000, "no SYN had to be repeated"
    assert wire.count("syn_cookies_taken_total") == 20
    assert wire.count("drop_cookie_invalid") == 0


def test_syn_flood__cookies_off__the_oldest_unanswered_makes_room() -> None:
    """RFC 4987 3.4."""
    wire = Wire(TcpParameters(syn_backlog=50, syn_cookies="off"))
    wire.serve()
    wire.flood(60)
    wire.run(for_us=2 * SECOND_US)
    user, start_us = wire.use(asks, 50_001), wire.network.clock()
    wire.run(user, for_us=10 * SECOND_US)
    assert user.inbox == b"question"
    assert wire.network.clock() - start_us < 200_000
    assert wire.count("half_open") == 49
    wire.run(for_us=100 * SECOND_US)
    assert wire.count("half_open") == 0


def test_syn_flood__on_a_bad_wire__the_clients_that_got_cookies_exchange_exact_octets() -> None:
    wire = Wire(TcpParameters(syn_cookies="always"), Faults(0.1, 0.05, 0.1, 2_000, 1_000))
    payload = bytes(range(256)) * 400
    wire.serve()

    async def user(stream: TcpStream) -> bytes:
        await stream.send_last(payload)
        pieces = []
        while data := await stream.recv():
            pieces.append(data)
        return b"".join(pieces)

    users = [wire.use(user, 50_000 + number) for number in range(5)]
    wire.run(*users, for_us=300 * SECOND_US)
    assert all(each.inbox == payload for each in users)


# Cookie abuse


@pytest.mark.parametrize("flags", [ACK, ACK | FIN], ids=["ack", "fin"])
def test_cookie_abuse__no_cookies_are_out__reset_without_a_look(flags: int) -> None:
    wire = Wire(TcpParameters())
    for number in range(50):
        wire.inject(Segment(number, 7 * number, flags, 100, 5, 5), number)
    wire.run(for_us=1_000)
    assert [segment.flags for segment in wire.sent_to(FLOODER)] == [RST] * 50
    assert (wire.count("drop_listen_not_syn"), wire.count("drop_cookie_invalid")) == (50, 0)


def test_cookie_abuse__acks_without_syn_while_cookies_are_out__reset_and_counted() -> None:
    wire = Wire(TcpParameters(syn_cookies="always"))
    wire.flood(1)
    for number in range(50):
        wire.inject(Segment(number, 7 * number, ACK, 100, 5, 5), 1000 + number)
    wire.run(for_us=1_000)
    assert wire.count("drop_cookie_invalid") == 50
    assert sum(segment.flags == RST for segment in wire.sent_to(FLOODER)) == 50
    assert wire.server.loop.connections == 0


@pytest.mark.parametrize(
    ("age_us", "taken"), [(1, True), (SYN_COOKIE_PERIOD_US, True), (2 * SYN_COOKIE_PERIOD_US, False)]
)
def test_cookie_abuse__kept_for_later__ages_out(age_us: int, taken: bool) -> None:
    wire = Wire(TcpParameters(syn_cookies="always"), Faults())
    wire.flood(1)
    wire.run(for_us=1_000)
    (syn_ack,) = wire.sent_to(FLOODER)
    wire.run(for_us=age_us)
    wire.inject(Segment(1, (syn_ack.seq + 1) & 0xFFFFFFFF, ACK, 100, 6, syn_ack.ts_val))
    wire.run(for_us=1_000)
    assert wire.server.loop.connections == taken
    assert wire.count("syn_cookies_taken_total") == taken
    assert (wire.sent_to(FLOODER)[-1].flags == RST) is not taken


def test_cookie_abuse__valid_ones_beyond_the_accept_queue__bounded() -> None:
    wire = Wire(TcpParameters(syn_cookies="always", accept_backlog=4), Faults())
    wire.flood(10)
    wire.run(for_us=1_000)
    for number, syn_ack in enumerate(wire.sent_to(FLOODER)):
        wire.inject(Segment(number + 1, (syn_ack.seq + 1) & 0xFFFFFFFF, ACK, 100, 6, syn_ack.ts_val), number)
    wire.run(for_us=1_000)
    assert wire.server.loop.connections == wire.count("accept_queue") == 4
    assert wire.count("drop_accept_queue_full") == 6
    assert len(wire.sent_to(FLOODER)) == 10, "the peer is not reset: it may try again"


# Backlog exhaustion


def test_backlog_exhaustion__nobody_accepts__both_queues_are_bounded() -> None:
    wire = Wire(TcpParameters(syn_backlog=8, accept_backlog=4, syn_cookies="off"))
    for number in range(40):
        wire.use(silent, 50_001 + number)
    wire.run(for_us=3 * SECOND_US)
    assert (wire.count("accept_queue"), wire.count("accepted_total")) == (4, 4)
    assert wire.count("half_open") <= 8
    assert wire.server.loop.connections <= 12
    assert wire.count("drop_accept_queue_full") > 0
    wire.run(for_us=200 * SECOND_US)
    assert (wire.count("accept_queue"), wire.count("half_open")) == (4, 0)


def test_backlog_exhaustion__then_somebody_accepts__those_that_waited_are_served() -> None:
    """The ACK was dropped, the SYN-ACK is repeated, and the answer to that finds room."""
    wire = Wire(TcpParameters(accept_backlog=2))
    users = [wire.use(asks, 50_001 + number) for number in range(6)]
    wire.run(for_us=500_000)
    assert (wire.count("accept_queue"), wire.count("half_open")) == (2, 4)
    wire.serve()
    wire.run(*users, for_us=20 * SECOND_US)
    assert [user.inbox for user in users] == [b"question"] * 6
    assert wire.count("drop_accept_queue_full") >= 4


def test_backlog_exhaustion__the_server_speaks_first__the_syn_ack_is_repeated() -> None:
    wire = Wire(TcpParameters(accept_backlog=2))
    users = [wire.use(silent, 50_001 + number) for number in range(6)]
    wire.run(for_us=500_000)

    async def greets() -> None:
        while True:
            await (await wire.acceptor.accept()).send_last(b"welcome")

    wire.server.spawn(greets())
    wire.run(*users, for_us=20 * SECOND_US)
    assert [user.inbox for user in users] == [b"welcome"] * 6
    assert wire.count("retransmits_total") >= 4


def test_backlog_exhaustion__the_unaccepted_are_reset__their_places_are_free() -> None:
    wire = Wire(TcpParameters(accept_backlog=3))

    async def leaves(stream: TcpStream) -> None:
        await stream.abort()

    wire.run(*(wire.use(leaves, 50_001 + number) for number in range(3)), for_us=SECOND_US)
    wire.run(for_us=SECOND_US)
    assert (wire.count("accept_queue"), wire.server.loop.connections) == (0, 0)


def test_accept_queue_full__rst_of_a_half_open_connection__still_taken() -> None:
    wire = Wire(TcpParameters(accept_backlog=1), Faults())
    wire.flood(1, first=7)
    wire.use(silent, 50_001)
    wire.run(for_us=100_000)
    assert (wire.count("accept_queue"), wire.count("half_open")) == (1, 1)
    wire.inject(Segment(8, 0, RST, 0), 7)
    wire.run(for_us=1_000)
    assert wire.count("half_open") == 0


# The end of a listener


@pytest.mark.parametrize("cookies", ["off", "always"])
def test_refuse_new__handshakes_that_had_begun_are_served__later_ones_refused(cookies: Any) -> None:
    wire = Wire(TcpParameters(syn_cookies=cookies))
    wire.serve()
    begun = [wire.use(asks, 50_000 + number) for number in range(5)]
    wire.run(for_us=7_000)
    assert wire.count("accepted_total") == 0, "the SYN-ACKs are on their way"
    wire.acceptor.refuse_new()
    later = wire.use(asks, 51_000)
    wire.run(*begun, later)
    assert [thread.inbox for thread in begun] == [b"question"] * 5
    assert isinstance(later.inbox.error, ConnectionRefusedError)


def test_refuse_new__while_a_successor_is_about_to_read__a_syn_is_left_unanswered() -> None:
    wire = Wire(TcpParameters())
    wire.serve()
    begun = wire.use(asks, 50_000)
    wire.run(for_us=7_000)
    wire.server.loop.hand_over()
    wire.acceptor.refuse_new()
    wire.inject(Segment(1, 0, SYN, 1000, syn_options=SynOptions(1460, 7, True)))
    wire.run(begun)
    assert begun.inbox == b"question"
    assert wire.sent_to(FLOODER) == []
