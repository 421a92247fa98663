"""SYN-SENT, LISTEN, CLOSED and TIME-WAIT, as tables; opens of both kinds, all closes, reuse."""

import msgspec
import pytest
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, OPENING, from_peer, peer_syn
from gossamer.core.tcp import listen
from gossamer.core.tcp.actions import Action, Deliver, Dropped, Failed, Failure, Remains, Signal
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Abort, Close, IcmpError, Receive, SegmentArrives, Send, Timeout
from gossamer.core.tcp.icmp_error import is_hard
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Listener, State, Tcb, TimeWait
from gossamer.core.tcp.time_wait import may_reopen
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, FIN, NO_TIMESTAMP, PSH, RST, SYN, Segment, SynOptions

SECOND_US = 1_000_000


def only_segment(actions: tuple[Action, ...]) -> Segment:
    (segment,) = [action for action in actions if isinstance(action, Segment)]
    return segment


# LISTEN


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (RST, None),
        (RST | ACK, None),
        (RST | SYN, None),
        (ACK, RST),
        (SYN | ACK, RST),
        (FIN | ACK, RST),
        (FIN, None),
        (0, None),
        (PSH, None),
        (SYN | FIN, None),
    ],
)
def test_listen__anything_but_syn__dropped_or_reset(flags: int, answer: int | None) -> None:
    """RFC 9293 3.10.7.2."""
    segment = Segment(77, 99, flags, 1000)
    tcb, actions = listen.segment_arrives(Listener(), segment, OPENING)
    assert tcb is None
    assert actions[0] == Dropped(SegmentDrop.LISTEN_NOT_SYN)
    assert actions[1:] == (() if answer is None else (Segment(99, 0, RST, 0),))


@pytest.mark.parametrize(
    "flags", [SYN, SYN | PSH, SYN | 0x20, SYN | 0xC0], ids=["syn", "push", "urgent", "ecn"]
)
def test_listen__syn__syn_ack(flags: int) -> None:
    tcb, actions = listen.segment_arrives(Listener(), peer_syn(flags), OPENING)
    assert tcb is not None
    assert tcb.state is State.SYN_RECEIVED
    answer = only_segment(actions)
    assert (answer.seq, answer.ack, answer.flags) == (OPENING.iss, seq_add(states.PEER_ISS, 1), SYN | ACK)
    assert answer.syn_options == SynOptions(mss=1460, window_scale=5, sack_permitted=True)
    assert answer.ts_ecr == states.PEER_TS
    assert answer.window == 65_535, "the window of a SYN is not scaled"


@pytest.mark.parametrize(
    ("options", "ts_val"),
    [
        (SynOptions(mss=1460, window_scale=2), NO_TIMESTAMP),
        (SynOptions(mss=1460), 5),
        (SynOptions(sack_permitted=True), NO_TIMESTAMP),
        (None, NO_TIMESTAMP),
    ],
)
def test_listen__syn_with_fewer_options__answered_with_no_others(
    options: SynOptions | None, ts_val: int
) -> None:
    """RFC 7323 2.2 and 3.2, RFC 2018 2: an option is answered only where it was offered."""
    syn = Segment(5, 0, SYN, 1000, ts_val, syn_options=options)
    tcb, actions = listen.segment_arrives(Listener(), syn, OPENING)
    assert tcb is not None
    answer = only_segment(actions)
    assert answer.syn_options is not None
    offered = options or SynOptions()
    assert (answer.syn_options.window_scale >= 0) == (offered.window_scale >= 0)
    assert answer.syn_options.sack_permitted == offered.sack_permitted
    assert (answer.ts_val != NO_TIMESTAMP) == (ts_val != NO_TIMESTAMP)


def test_listen__window_scale_over_14__is_14() -> None:
    """RFC 7323 2.3."""
    tcb = states.syn_received(options=SynOptions(mss=1460, window_scale=127))
    assert tcb.agreed.snd_wind_shift == 14


def test_listen__no_mss__536_less_the_timestamps() -> None:
    """RFC 9293 3.7.1, MUST-15."""
    assert states.syn_received(options=SynOptions()).agreed.smss == 536 - 12


# SYN-SENT


def test_syn_sent__syn_ack__established_and_acknowledged() -> None:
    before = states.syn_sent()
    after, actions = step(before, SegmentArrives(peer_syn(SYN | ACK, before.snd_nxt), NOW_US))
    assert isinstance(after, Tcb)
    assert after.state is State.ESTABLISHED
    assert Signal.ESTABLISHED in actions
    answer = only_segment(actions)
    assert (answer.seq, answer.ack, answer.flags) == (before.snd_nxt, seq_add(states.PEER_ISS, 1), ACK)


@pytest.mark.parametrize("flags", [ACK, SYN | ACK, FIN | ACK])
@pytest.mark.parametrize("ack", [-1, 1, 1000])
def test_syn_sent__wrong_ack__reset(flags: int, ack: int) -> None:
    """RFC 9293 3.10.7.3, first."""
    before = states.syn_sent()
    segment = Segment(1, seq_add(before.snd_nxt, ack), flags, 10)
    after, actions = step(before, SegmentArrives(segment, NOW_US))
    assert after == before
    assert actions == (Dropped(SegmentDrop.ACK_UNACCEPTABLE), Segment(segment.ack, 0, RST, 0))


def test_syn_sent__rst_with_wrong_ack__dropped() -> None:
    before = states.syn_sent()
    segment = Segment(1, seq_add(before.snd_nxt, 5), RST | ACK, 0)
    assert step(before, SegmentArrives(segment, NOW_US)) == (before, (Dropped(SegmentDrop.ACK_UNACCEPTABLE),))


def test_syn_sent__rst_with_our_ack__refused() -> None:
    before = states.syn_sent()
    segment = Segment(0, before.snd_nxt, RST | ACK, 0)
    assert step(before, SegmentArrives(segment, NOW_US)) == (None, (Failed(Failure.REFUSED),))


def test_syn_sent__rst_without_ack__dropped() -> None:
    """RFC 9293 3.10.7.3, second: a blind RST cannot know our ISS."""
    before = states.syn_sent()
    after, actions = step(before, SegmentArrives(Segment(0, 0, RST, 0), NOW_US))
    assert (after, actions) == (before, (Dropped(SegmentDrop.RST_OUT_OF_WINDOW),))


@pytest.mark.parametrize("flags", [0, FIN, PSH])
def test_syn_sent__neither_syn_nor_ack__dropped(flags: int) -> None:
    before = states.syn_sent()
    after, actions = step(before, SegmentArrives(Segment(9, 0, flags, 0, payload=b"x"), NOW_US))
    assert (after, actions) == (before, (Dropped(SegmentDrop.ACK_MISSING),))


def test_simultaneous_open__both_reach_established() -> None:
    """RFC 9293 3.5, figure 8."""
    here = states.syn_sent()
    there_opening = msgspec.structs.replace(OPENING, iss=5_000, ts_offset=3)
    there, there_first = open_active(TcpParameters(), there_opening)
    here_first = open_active(TcpParameters(), OPENING)[1]
    after_here, answer_here = step(here, SegmentArrives(only_segment(there_first), NOW_US))
    after_there, answer_there = step(there, SegmentArrives(only_segment(here_first), NOW_US))
    assert isinstance(after_here, Tcb)
    assert isinstance(after_there, Tcb)
    assert (after_here.state, after_there.state) == (State.SYN_RECEIVED, State.SYN_RECEIVED)
    here, actions = states_after(after_here, only_segment(answer_there))
    assert here.state is State.ESTABLISHED
    assert Signal.ESTABLISHED in actions
    there, actions = states_after(after_there, only_segment(answer_here))
    assert there.state is State.ESTABLISHED
    assert Signal.ESTABLISHED in actions
    assert (here.rcv_nxt, there.rcv_nxt) == (there.snd_nxt, here.snd_nxt)


def states_after(tcb: Tcb, segment: Segment) -> tuple[Tcb, tuple[Action, ...]]:
    after, actions = step(tcb, SegmentArrives(segment, NOW_US))
    assert isinstance(after, Tcb)
    return after, actions


def test_simultaneous_open__queued_send__goes_out_with_the_last_ack() -> None:
    """RFC 9293 3.10.2, SYN-SENT: "Queue the data for transmission after entering ESTABLISHED state"."""
    tcb = states.after(states.syn_sent(), Send(b"early", NOW_US))
    tcb = states.heard(tcb, peer_syn())
    after, actions = states_after(tcb, from_peer(tcb))
    assert after.state is State.ESTABLISHED
    assert only_segment(actions).payload == b"early"


def test_syn_sent__queued_send__goes_out_with_the_ack() -> None:
    tcb = states.after(states.syn_sent(), Send(b"early", NOW_US))
    _, actions = states_after(tcb, peer_syn(SYN | ACK, tcb.snd_nxt))
    assert only_segment(actions).payload == b"early"


@pytest.mark.parametrize(("build", "retries"), [(states.syn_sent, 6), (states.syn_received, 5)])
def test_syn_retransmission__doubles_and_gives_up(build: object, retries: int) -> None:
    """RFC 6298 5.5, RFC 9293 3.8.3; the seed's table of waits was defined as itself."""
    tcb: Tcb | TimeWait | None = build()  # type: ignore[operator]
    waits, now_us = [], NOW_US
    while isinstance(tcb, Tcb):
        waits.append(deadline_us(tcb) - now_us)
        now_us = deadline_us(tcb)
        tcb, actions = step(tcb, Timeout(now_us))
    assert waits == [min(SECOND_US << n, 60 * SECOND_US) for n in range(retries + 1)]
    ended = Failed(Failure.TIMED_OUT) if retries == 6 else Signal.HALF_OPEN_GONE
    assert actions == (ended,)


def test_syn_received__syn_again__left_to_the_timer() -> None:
    before = states.syn_received()
    after, actions = step(before, SegmentArrives(peer_syn(), NOW_US))
    assert (after, actions) == (before, (Dropped(SegmentDrop.OUT_OF_WINDOW),))


# CLOSED


@pytest.mark.parametrize(
    ("segment", "reply"),
    [
        (Segment(5, 9, ACK, 1), Segment(9, 0, RST, 0)),
        (Segment(5, 9, SYN | ACK, 1), Segment(9, 0, RST, 0)),
        (Segment(5, 0, SYN, 1), Segment(0, 6, RST | ACK, 0)),
        (Segment(0xFFFFFFFF, 0, SYN | FIN, 1, payload=b"abc"), Segment(0, 4, RST | ACK, 0)),
        (Segment(5, 9, RST, 1), None),
        (Segment(5, 9, RST | ACK | SYN, 1), None),
    ],
)
def test_closed__any_segment__reset_unless_it_is_one(segment: Segment, reply: Segment | None) -> None:
    """RFC 9293 3.10.7.1 and 3.5.2."""
    assert reset_reply(segment) == reply


# Closes


@pytest.mark.parametrize("receives", [True, False], ids=["half", "both ways"])
def test_close__established__fin(receives: bool) -> None:
    tcb = states.established()
    after, actions = step(tcb, Close(NOW_US, receives))
    assert isinstance(after, Tcb)
    assert after.state is State.FIN_WAIT_1
    assert only_segment(actions).flags & FIN
    assert after.receive_closed is not receives
    again, actions = step(after, Close(NOW_US, receives))
    assert (again, actions) == (after, ()), "a second CLOSE is harmless"


def test_close__data_queued__fin_after_all_of_it() -> None:
    tcb = states.established()
    tcb, first = step(tcb, Send(b"x" * 30_000, NOW_US))  # type: ignore[assignment]
    tcb, rest = step(tcb, Close(NOW_US, receives=True))  # type: ignore[assignment]
    assert not any(isinstance(a, Segment) and a.flags & FIN for a in first + rest), "cwnd is full"
    sent = [a for a in first + rest if isinstance(a, Segment)]
    tcb, more = step(tcb, SegmentArrives(from_peer(tcb), NOW_US + 1000))
    sent += [a for a in more if isinstance(a, Segment)]
    assert sum(len(s.payload) for s in sent) == 30_000
    assert [bool(s.flags & FIN) for s in sent] == [False] * (len(sent) - 1) + [True]


def test_close__syn_sent__gone_in_silence() -> None:
    assert step(states.syn_sent(), Close(NOW_US)) == (None, ())


def test_close__syn_received__reset() -> None:
    after, actions = step(states.syn_received(), Close(NOW_US))
    assert after is None
    assert only_segment(actions).flags & RST


def test_close__close_wait__last_ack() -> None:
    after, actions = step(states.close_wait(), Close(NOW_US))
    assert isinstance(after, Tcb)
    assert after.state is State.LAST_ACK
    assert only_segment(actions).flags & FIN


@pytest.mark.parametrize("build", [states.established, states.close_wait])
def test_close__received_data_unread__reset(build: object) -> None:
    """RFC 9293 3.6.1, SHLD-3: "SHOULD send a RST to show that data was lost"."""
    tcb = states.established()
    tcb = states.heard(tcb, from_peer(tcb, ACK | PSH | (FIN if build is states.close_wait else 0), b"unread"))
    after, actions = step(tcb, Close(NOW_US))
    assert after is None
    assert only_segment(actions).flags & RST


def test_close__after_shutdown_with_data_unread__reset_and_not_silence() -> None:
    """In LAST-ACK too: what we sent goes with the record, and the peer must hear of it."""
    tcb = states.established()
    tcb = states.heard(tcb, from_peer(tcb, ACK | PSH | FIN, b"unread"))
    tcb = states.after(tcb, Send(b"answer", NOW_US))
    tcb = states.after(tcb, Close(NOW_US, receives=True))
    assert tcb.state is State.LAST_ACK
    after, actions = step(tcb, Close(NOW_US))
    assert after is None
    assert only_segment(actions).flags & RST


@pytest.mark.parametrize("build", [states.fin_wait_1, states.fin_wait_2])
def test_closed_both_ways__data_arrives__reset(build: object) -> None:
    """RFC 9293 3.6.1, SHLD-3: "if new data is received after CLOSE is called ... SHOULD send a RST"."""
    tcb = states.after(build(), Close(NOW_US))  # type: ignore[operator]
    after, actions = step(tcb, SegmentArrives(from_peer(tcb, ACK, b"late"), NOW_US))
    assert after is None
    assert only_segment(actions).flags & RST
    assert actions[-1] == Failed(Failure.ABORTED)


def test_half_close__peer_goes_on__delivered_until_its_fin() -> None:
    tcb = states.fin_wait_2()
    after, actions = step(tcb, SegmentArrives(from_peer(tcb, ACK, b"more"), NOW_US, 100))
    assert Deliver(b"more") in actions
    assert isinstance(after, Tcb)
    record, actions = step(after, SegmentArrives(from_peer(after, ACK | FIN), NOW_US, 100))
    assert isinstance(record, TimeWait)
    assert Signal.END_OF_STREAM in actions


def test_half_close__unread_when_the_peer_ends__remains_for_the_reader() -> None:
    tcb = states.fin_wait_2()
    record, actions = step(tcb, SegmentArrives(from_peer(tcb, ACK | FIN, b"unread"), NOW_US))
    assert isinstance(record, TimeWait)
    assert Remains(b"unread") in actions


def test_close_wait__receive__the_rest_and_then_the_end() -> None:
    tcb = states.established()
    tcb = states.heard(tcb, from_peer(tcb, ACK | FIN, b"abcdef"))
    after, actions = step(tcb, Receive(4, NOW_US))
    assert actions == (Deliver(b"abcd"),)
    assert isinstance(after, Tcb)
    after, actions = step(after, Receive(4, NOW_US))
    assert actions == (Deliver(b"ef"),)
    assert isinstance(after, Tcb)
    assert step(after, Receive(4, NOW_US)) == (after, (Signal.END_OF_STREAM,))


@pytest.mark.parametrize("state", [s for s in State if s > State.ESTABLISHED and s is not State.CLOSE_WAIT])
def test_send__after_close__closing(state: State) -> None:
    tcb = states.IN_STATE[state](TcpParameters())
    assert step(tcb, Send(b"x", NOW_US)) == (tcb, (Failed(Failure.CLOSING),))


@pytest.mark.parametrize("state", State)
def test_abort__any_state__gone_and_the_peer_told_where_it_matters(state: State) -> None:
    """RFC 9293 3.10.5."""
    after, actions = step(states.IN_STATE[state](TcpParameters()), Abort(NOW_US))
    assert after is None
    told = state not in (State.SYN_SENT, State.CLOSING, State.LAST_ACK)
    assert [bool(a.flags & RST) for a in actions if isinstance(a, Segment)] == [True] * told


# Half-closed peers that vanish


def test_fin_wait_2__closed_both_ways_and_peer_vanishes__gone_after_its_timer() -> None:
    tcb = states.after(states.fin_wait_2(), Close(NOW_US))
    at_us = deadline_us(tcb)
    assert at_us == NOW_US + TcpParameters().fin_wait_2_us
    assert step(tcb, Timeout(at_us)) == (None, ())


@pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK])
def test_fin_unanswered__peer_vanishes__given_up(state: State) -> None:
    tcb: Tcb | TimeWait | None = states.IN_STATE[state](TcpParameters())
    fins, steps = 0, 0
    while isinstance(tcb, Tcb):
        tcb, actions = step(tcb, Timeout(deadline_us(tcb)))
        fins += sum(bool(a.flags & FIN) for a in actions if isinstance(a, Segment))
        steps += 1
        assert steps < 50
    assert fins == TcpParameters().retries
    assert actions == (Failed(Failure.TIMED_OUT),)


# TIME-WAIT


def test_time_wait__rst__ignored() -> None:
    """RFC 1337 3."""
    record = states.time_wait()
    for seq in (-1, 0, 1):
        after, actions = step(record, SegmentArrives(from_peer(record, RST, seq=seq), NOW_US))
        assert (after, actions) == (record, (Dropped(SegmentDrop.TIME_WAIT),))


def test_time_wait__fin_again__acknowledged_and_restarted() -> None:
    record = states.time_wait()
    later_us = NOW_US + 5 * SECOND_US
    after, actions = step(record, SegmentArrives(from_peer(record, ACK | FIN, seq=-1), later_us))
    assert isinstance(after, TimeWait)
    assert after.expires_at_us == later_us + record.time_wait_us
    assert only_segment(actions).ack == record.rcv_nxt


def test_time_wait__old_duplicates__answered_at_a_bounded_rate() -> None:
    record = states.time_wait()
    answers = 0
    for number in range(1000):
        event = SegmentArrives(from_peer(record, ACK, b"old", seq=-500), NOW_US + number * 1000)
        record, actions = step(record, event)  # type: ignore[assignment]
        answers += sum(isinstance(action, Segment) for action in actions)
    assert answers == 2, "one in each 500 ms of the second"
    assert record.expires_at_us == states.time_wait().expires_at_us, "only a FIN restarts it"


def test_time_wait__acks_without_text__never_answered() -> None:
    record = states.time_wait()
    assert step(record, SegmentArrives(from_peer(record), NOW_US)) == (
        record,
        (Dropped(SegmentDrop.TIME_WAIT),),
    )


@pytest.mark.parametrize(
    ("flags", "seq", "ts", "reopens"),
    [
        (SYN, 1, 1, True),
        (SYN, -1_000_000, 1, True),
        (SYN, 1, 0, True),
        (SYN, 0, 0, False),
        (SYN, -1, 0, False),
        (SYN, 1, -1, False),
        (SYN | ACK, 1, 1, False),
        (SYN | RST, 1, 1, False),
        (SYN | FIN, 1, 1, False),
        (ACK, 1, 1, False),
    ],
)
def test_time_wait__newer_syn__may_take_over(flags: int, seq: int, ts: int, reopens: bool) -> None:
    """RFC 6191 2: a greater timestamp, or an equal one and a greater sequence number."""
    record = states.time_wait()
    assert may_reopen(record, from_peer(record, flags, seq=seq, ts=ts)) is reopens


def test_time_wait__without_timestamps__the_sequence_number_decides() -> None:
    record = states.time_wait(TcpParameters(timestamps=False))
    assert may_reopen(record, from_peer(record, SYN, seq=1))
    assert not may_reopen(record, from_peer(record, SYN, seq=0))


# ICMP


@pytest.mark.parametrize("state", State)
def test_icmp__hard_error__ends_only_what_is_being_opened(state: State) -> None:
    """RFC 5927 5.2; RFC 5461: a hard error is soft in ESTABLISHED."""
    tcb = states.IN_STATE[state](TcpParameters())
    tcb = states.after(tcb, Send(b"x", NOW_US)) if state in (State.ESTABLISHED, State.CLOSE_WAIT) else tcb
    after, actions = step(tcb, IcmpError(tcb.snd_una, True, NOW_US))
    if state is State.SYN_SENT:
        assert (after, actions) == (None, (Failed(Failure.UNREACHABLE),))
    elif state is State.SYN_RECEIVED:
        assert (after, actions) == (None, (Signal.HALF_OPEN_GONE,))
    else:
        assert (after, actions) == (tcb, (Dropped(SegmentDrop.ICMP_IGNORED),))


@pytest.mark.parametrize("seq", [-1, 1, 100_000])
def test_icmp__quoted_segment_not_in_flight__ignored(seq: int) -> None:
    tcb = states.syn_sent()
    event = IcmpError(seq_add(tcb.snd_una, seq), True, NOW_US)
    assert step(tcb, event) == (tcb, (Dropped(SegmentDrop.ICMP_IGNORED),))


def test_icmp__fragmentation_needed__is_not_hard() -> None:
    """RFC 1191: not an end, whatever MTU it tells."""
    assert not is_hard(3, 4, True)
    assert not is_hard(2, 0, False)
    assert is_hard(3, 3, True)
    assert is_hard(1, 4, False)
