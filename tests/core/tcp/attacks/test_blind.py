"""Segments from somebody who cannot see the connection: guesses change nothing, and answers are few."""

from random import Random

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer
from gossamer.core.tcp import listen
from gossamer.core.tcp.actions import Dropped, Failure, SoftFailure
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import IcmpError, Report, SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Listener, State, Tcb, TimeWait
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, URG, Segment

from .besieged import SYNCHRONIZED, hears, segments, sending, watched, work


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=lambda state: state.name.lower())
def test_blind_rst__a_thousand_guesses__none_resets(state: State) -> None:
    """RFC 5961 3."""
    before, random = states.IN_STATE[state](TcpParameters()), Random(7)
    tcb = before
    for _ in range(1_000):
        offset = random.choice((random.randrange(1, 1 << 20), random.randrange(1, 1 << 32)))
        tcb, actions = hears(tcb, from_peer(tcb, RST, seq=offset))
        assert isinstance(actions[0], Dropped)
    assert tcb.state is state


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=lambda state: state.name.lower())
def test_blind_syn__any_number__one_challenge_ack_and_nothing_changes(state: State) -> None:
    """RFC 5961 4."""
    tcb, random, answers = states.IN_STATE[state](TcpParameters()), Random(8), 0
    before = tcb
    for _ in range(1_000):
        tcb, actions = hears(tcb, from_peer(tcb, SYN, seq=random.randrange(1 << 32)))
        answers += len(segments(actions))
    assert answers <= 1
    assert (tcb.state, tcb.rcv_nxt, tcb.snd_nxt) == (state, before.rcv_nxt, before.snd_nxt)


def test_blind_data__ack_outside_what_may_be_acknowledged__dropped() -> None:
    """RFC 5961 5.2: [SND.UNA - MAX.SND.WND, SND.NXT]."""
    tcb = sending(5_000)
    for ack in (1, 1 << 20, 1 << 31, -5_001 - tcb.max_snd_wnd):
        after, actions = hears(tcb, from_peer(tcb, ACK | PSH, b"injected", ack=ack))
        assert actions[0] == Dropped(SegmentDrop.ACK_UNACCEPTABLE)
        assert (after.rcv_nxt, after.snd_una) == (tcb.rcv_nxt, tcb.snd_una)


def test_challenge_ack_side_channel__the_limit_is_each_connections_own() -> None:
    """CVE-2016-5696: what one connection was sent says nothing about another."""
    first, second = states.established(), states.established()
    for _ in range(500):
        first, _ = hears(first, from_peer(first, SYN))
    _, actions = hears(second, from_peer(second, SYN))
    assert len(segments(actions)) == 1


def test_challenge_acks__at_most_two_a_second() -> None:
    """RFC 5961 7."""
    tcb, answers = states.established(), 0
    for number in range(10_000):
        tcb, actions = hears(tcb, from_peer(tcb, RST, seq=5), NOW_US + number * 1_000)
        answers += len(segments(actions))
    assert answers == 20


def test_ack_storm__both_ends_out_of_step__dies_out() -> None:
    """Two ends that answer every unacceptable ACK with an ACK would never stop."""
    here = states.established()
    there = replace(here, rcv_nxt=seq_add(here.rcv_nxt, 1 << 24))
    there = replace(there, last_ack_sent=there.rcv_nxt)
    flying = [(0, from_peer(here, ACK, seq=1 << 24))]
    ends, exchanged = [here, there], 0
    for number in range(1_000):
        if not flying:
            break
        side, segment = flying.pop()
        ends[side], actions = hears(ends[side], segment, NOW_US + number)
        flying += [(1 - side, answer) for answer in segments(actions)]
        exchanged += 1
    assert exchanged <= 3
    assert not flying


def test_paws_poisoning__forged_timestamp_outside_the_window__ts_recent_stays() -> None:
    """RFC 7323 4.3: only an acceptable segment at or before Last.ACK.sent moves TS.Recent."""
    tcb = states.established()
    for segment in (
        from_peer(tcb, ACK, b"x", seq=1 << 25, ts=1 << 30),
        from_peer(tcb, ACK, b"x", seq=-500, ts=1 << 30),
        from_peer(tcb, ACK, b"x", seq=10, ts=1 << 30),
        from_peer(tcb, RST, seq=10, ts=1 << 30),
    ):
        after, _ = hears(tcb, segment)
        assert after.ts_recent == tcb.ts_recent


def test_rst_loop__a_rst_is_never_answered() -> None:
    """RFC 9293 3.5.2."""
    for flags in range(256):
        reply = reset_reply(Segment(1, 2, flags, 3, payload=b"x"))
        assert (reply is None) == bool(flags & RST)
        if reply is not None:
            assert reset_reply(reply) is None
        if flags & RST:
            assert not segments(
                listen.segment_arrives(Listener(), Segment(1, 2, flags, 3), states.OPENING)[1]
            )


def test_odd_flags__at_a_listener__never_more_than_one_answer() -> None:
    for flags in range(256):
        tcb, actions = listen.segment_arrives(
            Listener(), Segment(1, 2, flags, 3, payload=b"x"), states.OPENING
        )
        assert len(segments(actions)) <= 1
        assert (tcb is not None) == (flags & (SYN | ACK | RST | FIN) == SYN)


def test_blind_segments__work_of_each__the_same_wherever_it_falls() -> None:
    """A guess costs less than four hundred calls, whatever the number, the flags and what is held."""
    tcb = sending(50_000)
    for flags in (RST, SYN, SYN | ACK, ACK, ACK | FIN, 0):
        for offset in (-(1 << 30), -1, 1, 5_000, 1 << 30):
            assert work(tcb, from_peer(tcb, flags, b"x", seq=offset, ack=offset)) < 400


def test_time_wait_assassination__rst_and_old_duplicates__the_record_stays() -> None:
    """RFC 1337: a RST is ignored; old duplicates are answered at most once in the limit's time."""
    record, answers = states.time_wait(), 0
    expires_at_us = record.expires_at_us
    for number in range(500):
        flags = (RST, RST | ACK, ACK, ACK | PSH, SYN | ACK)[number % 5]
        old = from_peer(record, flags, b"old" if flags & PSH else b"", seq=-number)
        after, actions = step(record, SegmentArrives(old, NOW_US + number))
        assert isinstance(after, TimeWait)
        assert not any(answer.flags & RST for answer in segments(actions))
        record, answers = after, answers + len(segments(actions))
    assert (answers, record.expires_at_us) == (1, expires_at_us)


@pytest.mark.parametrize("urgent", [0, 1, 2, 65_535])
@pytest.mark.parametrize("flags", [ACK | URG, ACK | PSH | URG, ACK | FIN | URG, SYN | URG])
def test_urgent_pointer__anywhere__octets_stay_in_line(flags: int, urgent: int) -> None:
    """RFC 6093: the pointer changes no octet that is delivered, and is never followed beyond them."""
    tcb = states.established()
    segment = replace(from_peer(tcb, flags, b"octets"), urgent=urgent)
    after, _ = hears(tcb, segment)
    assert b"".join(after.rcv_buf) == (b"" if flags & SYN else b"octets")
    assert after.agreed == tcb.agreed


@pytest.mark.parametrize("report", Report)
def test_icmp__flood_of_forged_errors__changes_nothing(report: Report) -> None:
    """RFC 5927 4.1: what it quotes is not in flight."""
    tcb = sending(5_000)
    for seq in (-1, 5_000, 1 << 30):
        assert step(tcb, IcmpError(seq_add(tcb.snd_una, seq), report, NOW_US, mtu=68))[0] == tcb


def test_icmp__hard_errors_in_flight__nothing_but_a_note_for_the_user() -> None:
    """RFC 5927 5.2."""
    tcb = sending(5_000)
    after, actions = step(tcb, IcmpError(tcb.snd_una, Report.HARD, NOW_US))
    assert isinstance(after, Tcb)
    assert replace(after, soft_error=None) == tcb
    assert actions == (SoftFailure(Failure.UNREACHABLE),)


@pytest.mark.parametrize("mtu", [0, 1, 67, 68, 100, 551])
def test_icmp__forged_fragmentation_needed__floor_and_no_more(mtu: int) -> None:
    """RFC 5927 7: a forger who guesses the sequence number gains small segments, down to the floor, once."""
    tcb = sending(100_000)
    congestion, answers = tcb.congestion, 0
    for _ in range(50):
        tcb, actions = watched(tcb, IcmpError(tcb.snd_una, Report.TOO_BIG, NOW_US, mtu=mtu))
        answers += len(segments(actions))
    assert tcb.agreed.smss >= 500
    assert tcb.congestion == congestion
    assert answers <= 3 * 30, "three sizes, each a window in small segments"
