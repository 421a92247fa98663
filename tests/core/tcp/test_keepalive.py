"""Keepalive probes, and their end."""

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, segments_in, send, stepped
from gossamer.core.tcp.actions import Failed, Failure
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, RST

MS = 1_000

ALIVE = TcpParameters(keepalive_idle_us=7_200_000 * MS)


def test_keepalive__off__is_the_default() -> None:
    """MUST-25."""
    assert deadline_us(states.established()) == NEVER_US


def test_keepalive__unanswered__gives_up_after_its_probes() -> None:
    after: object = states.established(ALIVE)
    probes = []
    while isinstance(after, Tcb):
        tcb = after
        after, actions = step(tcb, Timeout(deadline_us(tcb)))
        probes += segments_in(actions)
    assert [s.seq for s in probes[:-1]] == [seq_add(tcb.snd_nxt, -1)] * ALIVE.keepalive_probes
    assert not any(s.payload for s in probes), "SHLD-12"
    assert probes[-1].flags & RST
    assert actions[-1] == Failed(Failure.TIMED_OUT)


def test_keepalive__answered__starts_over() -> None:
    tcb, now_us = states.established(ALIVE), NOW_US
    for _ in range(40):
        now_us = deadline_us(tcb)
        tcb, sent = stepped(tcb, Timeout(now_us))
        if sent:
            tcb, _ = segment_arrives(tcb, from_peer(tcb), now_us + MS)
    assert tcb.state is State.ESTABLISHED
    assert now_us > NOW_US + 10 * ALIVE.keepalive_idle_us


def test_keepalive__probe_arrives__answered() -> None:
    tcb = states.established()
    _, sent = segment_arrives(tcb, from_peer(tcb, ACK, seq=-1))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]


def test_keepalive__unanswered_probes_and_then_data__the_timer_is_not_backed_off() -> None:
    tcb = states.established(ALIVE)
    for _ in range(3):
        now_us = deadline_us(tcb)
        tcb, _ = stepped(tcb, Timeout(now_us))
    tcb, _ = send(tcb, b"x", now_us)
    assert tcb.rtx_at_us == now_us + tcb.round_trip.rto_us
    assert tcb.backoff == 0


def test_keepalive__something_came_meanwhile__no_probe() -> None:
    """RFC 9293 3.8.4, MUST-26: only when nothing was received within the interval, which may be set
    (MUST-27)."""
    tcb = states.established(ALIVE)
    assert deadline_us(tcb) == NOW_US + ALIVE.keepalive_idle_us
    heard_us = NOW_US + ALIVE.keepalive_idle_us // 2
    tcb, _ = segment_arrives(tcb, from_peer(tcb), heard_us)
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert sent == []
    assert deadline_us(tcb) == heard_us + ALIVE.keepalive_idle_us


def test_keepalive__data_in_flight__no_probe() -> None:
    """MUST-26: "no sent data is outstanding"."""
    parameters = TcpParameters(keepalive_idle_us=100 * MS, tail_loss_probe=False)
    tcb, _ = send(states.established(parameters), b"x", NOW_US + 50 * MS)
    tcb, sent = stepped(tcb, Timeout(NOW_US + 100 * MS))
    assert sent == []
