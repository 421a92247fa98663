"""TIME-WAIT: what it answers, what it ignores, and who may take it over."""

from random import Random

import pytest

from gossamer.core.loop.tcp.opening import Openings
from gossamer.core.records import replace
from gossamer.core.seq import HALF, MASK, Seq, seq_lt
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, only_segment
from gossamer.core.tcp.actions import Dropped
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import TimeWait
from gossamer.core.tcp.time_wait import can_reopen
from gossamer.core.wire.flow import pack_flow
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
    assert can_reopen(record, from_peer(record, flags, seq=seq, ts=ts)) is reopens


@pytest.mark.parametrize("rcv_nxt", [0, 1, 5, MASK, MASK - 5, HALF, HALF - 1])
@pytest.mark.parametrize("ts_recent", [0, 3, MASK, HALF])
def test_time_wait__newer_syn_across_the_wrap__may_take_over(rcv_nxt: int, ts_recent: int) -> None:
    """RFC 9293 3.4, RFC 7323 5.2: both spaces are circles; half of each lies ahead."""
    record = replace(states.time_wait(), rcv_nxt=Seq(rcv_nxt), ts_recent=ts_recent)
    for ahead in (1, 10, 1_000_000, HALF - 1):
        assert can_reopen(record, from_peer(record, SYN, seq=-77, ts=ahead))
        assert not can_reopen(record, from_peer(record, SYN, seq=77, ts=-ahead))
        assert can_reopen(record, from_peer(record, SYN, seq=ahead))
        assert not can_reopen(record, from_peer(record, SYN, seq=-ahead))


@pytest.mark.parametrize("snd_nxt", [0, 1, MASK, MASK - 5, HALF, 12_345])
def test_time_wait__taken_over__our_sequence_numbers_begin_behind_the_old_ones(snd_nxt: int) -> None:
    """RFC 9293 3.6.1, MAY-2: "larger than the largest sequence number it used on the previous connection
    incarnation"."""
    openings = Openings(TcpParameters(), Random(3).randbytes(32))
    record = replace(states.time_wait(), snd_nxt=Seq(snd_nxt))
    for port in range(50):
        flow = pack_flow(("10.0.0.2", 80), ("10.0.0.1", 50_000 + port))
        opening = openings.passive(flow, record, NOW_US)
        assert seq_lt(Seq(snd_nxt), Seq(opening.iss))
        assert opening.ts_offset == openings.passive(flow, None, NOW_US).ts_offset, (
            "the same clock (RFC 6191)"
        )


def test_time_wait__without_timestamps__the_sequence_number_decides() -> None:
    record = states.time_wait(TcpParameters(timestamps=False))
    assert can_reopen(record, from_peer(record, SYN, seq=1))
    assert not can_reopen(record, from_peer(record, SYN, seq=0))
