"""Runs of sequence space against a model that remembers when each octet was sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.records import replace
from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, send
from gossamer.core.tcp.constants import TRANSMISSIONS_MAX
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.recovery import transmissions
from gossamer.core.tcp.recovery.records import Run
from gossamer.core.tcp.tcb import Tcb

TICK = 1_000
SENT = st.tuples(st.just("new"), st.integers(1, 50), st.integers(0, 3))
AGAIN = st.tuples(st.just("again"), st.integers(0, 99), st.integers(1, 60))
ACKED = st.tuples(st.just("ack"), st.integers(0, 100), st.just(0))


def octets_of(tcb: Tcb) -> list[tuple[int, bool]]:
    """(tick in which it was sent, sent again?) of every octet in flight."""
    found = []
    if tcb.snd_una != tcb.snd_nxt:
        for left, right, run in transmissions.pieces(tcb, tcb.snd_una, tcb.snd_nxt):
            found += [(run.sent_at_us // TICK, run.retransmitted)] * ((right - left) & MASK)
    return found


def moved(tcb: Tcb, now_us: int, kind: str, a: int, b: int, model: list[tuple[int, bool]]) -> Tcb:
    """The connection and the model after one thing happened."""
    flight = len(model)
    if kind == "new":
        snd_nxt = seq_add(tcb.snd_nxt, a)
        model += [(now_us // TICK, False)] * a
        runs = transmissions.after_sending(tcb, snd_nxt, now_us)
        return replace(tcb, transmissions=runs, snd_nxt=snd_nxt, snd_at_us=now_us)
    if kind == "again" and flight:
        start = a * flight // 100
        end = min(flight, start + b)
        model[start:end] = [(now_us // TICK, True)] * (end - start)
        left, right = seq_add(tcb.snd_una, start), seq_add(tcb.snd_una, end)
        return replace(tcb, transmissions=transmissions.after_retransmission(tcb, left, right, now_us))
    acked = a * flight // 100
    del model[:acked]
    ack = seq_add(tcb.snd_una, acked)
    runs = transmissions.after_ack(tcb, ack) if tcb.transmissions else ()
    return replace(tcb, transmissions=runs, snd_una=ack)


@pytest.mark.parametrize("una", [Seq(5), Seq(MASK - 60), Seq((1 << 31) - 60)], ids=str)
@given(happenings=st.lists(SENT | AGAIN | ACKED, max_size=30))
def test_any_happenings__each_octet_has_the_tick_it_was_last_sent_in(
    una: Seq, happenings: list[tuple[str, int, int]]
) -> None:
    tcb = replace(states.established(), snd_una=una, snd_nxt=una)
    model: list[tuple[int, bool]] = []
    now_us = NOW_US
    for kind, a, b in happenings:
        now_us += b * 300
        tcb = moved(tcb, now_us, kind, a, b, model)
        assert octets_of(tcb) == model
        assert not tcb.transmissions or tcb.transmissions[-1].right == tcb.snd_nxt


def test_established__request_and_answer__nothing_is_remembered() -> None:
    tcb, _ = send(states.established(), b"x" * 5_000)
    assert tcb.transmissions == ()
    tcb, _ = segment_arrives(tcb, from_peer(tcb), NOW_US + 20_000)
    assert tcb.transmissions == ()


def test_established__sent_in_two_ticks__two_runs_until_the_first_is_acknowledged() -> None:
    tcb, _ = send(states.established(), b"x" * 100)
    tcb, _ = send(tcb, b"y" * 100, NOW_US + 5 * TICK)
    first = seq_add(tcb.snd_una, 100)
    assert tcb.transmissions == (Run(first, NOW_US), Run(tcb.snd_nxt, NOW_US + 5 * TICK))
    tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=-100), NOW_US + 9 * TICK)
    assert tcb.transmissions == ()


def test_established__timeout__what_goes_again_is_marked() -> None:
    tcb, _ = send(states.established(), b"x" * 3_000)
    tcb = states.after(tcb, Timeout(tcb.rtx_at_us))
    assert any(run.retransmitted for run in tcb.transmissions)


def test_bound__joined_in_pairs_under_the_later_time() -> None:
    runs = tuple(Run(Seq(at + 1), at) for at in range(TRANSMISSIONS_MAX + 1))
    joined = transmissions.bounded(runs)
    assert len(joined) == TRANSMISSIONS_MAX // 2 + 1
    assert joined[0] == Run(Seq(2), 1)
    assert joined[-1] == runs[-1]
    assert transmissions.bounded(joined) == joined


def test_run_ending_at__only_the_last_octet_sent_is_timed_exactly() -> None:
    tcb, _ = send(states.established(), b"x" * 300)
    assert transmissions.run_ending_at(tcb, tcb.snd_nxt) == Run(tcb.snd_nxt, NOW_US)
    assert transmissions.run_ending_at(tcb, seq_add(tcb.snd_nxt, -1)) is None
