"""Fast Open over two loops in virtual time: cookies learned and used, bounds, fallbacks."""

from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.errors import MisuseError
from gossamer.core.io.tcpsock import TcpAcceptor, TcpConnector, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.records import replace
from gossamer.core.sim.link import Faults
from gossamer.core.sim.network import Network
from gossamer.core.tcp.constants import FAST_OPEN_HELD_US, FAST_OPEN_REST_US
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import NO_OPTIONS
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import build_packet, parse_packet
from gossamer.core.wire.segment import RST, SYN, Segment, SynOptions

SERVER = ("10.0.0.2", 80)
DELAY_US = 50_000
BOTH = TcpParameters(fast_open="both")


class Wire:
    """A client and an echoing server, half a round trip apart."""

    def __init__(self, client: TcpParameters = BOTH, server: TcpParameters = BOTH, **faults: Any) -> None:
        self.network = Network(Faults(delay_us=DELAY_US, **faults), 1)
        self.client = self.network.host(bytes((10, 0, 0, 1)), client)
        self.server = self.network.host(bytes((10, 0, 0, 2)), server)
        self.acceptor = TcpAcceptor(self.server.loop, SERVER, server)
        self.is_serving = True
        self.server.spawn(self._serve())

    async def _serve(self) -> None:
        while self.is_serving:
            self.server.spawn(self._echo(await self.acceptor.accept()))

    async def _echo(self, stream: TcpStream) -> None:
        data = await stream.recv(10_000)
        await stream.send_last(data)

    def ask(self, port: int, data: bytes = b"question") -> Thread[Any]:
        """Connect with data; the answer, and how long its first octets took."""

        async def user() -> tuple[bytes, int]:
            start_us = self.network.clock()
            call = TcpConnect(("10.0.0.1", port), SERVER, NEVER_US, TcpStream, NO_OPTIONS, data)
            stream = await call
            answer = await stream.recv()
            waited_us = self.network.clock() - start_us
            while more := await stream.recv():
                answer += more
            await stream.close()
            return answer, waited_us

        return self.client.spawn(user())

    def run(self, *threads: Thread[Any], for_us: int = 100 * SECOND_US) -> None:
        self.network.run(*threads, for_us=for_us)

    def asked(self, port: int, data: bytes = b"question") -> tuple[bytes, int]:
        thread = self.ask(port, data)
        self.run(thread)
        answer: tuple[bytes, int] = thread.inbox
        return answer

    def syns(self) -> list[Segment]:
        """Every SYN, without ACK, that was sent."""
        parsed = [parse_packet(packet) for packet in self.network.seen]
        return [p[1] for p in parsed if isinstance(p, tuple) and p[1].flags == SYN]

    def inject(self, segment: Segment, number: int) -> None:
        """A packet of a forger of addresses, who has a cookie of the client's address."""
        self.server.source.put(build_packet(pack_flow(("10.0.0.1", 1_024 + number), SERVER), segment))


def cookie_of(segment: Segment) -> bytes | None:
    assert segment.syn_options is not None
    return segment.syn_options.cookie


def is_experimental(segment: Segment) -> bool:
    assert segment.syn_options is not None
    return segment.syn_options.is_cookie_experimental


def test_second_connection__answer_in_one_round_trip() -> None:
    wire = Wire()
    answer, first_us = wire.asked(50_001)
    assert answer == b"question"
    answer, second_us = wire.asked(50_002)
    assert answer == b"question"
    first, second = wire.syns()
    assert (cookie_of(first), first.payload) == (b"", b"")
    assert (len(cookie_of(second) or b""), second.payload) == (8, b"question")
    assert first_us >= 4 * DELAY_US
    assert second_us < 3 * DELAY_US
    assert wire.server.statistics["fast_opens_total"] == 1
    assert wire.server.statistics["accepted_total"] == 2


@pytest.mark.parametrize(
    ("client", "server"), [("off", "both"), ("server", "server"), ("client", "off"), ("client", "client")]
)
def test_either_side_without__as_ever(client: Any, server: Any) -> None:
    wire = Wire(TcpParameters(fast_open=client), TcpParameters(fast_open=server))
    assert [wire.asked(50_001 + n)[0] for n in range(3)] == [b"question"] * 3
    assert not any(segment.payload for segment in wire.syns())
    asks = client in ("client", "both")
    assert [cookie_of(segment) for segment in wire.syns()] == [b"" if asks else None] * 3


def test_server_of_before_rfc_7413__asked_by_the_experimental_option_and_answers_in_it() -> None:
    wire = Wire()
    carry = wire.network.carry

    def ignores_kind_34(packet: bytes) -> None:
        parsed = parse_packet(packet)
        assert isinstance(parsed, tuple)
        flow, segment = parsed[0], parsed[1]
        options = segment.syn_options
        if options is not None and options.cookie is not None and not options.is_cookie_experimental:
            back = flow[16:32] + flow[:16] + flow[34:] + flow[32:34]
            carry(build_packet(back, replace(segment, syn_options=replace(options, cookie=None))))
            wire.network.seen[-1] = packet
        else:
            carry(packet)

    wire.client.sink._carry = ignores_kind_34
    assert [wire.asked(50_001 + n)[0] for n in range(3)] == [b"question"] * 3
    kinds = [(len(cookie_of(syn) or b""), is_experimental(syn)) for syn in wire.syns()]
    assert kinds == [(0, False), (0, True), (8, True)]
    assert wire.server.statistics["fast_opens_total"] == 1


def test_without_cookie__data_goes_with_the_first_syn_and_follows_where_it_is_ignored() -> None:
    client = TcpParameters(fast_open="client", fast_open_without_cookie=True)
    wire = Wire(client, TcpParameters(fast_open="both"))
    assert [wire.asked(50_001 + n)[0] for n in range(2)] == [b"question"] * 2
    assert [(cookie_of(segment), segment.payload) for segment in wire.syns()] == [(None, b"question")] * 2
    assert wire.server.statistics["fast_opens_total"] == 0


def test_much_data__what_does_not_fit_the_syn_follows() -> None:
    wire = Wire()
    wire.asked(50_001)
    answer, _ = wire.asked(50_002, b"x" * 5_000)
    assert answer[:1_420] == b"x" * 1_420
    assert len(wire.syns()[-1].payload) == 1_420


@pytest.mark.parametrize("seed", range(5))
def test_bad_wire__each_answer_is_whole(seed: int) -> None:
    wire = Wire(loss=0.15, duplicate=0.05, reorder=0.1)
    wire.network.link._random.seed(seed)
    threads = [wire.ask(50_001 + number) for number in range(30)]
    wire.run(*threads, for_us=400 * SECOND_US)
    assert [thread.inbox[0] for thread in threads] == [b"question"] * 30


def test_syn_with_data_is_dropped_on_the_way__falls_back_and_rests() -> None:
    """RFC 7413 4.1.3.1: a middlebox that drops what it does not know must not cost a second each time."""
    wire = Wire()
    wire.asked(50_001)
    carry = wire.network.carry

    def middlebox(packet: bytes) -> None:
        parsed = parse_packet(packet)
        assert isinstance(parsed, tuple)
        wire.network.seen.append(packet)
        if not (parsed[1].flags == SYN and parsed[1].payload):
            wire.network.seen.pop()
            carry(packet)

    wire.client.sink._carry = middlebox
    answer, second_us = wire.asked(50_002)
    assert answer == b"question"
    assert second_us > SECOND_US
    _, third_us = wire.asked(50_003)
    assert third_us < SECOND_US
    assert cookie_of(wire.syns()[-1]) is None
    assert wire.client.statistics["fast_open_lost_total"] == 1
    wire.run(for_us=FAST_OPEN_REST_US)
    _, fourth_us = wire.asked(50_004)
    assert fourth_us > SECOND_US, "tried again"
    wire.run(for_us=FAST_OPEN_REST_US + SECOND_US)
    assert wire.asked(50_005)[1] < SECOND_US, "it now rests twice as long"


def test_server_forgets_its_secret__the_data_follows_and_a_new_cookie_is_learned() -> None:
    wire = Wire()
    wire.asked(50_001)
    wire.server.loop._fast_opens._secret = b"another" * 4
    assert wire.asked(50_002)[0] == b"question"
    assert wire.server.statistics["fast_opens_total"] == 0
    assert wire.asked(50_003)[0] == b"question"
    assert wire.server.statistics["fast_opens_total"] == 1


def test_servers_remembered__bounded_the_one_not_used_for_longest_goes() -> None:
    wire = Wire(TcpParameters(fast_open="client", fast_open_servers_max=3))
    for number in range(2, 12):
        address = bytes((10, 0, 1, number))
        host = wire.network.host(address, BOTH)
        acceptor = TcpAcceptor(host.loop, (f"10.0.1.{number}", 80), BOTH)
        host.spawn(_accepts(acceptor))
        call = TcpConnect(
            ("10.0.0.1", 50_000 + number), acceptor.local, NEVER_US, TcpStream, NO_OPTIONS, b"x"
        )
        wire.run(wire.client.spawn(_awaits(call)), for_us=SECOND_US)
    assert len(wire.client.loop._fast_opens._servers) == 3


async def _accepts(acceptor: TcpAcceptor) -> None:
    while True:
        await acceptor.accept()


async def _awaits(call: TcpConnect) -> None:
    await call


def forged(wire: Wire, count: int, first: int = 0) -> None:
    """SYNs with data and the cookie of a client that takes part, whose SYN-ACKs nobody answers."""
    cookie = next(iter(wire.client.loop._fast_opens._servers.values())).cookie
    for number in range(first, first + count):
        options = SynOptions(1460, 7, True, cookie)
        wire.inject(Segment(number, 0, SYN, 1000, 5, 0, b"evil", syn_options=options), number)


def test_flood_with_a_valid_cookie__early_connections_are_bounded() -> None:
    """RFC 7413 5.1."""
    wire = Wire(server=TcpParameters(fast_open="server", fast_open_pending_max=10))
    wire.asked(50_001)
    forged(wire, 100)
    wire.run(for_us=10_000)
    assert len(wire.server.loop._fast_opens.early) == 10
    assert wire.server.statistics["half_open"] == 90, "the others open as usual"
    assert wire.server.statistics["accepted_total"] == 11


def test_flood_with_a_valid_cookie__rsts_do_not_free_places() -> None:
    """RFC 7413 5.1: the host whose address was forged answers the SYN-ACKs with RSTs."""
    wire = Wire(server=TcpParameters(fast_open="server", fast_open_pending_max=10))
    wire.asked(50_001)
    wire.is_serving = False
    forged(wire, 10)
    wire.run(for_us=1_000)
    for number in range(10):
        wire.inject(Segment(number + 5, 0, RST, 0), number)
    wire.run(for_us=1_000)
    assert not wire.server.loop._fast_opens.early
    forged(wire, 10, first=50)
    wire.run(for_us=1_000)
    assert not wire.server.loop._fast_opens.early
    wire.run(for_us=FAST_OPEN_HELD_US)
    forged(wire, 10, first=100)
    wire.run(for_us=1_000)
    assert len(wire.server.loop._fast_opens.early) == 10


def test_connector__more_data_than_the_send_buffer__says_so() -> None:
    wire = Wire()
    wire.run(for_us=1)
    connector = TcpConnector(wire.client.loop, range(50_000, 50_010), b"secret")
    with pytest.raises(MisuseError, match=r"tcp\.send_buffer_bytes.*found 1048577"):
        connector.connect(SERVER, data=b"x" * (1 << 20 | 1))
