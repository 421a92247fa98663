"""Urgent data: where the mark stands, who is notified, and that a false pointer means nothing more."""

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import MASK, seq_add
from gossamer.core.sim.states import NOW_US, close_wait, established, from_peer, syn_received
from gossamer.core.tcp.actions import Actions, Deliver, Signal, Urgent
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.events import Receive, SegmentArrives
from gossamer.core.tcp.info import info
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.urgent import urgent_bytes
from gossamer.core.wire.segment import ACK, PSH, URG, Segment


def urged(tcb: Tcb, payload: bytes = b"", urgent: int = 0, seq: int = 0, flags: int = URG) -> Segment:
    """The peer's next segment with an urgent pointer."""
    return replace(from_peer(tcb, ACK | PSH | flags, payload, seq=seq), urgent=urgent if flags & URG else 0)


def hear(tcb: Tcb, segment: Segment, receive_bytes: int = 0) -> tuple[Tcb, Actions]:
    following, actions = step(tcb, SegmentArrives(segment, NOW_US, receive_bytes))
    assert isinstance(following, Tcb)
    return following, actions


def notices(actions: Actions) -> list[Urgent]:
    return [action for action in actions if isinstance(action, Urgent)]


def read(tcb: Tcb, count: int) -> Tcb:
    following, _ = step(tcb, Receive(count, NOW_US))
    assert isinstance(following, Tcb)
    return following


def test_established__urg__user_is_notified_and_the_data_stays_in_line() -> None:
    tcb, actions = hear(established(), urged(established(), b"plain!rest", 6))
    assert Urgent(6) in actions
    assert tcb.rcv_buf == (b"plain!rest",)
    assert urgent_bytes(tcb) == info(tcb, NOW_US).urgent_bytes == 6


@pytest.mark.parametrize("flags", [0, URG], ids=["without URG", "URG with a pointer of 0"])
def test_established__no_mark__nobody_is_notified(flags: int) -> None:
    tcb, actions = hear(established(), urged(established(), b"data", 0, flags=flags))
    assert not notices(actions)
    assert tcb.rcv_up is None


def test_established__reading__what_is_left_before_the_mark() -> None:
    tcb, _ = hear(established(), urged(established(), b"0123456789", 6))
    assert [urgent_bytes(tcb := read(tcb, 2)) for _ in range(4)] == [4, 2, 0, 0]
    assert tcb.rcv_up is None


def test_established__mark_read_by_a_waiting_thread__forgotten() -> None:
    tcb, actions = hear(established(), urged(established(), b"0123", 4), receive_bytes=100)
    assert actions.index(Urgent(4)) < actions.index(Deliver(b"0123"))
    assert tcb.rcv_up is None


def test_established__same_mark_again__notified_once_and_again_when_it_advances() -> None:
    """MUST-32."""
    tcb, actions = hear(established(), urged(established(), b"01", 10))
    assert Urgent(10) in actions
    tcb, actions = hear(tcb, urged(tcb, b"23", 8))
    assert not notices(actions)
    tcb, actions = hear(tcb, urged(tcb, b"45", 8))
    assert Urgent(12) in actions
    assert urgent_bytes(tcb) == 12


def test_established__mark_ahead_of_its_data__kept_until_that_is_read() -> None:
    tcb, _ = hear(established(), urged(established(), b"", 6))
    assert urgent_bytes(tcb) == 6
    tcb, _ = hear(tcb, from_peer(tcb, ACK | PSH, b"0123"), receive_bytes=100)
    assert urgent_bytes(tcb) == 2
    tcb, _ = hear(tcb, from_peer(tcb, ACK | PSH, b"456789"), receive_bytes=100)
    assert (urgent_bytes(tcb), tcb.rcv_up) == (0, None)


def test_established__mark_beyond_the_window__clamped_to_it() -> None:
    tcb = replace(established(), rcv_wnd=1_000)
    tcb, _ = hear(tcb, urged(tcb, b"x", 65_535))
    assert urgent_bytes(tcb) == 1_000


def test_established__repeat_of_what_was_read__marks_nothing() -> None:
    tcb, _ = hear(established(), from_peer(established(), ACK, b"0123456789"), receive_bytes=100)
    tcb, actions = hear(tcb, urged(tcb, b"9x", 1, seq=-1))
    assert not notices(actions)
    assert tcb.rcv_up is None


def test_established__out_of_order__counts_from_where_the_segment_began() -> None:
    tcb, _ = hear(established(), urged(established(), b"later", 5, seq=5))
    assert urgent_bytes(tcb) == 10


def test_close_wait__urg__ignored() -> None:
    """ "This should not occur since a FIN has been received from the remote side. Ignore the URG." """
    tcb, actions = hear(close_wait(), urged(close_wait(), b"", 5))
    assert not notices(actions)
    assert tcb.rcv_up is None


def test_syn_received__urg_with_the_last_ack__notified_once_established() -> None:
    tcb, actions = hear(syn_received(), urged(syn_received(), b"first", 5))
    assert actions.index(Signal.ESTABLISHED) < actions.index(Urgent(5))
    assert urgent_bytes(tcb) == 5


def test_codec__pending_mark__survives() -> None:
    tcb, _ = hear(established(), urged(established(), b"0123", 3))
    assert tcb.rcv_up == seq_add(established().rcv_nxt, 3)
    assert 0 <= tcb.rcv_up <= MASK
    assert decode(encode(tcb)) == tcb
