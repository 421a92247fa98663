"""Everything at once, and across the wrap."""

from random import Random
from typing import Any

from gossamer.core.seq import MASK, seq_add, seq_diff
from gossamer.core.sim import oracle, states
from gossamer.core.sim.states import NOW_US, from_peer
from gossamer.core.tcp.actions import Deliver
from gossamer.core.tcp.events import Event, Receive, SegmentArrives, Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, FIN, PSH, RST

from .besieged import SYNCHRONIZED, hears, watched


def random_event(random: Random, tcb: Tcb, now_us: int) -> Event:
    kind = random.randrange(8)
    if kind == 0:
        return Send(random.randbytes(random.choice((0, 1, 100, 5_000))), now_us)
    if kind == 1:
        return Receive(random.choice((1, 1_000, 100_000)), now_us)
    if kind == 2 and deadline_us(tcb) < 1 << 60:
        return Timeout(max(now_us, deadline_us(tcb)))
    near = (-3_000, -1, 0, 0, 0, 0, 1, 700, 1_448, 25_000, 1 << 31)
    una, nxt = tcb.snd_una, tcb.snd_nxt
    edge = seq_add(una, random.randrange(4_000))
    segment = from_peer(
        tcb,
        random.choice((ACK, ACK, ACK, ACK | PSH, ACK | FIN, random.randrange(256) & ~RST)),
        random.randbytes(random.choice((0, 0, 1, 1_448, 9_000))),
        seq=random.choice(near),
        ack=random.choice((0, 0, seq_diff(una, nxt), seq_diff(una, nxt) + 1, *near)),
        window=random.choice((0, 1, 500, 16_384, 65_535)),
        ts=random.choice((0, 1, 5, -1)),
        sack=random.choice(((), ((edge, seq_add(edge, random.randrange(3_000))),))),
    )
    return SegmentArrives(segment, now_us, random.choice((0, 0, 10, 65_536)))


def test_sequence_wrap__every_octet_across_it() -> None:
    """RFC 9293 3.4: the connections of these tests wrap within their first 100 octets, both ways."""
    tcb = states.established()
    assert tcb.rcv_nxt > MASK - 100
    octets, got = bytes(range(250)), bytearray()
    for at in range(0, 250, 25):
        tcb, _ = hears(tcb, from_peer(tcb, ACK, octets[at : at + 25]))
        after, actions = watched(tcb, Receive(100, NOW_US))
        got += b"".join(action.data for action in actions if isinstance(action, Deliver))
        tcb = after
    assert bytes(got) == octets
    assert tcb.rcv_nxt < 250


def test_random_segments__a_long_siege__no_exception_and_every_bound_holds() -> None:
    """Fuzz with a seed: everything a peer can put in a header, around the edges of one connection."""
    random = Random(20_240)
    for _ in range(40):
        tcb: Any = states.IN_STATE[random.choice(SYNCHRONIZED)](TcpParameters(receive_buffer_bytes=20_000))
        now_us = NOW_US
        for _ in range(60):
            now_us += random.choice((0, 10, 50_000, 1_000_000))
            event = random_event(random, tcb, now_us)
            after, actions = step(tcb, event)
            oracle.check(tcb, event, after, actions)
            if not isinstance(after, Tcb):
                break
            tcb = after
