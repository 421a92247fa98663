"""TIME-WAIT: what it answers, what it ignores, and who may take it over."""

import pytest
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, only_segment
from gossamer.core.tcp.actions import Dropped
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import TimeWait
from gossamer.core.tcp.time_wait import may_reopen
from gossamer.core.wire.segment import ACK, FIN, RST, SYN, Segment

SECOND_US = 1_000_000


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
