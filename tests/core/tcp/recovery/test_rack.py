"""RACK: loss by the clock. Numbers of RFC 8985 6.2 with an SRTT and min_RTT of 100 ms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import Seq, seq_add
from gossamer.core.sim.states import NOW_US, segment_arrives, send, stepped
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.recovery import ranges, transmissions
from gossamer.core.tcp.recovery.rack import after_recovery, detected, latest, reordering_window_us
from gossamer.core.tcp.recovery.records import Phase, Rack, Recovery, Run
from gossamer.core.tcp.recovery.report import AckReport, read
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts import deadline_us

from .lossy import MS, NEWRENO, RTT_US, SMSS, at, in_flight, places, replace, report

ARRIVES_US = NOW_US + RTT_US


@pytest.mark.parametrize(
    ("rack", "phase", "dup_acks", "window_us"),
    [
        (None, Phase.DISORDER, 0, 25 * MS),
        (None, Phase.DISORDER, 3, 0),
        (None, Phase.FAST, 0, 0),
        (Rack(reordering_seen=True), Phase.DISORDER, 3, 25 * MS),
        (Rack(reordering_seen=True), Phase.FAST, 3, 25 * MS),
        (Rack(reordering_seen=True, reo_wnd_mult=3), Phase.FAST, 0, 75 * MS),
        (Rack(reordering_seen=True, reo_wnd_mult=9), Phase.FAST, 0, 100 * MS),
    ],
)
def test_window__step_4__a_quarter_of_min_rtt_unless_order_was_kept(
    rack: Rack | None, phase: Phase, dup_acks: int, window_us: int
) -> None:
    tcb = replace(in_flight(8), rack=rack)
    assert reordering_window_us(tcb, Recovery(phase, tcb.snd_una, dup_acks=dup_acks)) == window_us


def test_disorder__one_hole_of_two__reordering_timer_then_sent_again() -> None:
    """The third duplicate never comes: the clock alone shows the loss, at SRTT/4 and not at the RTO."""
    tcb = in_flight(3)
    tcb, sent = segment_arrives(tcb, report(tcb, 0, (1, 2)), ARRIVES_US)
    assert sent == []
    assert deadline_us(tcb) == ARRIVES_US + 25 * MS
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert places(tcb, sent) == [0]
    assert tcb.recovery is not None
    assert tcb.recovery.phase is Phase.FAST
    assert deadline_us(tcb) > ARRIVES_US + 100 * MS, "the retransmission timer stands behind it"


def test_disorder__late_segment_comes__nothing_is_reduced() -> None:
    tcb = in_flight(3)
    before = tcb.congestion.cwnd
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (1, 2)), ARRIVES_US)
    tcb, sent = segment_arrives(tcb, report(tcb, 2), ARRIVES_US + 10 * MS)
    assert (sent, tcb.recovery) == ([], None)
    assert tcb.congestion.cwnd >= before
    assert tcb.rack == Rack(reordering_seen=True)


def test_fast__retransmission_lost__known_by_what_was_sent_after_it() -> None:
    """RFC 8985 3.3: no timeout is needed; RFC 5681 4.3: it counts twice."""
    tcb = in_flight(10, more=20)
    tcb, sent = segment_arrives(tcb, report(tcb, 0, (1, 4)), ARRIVES_US)
    assert places(tcb, sent)[0] == 0
    halved = tcb.congestion.ssthresh
    now_us = ARRIVES_US
    for end in range(5, 11):
        now_us += MS
        tcb, sent = segment_arrives(tcb, report(tcb, 0, (1, end)), now_us)
    assert (tcb.snd_nxt - tcb.snd_una) & 0xFFFFFFFF > 10 * SMSS, "new data followed"
    tcb, sent = segment_arrives(tcb, report(tcb, 0, (1, 11)), ARRIVES_US + RTT_US + 10 * MS)
    assert places(tcb, sent)[0] == 0, "again, a round trip later"
    assert tcb.congestion.ssthresh < halved


def test_fast__one_retransmission_of_several_lost__known_by_the_others_of_that_moment() -> None:
    """RFC 8985 6.2: "RACK_sent_after": of what left in the same moment the end decides."""
    tcb = in_flight(10)
    tcb, sent = segment_arrives(tcb, report(tcb, 0, (3, 10)), ARRIVES_US)
    assert places(tcb, sent) == [0, 1, 2]
    tcb, sent = segment_arrives(tcb, report(tcb, 0, (1, 10)), ARRIVES_US + RTT_US)
    assert places(tcb, sent) == [0]


def test_dsack__widens_the_window_once_a_round__for_16_recoveries() -> None:
    """RFC 8985 6.2 step 4."""
    tcb = in_flight(8)
    tcb, _ = segment_arrives(tcb, report(tcb, 2), ARRIVES_US)
    for _ in range(2):
        duplicate = report(tcb, 0)
        duplicate = replace(duplicate, sack=((seq_add(tcb.snd_una, -SMSS), tcb.snd_una),))
        tcb, _ = segment_arrives(tcb, duplicate, ARRIVES_US + MS)
    assert tcb.rack == Rack(reo_wnd_mult=2, reo_wnd_persist=16, dsack_round=at(tcb, 6))
    rack = tcb.rack
    for _ in range(15):
        rack = after_recovery(rack)
    assert rack is not None
    assert rack.reo_wnd_mult == 2
    rack = after_recovery(rack)
    assert rack is not None
    assert rack.reo_wnd_mult == 1


def sent_at_intervals(parameters: TcpParameters) -> Tcb:
    """Four segments in flight, 20 ms apart from NOW_US on."""
    tcb = in_flight(1, parameters)
    tcb = replace(tcb, congestion=replace(tcb.congestion, cwnd=4 * SMSS))
    for number in (1, 2, 3):
        tcb, sent = send(tcb, b"x" * SMSS, NOW_US + number * 20 * MS)
        assert len(sent) == 1
    return tcb


@pytest.mark.parametrize(
    ("acked", "blocks", "last_sent_ms", "last_by_sequence_ms"),
    [
        pytest.param(2, (), 80, 80, id="acknowledged"),
        pytest.param(0, ((3, 4), (1, 2)), 40, 40, id="reported, in any order"),
        pytest.param(1, ((2, 3),), 60, 100, id="both"),
        pytest.param(2, ((3, 4),), 40, 80, id="both, several acknowledged"),
    ],
)
def test_rtt__of_what_one_ack_delivers__that_of_the_last_sent_or_of_the_last_by_sequence(
    acked: int, blocks: tuple[tuple[int, int], ...], last_sent_ms: int, last_by_sequence_ms: int
) -> None:
    """RFC 8985 6.2 step 2: "in ascending order of Segment.xmit_ts"; Linux goes by sequence, what is
    acknowledged last."""
    for by_sequence, rtt_ms in ((False, last_sent_ms), (True, last_by_sequence_ms)):
        tcb = sent_at_intervals(replace(NEWRENO, rack_rtt_by_sequence=by_sequence))
        after = latest(Recovery(Phase.DISORDER, tcb.snd_una), heard(tcb, acked, *blocks))
        assert after[2] == rtt_ms * MS
        assert after[0] == NOW_US + (max([acked, *(end for _, end in blocks)]) - 1) * 20 * MS


@pytest.mark.parametrize("by_sequence", [False, True])
def test_rtt__of_what_comes_late__though_something_sent_later_has_arrived(by_sequence: bool) -> None:
    tcb = sent_at_intervals(replace(NEWRENO, rack_rtt_by_sequence=by_sequence))
    tcb, _ = segment_arrives(tcb, report(tcb, 0, (1, 2)), ARRIVES_US - 5 * MS)
    assert tcb.recovery is not None
    assert tcb.recovery.rack_rtt_us == 75 * MS
    sent_at_us, _, rtt_us, *_ = latest(tcb.recovery, heard(tcb, 1))
    assert (sent_at_us, rtt_us) == (NOW_US + 20 * MS, RTT_US)


def heard(tcb: Tcb, acked: int, *blocks: tuple[int, int]) -> AckReport:
    """What an ACK at ARRIVES_US says."""
    segment = report(tcb, acked, *blocks)
    return read(tcb, replace(tcb, snd_una=at(tcb, acked)), segment, ARRIVES_US)


OCTETS = st.sampled_from(["missing", "missing", "arrived", "lost"])
RUNS = st.lists(
    st.tuples(st.lists(OCTETS, min_size=1, max_size=4), st.integers(0, 3), st.none() | st.integers(0, 15)),
    min_size=1,
    max_size=12,
)
"""Of each: what became of its octets, how much later than the one before it was sent, when it went again."""


def held_of(una: Seq, fates: list[str], fate: str) -> ranges.Ranges:
    held: ranges.Ranges = ()
    for place, each in enumerate(fates):
        if each == fate:
            held = ranges.with_range(held, seq_add(una, place), seq_add(una, place + 1), una)
    return held


@given(
    made=RUNS, rack=st.tuples(st.integers(1, 20), st.integers(0, 48), st.booleans()), rtt=st.integers(0, 20)
)
def test_detected__any_runs_and_ranges__as_a_look_at_each_octet_says(
    made: list[tuple[list[str], int, int | None]], rack: tuple[int, int, bool], rtt: int
) -> None:
    """RFC 8985 6.2 step 5. The timer may be later than that of the latest which waits, never than it would be
    for the segment that arrived; sooner it is not."""
    fates = [fate for octets, _, _ in made for fate in octets]
    fates[0] = "missing" if fates[0] == "arrived" else fates[0]
    tcb, una = in_flight(1), in_flight(1).snd_una
    runs, sent, end = [], 0, una
    for octets, later, again in made:
        sent, end = sent + later, seq_add(end, len(octets))
        runs.append(Run(end, NOW_US + (sent if again is None else again), retransmitted=again is not None))
    when = [NOW_US + again for _, _, again in made if again is not None]
    sacked, lost = held_of(una, fates, "arrived"), held_of(una, fates, "lost")
    tcb = replace(tcb, snd_nxt=end, transmissions=tuple(runs), rack=Rack(reordering_seen=True))
    tcb = replace(tcb, round_trip=replace(tcb.round_trip, min_us=8, srtt_us=8))
    sent_at_us, last, is_again = NOW_US + rack[0], seq_add(una, rack[1]), rack[2]
    recovery = Recovery(
        *(Phase.FAST, end),
        sacked=sacked,
        lost=lost,
        rack_sent_at_us=sent_at_us,
        rack_end=last,
        rack_rtt_us=rtt,
        rack_is_retransmitted=is_again,
        again_since_us=min(when, default=NEVER_US),
        again_until_us=max(when, default=0),
    )
    now_us = NOW_US + 22
    due_us, lost_now, waiting_us = now_us - rtt - 2, list(fates), [0]
    for place, fate in enumerate(fates):
        run = transmissions.run_of(tcb, seq_add(una, place))
        same = run.sent_at_us == sent_at_us and run.retransmitted <= is_again and place < rack[1]
        if fate == "missing" and (run.sent_at_us < sent_at_us or same):
            lost_now[place] = "lost" if run.sent_at_us <= due_us else fate
            waiting_us.append(run.sent_at_us - due_us)
    found = detected(tcb, recovery, now_us)
    assert found.recovery.lost == held_of(una, lost_now, "lost")
    assert found.recovery.lost_bytes == lost_now.count("lost") - fates.count("lost")
    assert max(waiting_us) <= found.timeout_us <= max(sent_at_us - due_us, 0)
