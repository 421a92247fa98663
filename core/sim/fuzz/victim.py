"""The host that is fuzzed: a listener of each temper, an active open, and what must hold after every packet.

Owns the bounds that no packet may break: answers per packet, connections, half-open ones, TIME-WAIT records,
octets held (by `core.sim.oracle`), processor time. A breach is a `Breach`; whatever else comes out of the
host is a bug too.
"""

from collections.abc import Iterator
from time import process_time
from typing import Any, Final

from gossamer.core.clock import SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.records import fields
from gossamer.core.sim import oracle
from gossamer.core.sim.fuzz.shot import Heard, Shot, after_answer, packet_of
from gossamer.core.sim.network import Network
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import Flow, local_address, local_port, pack_flow, remote_address
from gossamer.core.wire.packet import parse_packet

VICTIM, ATTACKER = "10.0.0.2", "10.0.0.9"
VICTIM_IPV6, ATTACKER_IPV6 = "fd00::2", "fd00::9"

ECHO, SLOW, SENDER, UNACCEPTED, GREETER = 80, 81, 82, 83, 84
OPENED, OPENED_TO = 61_000, 7_777
LISTENED_ON: Final = frozenset((ECHO, SLOW, SENDER, UNACCEPTED, GREETER))
PORTS: Final = (ECHO, SLOW, SENDER, UNACCEPTED, GREETER, OPENED, 85)
"""85 is closed."""

PARAMETERS: Final = TcpParameters(
    receive_buffer_bytes=20_000,
    send_buffer_bytes=12_000,
    connections_max=12,
    time_wait_max=4,
    syn_backlog=4,
    accept_backlog=4,
    keepalive_idle_us=300 * SECOND_US,
    ecn="on",
    fast_open="both",
    user_timeout_option=True,
)

WAIT_US_MAX: Final = 100 * SECOND_US
ANSWERS_FIRST_MAX: Final = 24
"""Packets that a first packet may call forth, and by two more with each further one (slow start, delayed
ACKs, retransmissions that fall due while it waits)."""

SECONDS_MAX: Final = 2.0
"""Processor time of one packet: a hundred times what the slowest takes."""

STREAM: Final = bytes(range(256)) * 120


RARE: Final = tuple(field.name for field in fields(Tcb) if field.default is None)
"""What most connections are without: loss recovery, octets out of order."""


OF_THE_WIRE: Final = frozenset(f"drop_{reason.name.lower()}" for reason in DropReason)
"""Drops that no connection has a part in."""


class Breach(AssertionError):
    """A bound did not hold."""


class Victim:
    """One host, and what the attacker has heard from it."""

    def __init__(self) -> None:
        self.network = Network()
        self._host = self.network.host(bytes((10, 0, 0, 2)), PARAMETERS)
        self._heard: dict[Flow, Heard] = {}
        self._seen = 0
        self.features: set[str] = set()
        """What was reached: 'state drop reason' and 'state -> state'."""
        self._shots_total = 0
        for port, handler in HANDLERS.items():
            acceptor = TcpAcceptor(self._host.loop, ("0.0.0.0", port), PARAMETERS)
            self._host.spawn(_serves(acceptor, handler, self._host))
        TcpAcceptor(self._host.loop, ("0.0.0.0", UNACCEPTED), PARAMETERS)
        self._host.spawn(_opens())
        self.network.run(for_us=1)
        self._listen()

    def take(self, volley: tuple[Shot, ...]) -> None:
        """Fire one shot after another, and let a while pass at the end. Raises: Breach, or what the bug
        is."""
        for shot in volley:
            self._fire(shot)
        self.network.run(for_us=WAIT_US_MAX)
        self._check()

    def _fire(self, shot: Shot) -> None:
        flow = _flow_of(shot)
        if shot.wait_us > 0:
            self.network.run(for_us=min(shot.wait_us, WAIT_US_MAX))
            self._listen()
        began = process_time()
        before, drops, sent = self._state(flow), self._host.statistics, len(self.network.seen)
        self._host.source.put(packet_of(shot, flow, self._heard.get(flow, Heard()), self.network.clock()))
        self.network.run(for_us=1)
        self._shots_total += 1
        self._note(before, self._state(flow), drops)
        if len(self.network.seen) - sent > ANSWERS_FIRST_MAX + 2 * self._shots_total:
            raise Breach(f"{len(self.network.seen) - sent} answers to one packet")
        if process_time() - began > SECONDS_MAX:
            raise Breach(f"{process_time() - began:.1f} s of processor time for one packet")
        self._check()
        self._listen()

    def _note(self, before: str, after: str, drops: Any) -> None:
        if after != before:
            self.features.add(f"{before} -> {after}")
        for name, count in self._host.statistics.items():
            if name.startswith("drop_") and count > drops[name]:
                self.features.add(name if name in OF_THE_WIRE else f"{before} {name}")

    def _state(self, flow: Flow) -> str:
        ours = flow[16:32] + flow[:16] + flow[34:36] + flow[32:34]
        for connection in self._host.loop.open_connections:
            if connection.flow == ours and connection.tcb is not None:
                return connection.tcb.state.name
        if self._host.loop.has_connection(local_address(ours), remote_address(ours)):
            return "TIME_WAIT"
        return "LISTEN" if local_port(ours) in LISTENED_ON else "CLOSED"

    def _listen(self) -> None:
        """Hear what the victim has sent since."""
        for packet in self.network.seen[self._seen :]:
            parsed = parse_packet(packet)
            assert isinstance(parsed, tuple), f"the victim sent what cannot be parsed: {parsed!r}"
            flow, segment = parsed
            self._heard[flow] = after_answer(self._heard.get(flow, Heard()), segment, packet)
        self._seen = len(self.network.seen)

    def _check(self) -> None:
        """Every connection is as it should be, and there are not too many of anything."""
        now_us = self.network.clock()
        for tcb in self._tcbs():
            oracle.check(tcb, Timeout(now_us), tcb, ())
            if decode(encode(tcb)) != tcb:
                raise Breach("a connection does not come back from its encoding")
            self.features |= set(_rarities(tcb))
        counts = self._host.statistics
        bounds = {
            "connections": PARAMETERS.connections_max,
            "time_wait": PARAMETERS.time_wait_max,
            "half_open": PARAMETERS.syn_backlog * len(LISTENED_ON),
        }
        for name, bound in bounds.items():
            if counts[name] > bound:
                raise Breach(f"{counts[name]} {name}, and at most {bound} are allowed")

    def _tcbs(self) -> Iterator[Tcb]:
        for connection in self._host.loop.open_connections:
            assert connection.tcb is not None, "a connection that is over stands in the table"
            yield connection.tcb


def _rarities(tcb: Tcb) -> Iterator[str]:
    """What is out of the ordinary about a connection."""
    state = tcb.state.name
    for name in RARE:
        if getattr(tcb, name) is not None:
            yield f"{state} {name}"
    if tcb.recovery is not None:
        yield f"{state} {tcb.recovery.phase.name}"
    if not tcb.snd_wnd and tcb.snd_buf_bytes:
        yield f"{state} zero window"
    if not tcb.rcv_wnd:
        yield f"{state} full"


def _flow_of(shot: Shot) -> Flow:
    """The attacker's view of the flow."""
    peer_port = OPENED_TO if shot.port == OPENED else shot.peer_port % 0xFFFF + 1
    ours, theirs = (ATTACKER_IPV6, VICTIM_IPV6) if shot.is_ipv6 else (ATTACKER, VICTIM)
    return pack_flow((ours, peer_port), (theirs, shot.port & 0xFFFF))


async def _serves(acceptor: TcpAcceptor, handler: Any, host: Any) -> None:
    while True:
        stream = await acceptor.accept()
        host.spawn(_until_it_fails(handler, stream))


async def _until_it_fails(handler: Any, stream: TcpStream) -> None:
    try:
        await handler(stream)
    except OSError:
        await stream.abort()


async def _echo(stream: TcpStream) -> None:
    while data := await stream.recv(5_000):
        await stream.send(data)
    await stream.close()


async def _slow(stream: TcpStream) -> None:
    while await stream.recv(100):
        await sys_sleep(50_000)
    await stream.close()


async def _sends(stream: TcpStream) -> None:
    await stream.send(STREAM)
    await stream.shutdown()
    while await stream.recv():
        pass


async def _greets(stream: TcpStream) -> None:
    await stream.send_last(b"hello")
    while await stream.recv():
        pass
    await stream.close()


HANDLERS: Final = {ECHO: _echo, SLOW: _slow, SENDER: _sends, GREETER: _greets}
"""What is done with a connection to a port."""


async def _opens() -> None:
    try:
        await _echo(await TcpConnect((VICTIM, OPENED), (ATTACKER, OPENED_TO), 300 * SECOND_US, TcpStream))
    except OSError:
        return
