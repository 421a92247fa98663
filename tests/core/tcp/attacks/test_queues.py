"""Queues that a peer fills: bounded in octets and in pieces, cheap to look through, and exact."""

from random import Random

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import seq_add, seq_diff
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, PEER_ISS, from_peer
from gossamer.core.tcp.actions import Dropped
from gossamer.core.tcp.constants import (
    COALESCE_BYTES,
    MSS_FLOOR,
    REASSEMBLY_BLOCKS_MAX,
    SACKED_RANGES_MAX,
    TRANSMISSIONS_MAX,
)
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Send
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.recovery.records import Phase, Rack, Recovery, Run
from gossamer.core.tcp.tcb import RoundTrip, Tcb
from gossamer.core.wire.segment import ACK, PSH, SynOptions

from .besieged import duplicate, fully_open, hears, segments, sending, steps, watched, work


def sack_every_other(tcb: Tcb, size: int, count: int) -> Tcb:
    """One-octet gaps in the largest number that `count` ACKs of three blocks can report."""
    for number in range(0, count, 3):
        lefts = [seq_add(tcb.snd_una, (number + n) * 2 * size + size) for n in range(min(3, count - number))]
        blocks = tuple((left, seq_add(left, size)) for left in lefts)
        tcb, _ = hears(tcb, from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt, sack=blocks))
    return tcb


@pytest.mark.parametrize("mss", [1, 8, 87])
def test_tiny_mss__clamped_to_the_floor(mss: int) -> None:
    """CVE-2019-11479: 100 kB never become 100,000 segments."""
    tcb = states.established(TcpParameters(), SynOptions(mss=mss, window_scale=2))
    assert tcb.agreed.smss >= MSS_FLOOR - 12
    _, actions = watched(tcb, Send(b"x" * 100_000, NOW_US))
    assert len(segments(actions)) <= 10, "the initial window is counted in segments"


def test_mss_0__means_absent() -> None:
    assert states.syn_received(options=SynOptions(mss=0, window_scale=2)).agreed.smss == 536 - 12


def test_sack_slowness__thousands_of_ranges__scoreboard_bounded() -> None:
    """CVE-2019-11477 and 11478."""
    tcb = sack_every_other(fully_open(states.established(), 200_000), 1, 3_000)
    assert tcb.recovery is not None
    assert len(tcb.recovery.sacked) <= SACKED_RANGES_MAX


def filled(tcb: Tcb, ranges: int, size: int = 1) -> Tcb:
    """A scoreboard of so many ranges, each of `size` octets with a gap as long before it."""
    return sack_every_other(tcb, size, ranges)


def test_sack_slowness__work_of_one_ack__does_not_grow_with_the_queue() -> None:
    """Ten times the octets in flight, the same full scoreboard: the same work."""

    def work_with(octets: int) -> int:
        tcb = filled(fully_open(states.established(), octets), 900)
        return work(tcb, duplicate(tcb, (1, 2)))

    assert work_with(1_000_000) <= work_with(100_000) + 20


RANGES = (1, 2, 4, 8, 16, 32, 64, 128, 192, SACKED_RANGES_MAX)


@pytest.mark.parametrize("size", [1, 1_448])
@pytest.mark.parametrize("count", RANGES)
def test_sack_slowness__work_of_one_ack__hardly_grows_with_the_ranges(count: int, size: int) -> None:
    """A table of the calls and of the lines that one ACK costs by the ranges that it finds. Below 16 of them
    recovery begins with it; the worst case, with all sent in one moment, where only a walk along the runs in
    flight (at most TRANSMISSIONS_MAX) shows what of that moment was sent before the latest that arrived."""
    tcb = filled(fully_open(states.established(), 1_000_000), count, size)
    assert tcb.recovery is not None
    assert len(tcb.recovery.sacked) == count
    calls, lines = (560, 2_000) if count < 16 else (400, 1_000 + 16 * TRANSMISSIONS_MAX)
    beyond = 4 * SACKED_RANGES_MAX
    # One more range; and an ACK that moves SND.UNA, so that ranges go.
    for segment in (
        duplicate(tcb, (beyond * size, (beyond + 1) * size)),
        from_peer(tcb, ack=seq_diff(seq_add(tcb.snd_una, size), tcb.snd_nxt)),
    ):
        assert work(tcb, segment) <= calls
        assert steps(tcb, segment) <= lines


def all_waiting(count: int, runs: int, *, went_again: bool) -> Tcb:
    """So many ranges reported of so many runs, sent 0.2 ms apart, and all that is missing within the
    reordering window: RACK may take nothing for lost, and looks with each ACK."""
    tcb = fully_open(states.established(), 1_000_000)
    una, size, sent_at_us = tcb.snd_una, 1_000_000 // (2 * SACKED_RANGES_MAX), NOW_US - 50_000
    ends = [seq_add(una, (number + 1) * (1_000_000 // runs)) for number in range(runs - 1)] + [tcb.snd_nxt]
    recovery = Recovery(
        Phase.FAST,
        tcb.snd_nxt,
        sacked=tuple(
            (seq_add(una, (2 * n + 1) * size), seq_add(una, (2 * n + 2) * size)) for n in range(count)
        ),
        sacked_bytes=count * size,
        rack_sent_at_us=sent_at_us - 1,
        rack_end=una,
        again_since_us=sent_at_us,
        again_until_us=NOW_US,
    )
    return replace(
        tcb,
        recovery=recovery,
        rack=Rack(reordering_seen=True, reo_wnd_mult=4),
        round_trip=RoundTrip(100_000, 5_000, 300_000, 200_000, 300_000, 100_000, 100_000, NOW_US),
        transmissions=tuple(
            Run(end, sent_at_us + n * 200, retransmitted=went_again and n % 2 == 0)
            for n, end in enumerate(ends)
        ),
    )


@pytest.mark.parametrize("went_again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("runs", [16, 64, TRANSMISSIONS_MAX])
@pytest.mark.parametrize("count", [*RANGES[:-1], SACKED_RANGES_MAX - 1])
def test_sack_slowness__work_of_one_ack__of_the_order_of_a_logarithm_while_all_waits(
    count: int, runs: int, went_again: bool
) -> None:
    """Before, 256 ranges of 128 runs took 2,100 calls and 12,600 lines: an attacker's choice."""
    tcb = all_waiting(count, runs, went_again=went_again)
    last_octet = from_peer(
        tcb, ack=seq_diff(tcb.snd_una, tcb.snd_nxt), sack=((seq_add(tcb.snd_nxt, -1), tcb.snd_nxt),)
    )
    after, _ = hears(tcb, last_octet)
    assert after.recovery is not None
    assert (len(after.recovery.sacked), after.recovery.lost) == (count + 1, ())
    assert NOW_US < after.rtx_at_us <= NOW_US + 100_000, "the reordering timer"
    assert work(tcb, last_octet) <= 250
    assert steps(tcb, last_octet) <= 700 + 30 * count.bit_length()


@pytest.mark.parametrize(
    "block",
    [(0, 0), (5, 5), (50, 10), (100_000, 200_000), (-500, -100), (-500, 100), (0, 1 << 31), (6_000, 6_001)],
)
def test_malformed_sack__outside_or_inverted__ignored(block: tuple[int, int]) -> None:
    """RFC 2018, RFC 6675: no state comes of it."""
    tcb = sending(5_000)
    sack = ((seq_add(tcb.snd_una, block[0]), seq_add(tcb.snd_una, block[1])),)
    after, actions = hears(tcb, from_peer(tcb, PSH | ACK, b"x", ack=tcb.snd_una - tcb.snd_nxt, sack=sack))
    assert after.recovery is None
    assert not [s for s in segments(actions) if s.payload]


def test_segment_smack__tiny_segments_in_every_order__bounded_and_cheap() -> None:
    """CVE-2018-5390: at most so many runs, few chunks, and what they say is exact."""
    random = Random(3)
    octets = random.randbytes(4_000)
    places = list(range(4_000))
    random.shuffle(places)
    tcb, accepted = states.established(), 0
    for place in places:
        tcb, actions = hears(
            tcb, from_peer(tcb, ACK, octets[place : place + 1], seq=place - (tcb.rcv_nxt - PEER_ISS - 1))
        )
        accepted += Dropped(SegmentDrop.REASSEMBLY_FULL) not in actions
        assert tcb.reassembly is None or len(tcb.reassembly.blocks) <= REASSEMBLY_BLOCKS_MAX
    held = b"".join(tcb.rcv_buf)
    assert held == octets[: len(held)]
    assert accepted > REASSEMBLY_BLOCKS_MAX


def in_runs(count: int) -> Tcb:
    """A connection that holds so many runs of one octet out of order."""
    tcb = states.established()
    for number in range(count):
        tcb, _ = hears(tcb, from_peer(tcb, ACK, b"x", seq=2 * number + 1))
    return tcb


def test_segment_smack__work_of_one_segment__does_not_grow_with_what_is_held() -> None:
    """Found by bisection: 32 times the runs cost a few comparisons more."""
    few, many = in_runs(4), in_runs(REASSEMBLY_BLOCKS_MAX)
    assert work(many, from_peer(many, ACK, b"y", seq=102)) < work(few, from_peer(few, ACK, b"y", seq=6)) + 60


def test_segment_smack__memory__octets_and_chunks_are_bounded_by_the_window() -> None:
    """Tiny segments are joined into chunks: an octet never costs an object."""
    tcb = states.established()
    for number in range(9_000, 0, -1):
        tcb, _ = hears(tcb, from_peer(tcb, ACK, b"x", seq=number))
    assert tcb.reassembly is not None
    (block,) = tcb.reassembly.blocks
    assert len(block.chunks) <= 2 * 9_000 // COALESCE_BYTES + 2


def test_segment_smack__beyond_the_window__nothing_is_held() -> None:
    tcb = states.established(TcpParameters(receive_buffer_bytes=10_000, window_scaling=False))
    for number in range(200):
        tcb, _ = hears(tcb, from_peer(tcb, ACK, b"y" * 1_000, seq=1 + number * 1_000))
    assert tcb.reassembly is not None
    assert sum(len(chunk) for block in tcb.reassembly.blocks for chunk in block.chunks) < 10_000


def test_overlap_ambiguity__first_received_wins() -> None:
    """What is held or delivered never changes."""
    tcb = states.established()
    tcb, _ = hears(tcb, from_peer(tcb, ACK, b"DEF", seq=3))
    tcb, _ = hears(tcb, from_peer(tcb, ACK, b"xxxxxxxxx", seq=1))
    tcb, _ = hears(tcb, from_peer(tcb, ACK, b"AyyyyyyyyJ"))
    assert b"".join(tcb.rcv_buf) == b"AxxDEFxxxx"
    tcb, _ = hears(tcb, from_peer(tcb, ACK, b"zzzzzzzzzzK", seq=-10))
    assert b"".join(tcb.rcv_buf) == b"AxxDEFxxxxK"
