"""SEGMENT ARRIVES, as a table: every synchronized state x every kind of segment x left of, in, right of the
window."""

from itertools import product
from typing import NamedTuple

import pytest

from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer
from gossamer.core.tcp.actions import Deliver, Dropped, Failed, Failure, Signal, Urgent
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import Connection, step
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, URG, Segment

SYNCHRONIZED = tuple(state for state in State if state is not State.SYN_SENT)
HAVE_SENT_FIN = (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)
RECEIVING = (State.SYN_RECEIVED, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2)

LEFT, EXACT, INSIDE = -200, 0, 500
RIGHT = TcpParameters().receive_buffer_bytes + 10
DATA = b"d" * 100


def name(value: object) -> str | None:
    """How a state stands in the name of a test."""
    return value.name.lower() if isinstance(value, State) else None


class Seen(NamedTuple):
    """What one segment led to."""

    after: Connection | None
    segments: list[Segment]
    drops: list[SegmentDrop]
    others: list[object]


def meet(connection: Connection, segment: Segment, now_us: int = NOW_US, receive_bytes: int = 0) -> Seen:
    after, actions = step(connection, SegmentArrives(segment, now_us, receive_bytes))
    return Seen(
        after,
        [action for action in actions if isinstance(action, Segment)],
        [action.reason for action in actions if isinstance(action, Dropped)],
        [action for action in actions if not isinstance(action, Segment | Dropped)],
    )


def in_state(state: State) -> Tcb:
    return states.IN_STATE[state](TcpParameters())


def one_less_where_fin(state: State) -> int:
    """The acknowledgment that leaves our FIN unacknowledged."""
    return -1 if state in HAVE_SENT_FIN else 0


def assert_challenge(before: Connection, seen: Seen, reason: SegmentDrop) -> None:
    """Nothing but <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, and a count."""
    assert seen.drops == [reason]
    assert not seen.others
    (answer,) = seen.segments
    assert (answer.seq, answer.ack, answer.flags) == (before.snd_nxt, before.rcv_nxt, ACK)
    assert isinstance(before, Tcb)
    assert isinstance(seen.after, Tcb)
    assert replace(seen.after, challenge_at_us=before.challenge_at_us) == before


def assert_dropped(before: Connection, seen: Seen, reason: SegmentDrop) -> None:
    """Nothing at all, and a count."""
    assert (seen.after, seen.segments, seen.drops, seen.others) == (before, [], [reason], [])


UNACCEPTABLE = [
    ("syn", SYN, b""),
    ("syn_ack", SYN | ACK, b""),
    ("ack", ACK, b""),
    ("data", ACK | PSH, DATA),
    ("fin", ACK | FIN, b""),
    ("nothing", 0, DATA),
    ("xmas", 0xFF & ~RST, DATA),
]


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=name)
@pytest.mark.parametrize(
    ("flags", "payload"), [row[1:] for row in UNACCEPTABLE], ids=[row[0] for row in UNACCEPTABLE]
)
@pytest.mark.parametrize("place", [LEFT, RIGHT], ids=["left", "right"])
def test_synchronized__outside_the_window__an_ack_and_nothing_else(
    state: State, flags: int, payload: bytes, place: int
) -> None:
    """RFC 9293 3.10.7.4, first: "an acknowledgment should be sent in reply (unless the RST bit is set)"."""
    before = in_state(state)
    assert_challenge(
        before, meet(before, from_peer(before, flags, payload, seq=place)), SegmentDrop.OUT_OF_WINDOW
    )


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=name)
@pytest.mark.parametrize("place", [LEFT, RIGHT], ids=["left", "right"])
def test_synchronized__rst_outside_the_window__dropped(state: State, place: int) -> None:
    before = in_state(state)
    for flags in (RST, RST | ACK):
        assert_dropped(
            before, meet(before, from_peer(before, flags, seq=place)), SegmentDrop.RST_OUT_OF_WINDOW
        )


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=name)
def test_synchronized__rst_inside_the_window__challenged(state: State) -> None:
    """RFC 5961 3.2: "MUST send an acknowledgment (challenge ACK)"."""
    before = in_state(state)
    assert_challenge(before, meet(before, from_peer(before, RST, seq=INSIDE)), SegmentDrop.RST_CHALLENGED)


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=name)
def test_synchronized__rst_at_rcv_nxt__ended(state: State) -> None:
    seen = meet(in_state(state), from_peer(in_state(state), RST))
    assert seen.after is None
    assert not seen.segments
    if state is State.SYN_RECEIVED:
        assert seen.others == [Signal.HALF_OPEN_GONE]
    else:
        assert seen.others == [Failed(Failure.RESET)]


def test_simultaneous_open__rst_at_rcv_nxt__refused() -> None:
    """RFC 9293 3.10.7.4, second, SYN-RECEIVED: "If this connection was initiated with an active OPEN ...
    refused"."""
    seen = meet(states.crossed(), from_peer(states.crossed(), RST))
    assert (seen.after, seen.others) == (None, [Failed(Failure.REFUSED)])


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=name)
@pytest.mark.parametrize("place", [EXACT, INSIDE], ids=["exact", "inside"])
@pytest.mark.parametrize("flags", [SYN, SYN | ACK, SYN | FIN | ACK], ids=["syn", "syn_ack", "syn_fin"])
def test_synchronized__syn_in_the_window__challenged(state: State, place: int, flags: int) -> None:
    """RFC 5961 4.2: "If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK"."""
    before = in_state(state)
    assert_challenge(before, meet(before, from_peer(before, flags, seq=place)), SegmentDrop.SYN_CHALLENGED)


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=name)
@pytest.mark.parametrize("place", [EXACT, INSIDE], ids=["exact", "inside"])
def test_synchronized__without_ack__dropped(state: State, place: int) -> None:
    """RFC 9293 3.10.7.4, fifth: "if the ACK bit is off, drop the segment and return"."""
    before = in_state(state)
    seen = meet(before, from_peer(before, PSH, DATA, seq=place))
    assert (seen.segments, seen.drops, seen.others) == ([], [SegmentDrop.ACK_MISSING], [])
    assert isinstance(seen.after, Tcb)
    assert (seen.after.state, seen.after.rcv_nxt) == (state, before.rcv_nxt)


@pytest.mark.parametrize("state", [s for s in SYNCHRONIZED if s is not State.SYN_RECEIVED], ids=name)
def test_synchronized__ack_of_what_was_never_sent__challenged(state: State) -> None:
    before = in_state(state)
    for ack in (1, 100_000, -(1 << 17)):
        seen = meet(before, from_peer(before, ACK, DATA, ack=ack))
        assert seen.drops == [SegmentDrop.ACK_UNACCEPTABLE]
        assert [(s.seq, s.ack, s.flags) for s in seen.segments] == [(before.snd_nxt, before.rcv_nxt, ACK)]
        assert isinstance(seen.after, Tcb)
        assert (seen.after.rcv_nxt, seen.after.snd_una, seen.after.state) == (
            before.rcv_nxt,
            before.snd_una,
            state,
        )


@pytest.mark.parametrize("ack", [1, -1, -1000])
def test_syn_received__wrong_ack__reset_and_stays(ack: int) -> None:
    """RFC 9293 3.10.7.4, fifth, SYN-RECEIVED: "form a reset segment <SEQ=SEG.ACK><CTL=RST> and send it"."""
    before = states.syn_received()
    segment = from_peer(before, ACK, ack=ack)
    seen = meet(before, segment)
    assert [(s.seq, s.flags) for s in seen.segments] == [(segment.ack, RST)]
    assert isinstance(seen.after, Tcb)
    assert seen.after.state is State.SYN_RECEIVED


ACK_MOVES = {
    State.SYN_RECEIVED: State.ESTABLISHED,
    State.ESTABLISHED: State.ESTABLISHED,
    State.FIN_WAIT_1: State.FIN_WAIT_2,
    State.FIN_WAIT_2: State.FIN_WAIT_2,
    State.CLOSE_WAIT: State.CLOSE_WAIT,
}


@pytest.mark.parametrize(("state", "following"), ACK_MOVES.items(), ids=name)
def test_synchronized__ack_of_all__moves_on(state: State, following: State) -> None:
    seen = meet(in_state(state), from_peer(in_state(state)))
    assert isinstance(seen.after, Tcb)
    assert seen.after.state is following
    assert seen.after.snd_una == seen.after.snd_nxt
    assert not seen.segments


def test_closing__ack_of_fin__time_wait() -> None:
    assert isinstance(meet(states.closing(), from_peer(states.closing())).after, TimeWait)


def test_last_ack__ack_of_fin__closed() -> None:
    assert meet(states.last_ack(), from_peer(states.last_ack())) == Seen(None, [], [], [])


@pytest.mark.parametrize("state", HAVE_SENT_FIN, ids=name)
def test_fin_sent__ack_short_of_fin__stays(state: State) -> None:
    seen = meet(in_state(state), from_peer(in_state(state), ack=-1))
    assert isinstance(seen.after, Tcb)
    assert seen.after.state is state


@pytest.mark.parametrize("state", RECEIVING, ids=name)
def test_receiving__data_at_rcv_nxt__taken(state: State) -> None:
    before = in_state(state)
    segment = from_peer(before, ACK | PSH, DATA)
    seen = meet(before, segment)
    assert isinstance(seen.after, Tcb)
    assert seen.after.rcv_buf == (DATA,)
    assert not seen.segments, "its ACK is delayed"
    assert meet(before, segment, receive_bytes=1000).others[-1] == Deliver(DATA)


@pytest.mark.parametrize("state", RECEIVING, ids=name)
def test_receiving__data_behind_a_gap__held_and_reported(state: State) -> None:
    """RFC 5681 4.2: "SHOULD send an immediate duplicate ACK when an out-of-order segment arrives"."""
    before = in_state(state)
    seen = meet(before, from_peer(before, ACK | PSH, DATA, seq=INSIDE))
    assert isinstance(seen.after, Tcb)
    assert seen.after.reassembly is not None
    assert [s.ack for s in seen.segments] == [before.rcv_nxt]
    left = (before.rcv_nxt + INSIDE) & 0xFFFFFFFF
    assert seen.segments[0].sack == ((left, left + 100),)


@pytest.mark.parametrize("state", [s for s in SYNCHRONIZED if s not in RECEIVING], ids=name)
@pytest.mark.parametrize("place", [EXACT, INSIDE], ids=["exact", "inside"])
def test_peer_has_closed__data__ignored(state: State, place: int) -> None:
    """RFC 9293 3.10.7.4, seventh: "This should not occur ... Ignore the segment text"."""
    before = in_state(state)
    seen = meet(before, from_peer(before, ACK, DATA, seq=place, ack=one_less_where_fin(state)))
    assert isinstance(seen.after, Tcb)
    assert (seen.after.state, seen.after.rcv_nxt, seen.after.rcv_buf) == (state, before.rcv_nxt, ())
    assert not seen.others


@pytest.mark.parametrize("state", RECEIVING, ids=name)
def test_receiving__data_over_both_edges__trimmed(state: State) -> None:
    """RFC 9293 3.10.7.4: "any data ... outside the window is trimmed off"."""
    tight = replace(in_state(state), rcv_wnd=1_000)
    left = meet(tight, from_peer(tight, ACK, b"o" * 200 + b"n" * 900, seq=-200)).after
    assert isinstance(left, Tcb)
    assert b"".join(left.rcv_buf) == b"n" * 900
    right = meet(left, from_peer(left, ACK, b"n" * 100 + b"b" * 50)).after
    assert isinstance(right, Tcb)
    assert b"".join(right.rcv_buf) == b"n" * 1_000
    assert right.rcv_wnd == 0


FIN_MOVES = {
    State.SYN_RECEIVED: State.CLOSE_WAIT,
    State.ESTABLISHED: State.CLOSE_WAIT,
    State.FIN_WAIT_1: State.CLOSING,
    State.CLOSE_WAIT: State.CLOSE_WAIT,
    State.CLOSING: State.CLOSING,
    State.LAST_ACK: State.LAST_ACK,
}


@pytest.mark.parametrize(("state", "following"), FIN_MOVES.items(), ids=name)
@pytest.mark.parametrize("payload", [b"", DATA], ids=["alone", "with data"])
def test_synchronized__fin_at_rcv_nxt__moves_on_and_is_acknowledged(
    state: State, following: State, payload: bytes
) -> None:
    before = in_state(state)
    seen = meet(before, from_peer(before, ACK | FIN, payload, ack=one_less_where_fin(state)))
    assert isinstance(seen.after, Tcb)
    assert seen.after.state is following
    expected = before.rcv_nxt + (len(payload) + 1 if state in RECEIVING else 0)
    assert [s.ack for s in seen.segments] == [expected & 0xFFFFFFFF]


@pytest.mark.parametrize("state", [State.FIN_WAIT_1, State.FIN_WAIT_2], ids=name)
@pytest.mark.parametrize("payload", [b"", DATA], ids=["alone", "with data"])
def test_fin_wait__fin_and_ack_of_ours__time_wait(state: State, payload: bytes) -> None:
    before = in_state(state)
    seen = meet(before, from_peer(before, ACK | FIN, payload))
    assert isinstance(seen.after, TimeWait)
    assert [s.ack for s in seen.segments] == [(before.rcv_nxt + len(payload) + 1) & 0xFFFFFFFF]
    assert seen.after.expires_at_us == NOW_US + 60_000_000


@pytest.mark.parametrize("state", [State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2], ids=name)
def test_receiving__fin_behind_a_gap__taken_once_the_gap_is_filled(state: State) -> None:
    before = in_state(state)
    early = meet(before, from_peer(before, ACK | FIN, b"later", seq=5, ack=one_less_where_fin(state)))
    assert isinstance(early.after, Tcb)
    assert early.after.state is state
    assert [s.ack for s in early.segments] == [before.rcv_nxt]
    filled = meet(early.after, from_peer(early.after, ACK, b"first", ack=one_less_where_fin(state)))
    assert filled.after is not None
    assert filled.after.rcv_nxt == (before.rcv_nxt + 11) & 0xFFFFFFFF
    if isinstance(filled.after, Tcb):
        assert filled.after.state in (State.CLOSE_WAIT, State.CLOSING)
        assert b"".join(filled.after.rcv_buf) == b"firstlater"


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=name)
@pytest.mark.parametrize("urgent", [0, 1, 50, 65_535])
def test_urgent__any_pointer__in_line(state: State, urgent: int) -> None:
    """RFC 6093: the pointer changes nothing but the notice to the user."""
    before = in_state(state)
    plain = from_peer(before, ACK, DATA)
    marked = replace(plain, flags=plain.flags | 0x20, urgent=urgent)
    general, seen = meet(before, plain), meet(before, marked)
    if isinstance(seen.after, Tcb):
        seen = seen._replace(after=replace(seen.after, rcv_up=None))
    others = [action for action in seen.others if not isinstance(action, Urgent)]
    assert (seen.after, seen.segments, others) == (general.after, general.segments, general.others)


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=name)
def test_paws__older_timestamp__acknowledged_and_dropped(state: State) -> None:
    """RFC 7323 5.3 R1."""
    before = in_state(state)
    assert_challenge(before, meet(before, from_peer(before, ACK, DATA, ts=-1)), SegmentDrop.PAWS)


@pytest.mark.parametrize(("end", "echoed"), [(0, 500), (-1, 0), (-300, 0)])
def test_text_again__ends_at_rcv_nxt__the_answer_echoes_its_own_timestamp(end: int, echoed: int) -> None:
    """RFC 7323 4.3 (2): else a lost ACK would make the peer's round trip as long as its timeout."""
    before = states.established()
    again = from_peer(before, ACK, DATA, seq=end - len(DATA), ts=500)
    answer = meet(before, again).segments[0]
    assert (answer.ack, answer.ts_ecr) == (before.rcv_nxt, before.ts_recent + echoed)


def test_paws__idle_for_25_days__ts_recent_is_invalid() -> None:
    """RFC 7323 5.5."""
    before = states.established()
    late_us = NOW_US + 25 * 24 * 3600 * 1_000_000
    seen = meet(before, from_peer(before, ACK, DATA, ts=-1), late_us)
    assert not seen.drops


def test_paws__rst__is_not_asked_for_its_age() -> None:
    """RFC 7323 5.2: "an RST segment MUST NOT be subjected to the PAWS check"."""
    before = states.established()
    assert meet(before, from_peer(before, RST, ts=-1)).after is None


@pytest.mark.parametrize("state", State, ids=name)
def test_any_state__any_flags__an_answer_and_no_exception(state: State) -> None:
    """Law 6: nothing falls through; and RFC 9293 3.5.2: a RST is never answered by one."""
    before = in_state(state)
    for flags, payload, seq in product(range(256), (b"", b"x"), (-1, 0, 1)):
        seen = meet(before, from_peer(before, flags, payload, seq=seq))
        assert not flags & RST or not any(answer.flags & RST for answer in seen.segments)


def test_synchronized__window_of_all_ones__is_a_large_one() -> None:
    """RFC 9293 3.1, MUST-1: "The window size MUST be treated as an unsigned number"."""
    tcb = states.established()
    after = meet(tcb, from_peer(tcb, window=0xFFFF)).after
    assert isinstance(after, Tcb)
    assert after.snd_wnd == 0xFFFF << tcb.agreed.snd_wind_shift


@pytest.mark.parametrize("state", SYNCHRONIZED, ids=name)
def test_synchronized__rst_with_data__ended(state: State) -> None:
    """RFC 9293 3.5.3, SHLD-2: "TCP implementations SHOULD allow a received RST segment to include data"."""
    tcb = in_state(state)
    seen = meet(tcb, from_peer(tcb, RST | ACK, b"because"))
    assert (seen.after, seen.segments, seen.drops) == (None, [], [])


@pytest.mark.parametrize("payload", [b"", b"x"], ids=["alone", "with text"])
def test_zero_window__rst_and_urg__processed(payload: bytes) -> None:
    """RFC 9293 3.8.6, MUST-66: "even when the receive window is zero"."""
    tcb = replace(in_state(State.ESTABLISHED), rcv_wnd=0, rcv_buf=(b"full",), rcv_buf_bytes=4)
    assert meet(tcb, from_peer(tcb, RST | ACK, payload)).others == [Failed(Failure.RESET)]
    urgent = replace(from_peer(tcb, ACK | URG, payload), urgent=1)
    seen = meet(tcb, urgent)
    assert seen.others == [Urgent(4)], "as far as the window reaches, which is what is still to be read"
    assert isinstance(seen.after, Tcb)
    assert seen.after.rcv_nxt == tcb.rcv_nxt


@pytest.mark.parametrize(
    ("sack", "pieces", "duplicates"), [(False, 1, 1), (False, 2, 2), (False, 9, 3), (True, 9, 1)]
)
def test_joined_text_out_of_order__peer_without_sack__hears_as_many_duplicate_acks(
    sack: bool, pieces: int, duplicates: int
) -> None:
    """RFC 5681 3.2: it counts to three before it sends again what is missing."""
    tcb = states.established(TcpParameters(sack=sack))
    behind = from_peer(tcb, payload=bytes(pieces * 1_000), seq=1_000)
    tcb, acks = states.stepped(tcb, SegmentArrives(behind, NOW_US, 0, pieces))
    assert [(each.ack, each.payload) for each in acks] == [(tcb.rcv_nxt, b"")] * duplicates
