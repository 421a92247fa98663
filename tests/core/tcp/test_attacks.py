"""Attacks and bad input: one test for each that a TCP must stand, with the bound that it proves."""

import itertools
from random import Random
from time import process_time
from typing import Any

import msgspec
import pytest
from gossamer.core.loop.tcpports import LocalPorts
from gossamer.core.seq import MASK, seq_add, seq_diff
from gossamer.core.sim import oracle, states
from gossamer.core.sim.states import NOW_US, PEER_ISS, from_peer
from gossamer.core.tcp import listen
from gossamer.core.tcp.actions import Action, Deliver, Dropped
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Event, IcmpError, Receive, SegmentArrives, Send, Timeout
from gossamer.core.tcp.isn import initial_numbers
from gossamer.core.tcp.parameters import (
    MSS_FLOOR,
    REASSEMBLY_BLOCKS_MAX,
    SACKED_RANGES_MAX,
    TcpParameters,
)
from gossamer.core.tcp.step import Connection, step
from gossamer.core.tcp.tcb import Listener, State, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, Segment, SynOptions

SMSS = 1448
SYNCHRONIZED = [state for state in State if state is not State.SYN_SENT]


def segments(actions: tuple[Action, ...]) -> list[Segment]:
    return [action for action in actions if isinstance(action, Segment)]


def watched(connection: Connection, event: Event) -> tuple[Tcb, tuple[Action, ...]]:
    """A step that breaks no invariant and does not end the connection."""
    after, actions = step(connection, event)
    oracle.check(connection, event, after, actions)
    assert isinstance(after, Tcb)
    return after, actions


def hears(tcb: Tcb, segment: Segment, now_us: int = NOW_US) -> tuple[Tcb, tuple[Action, ...]]:
    return watched(tcb, SegmentArrives(segment, now_us))


def sending(octets: int, parameters: TcpParameters | None = None) -> Tcb:
    tcb = states.established(parameters or TcpParameters())
    return watched(tcb, Send(b"x" * octets, NOW_US))[0]


def fully_open(tcb: Tcb, octets: int) -> Tcb:
    """The same connection with cwnd and window that let so much fly, all of it sent."""
    congestion = msgspec.structs.replace(tcb.congestion, cwnd=octets)
    tcb = msgspec.structs.replace(tcb, congestion=congestion, snd_wnd=octets, max_snd_wnd=octets)
    return watched(tcb, Send(b"x" * octets, NOW_US))[0]


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
    there = msgspec.structs.replace(here, rcv_nxt=seq_add(here.rcv_nxt, 1 << 24))
    there = msgspec.structs.replace(there, last_ack_sent=there.rcv_nxt)
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


def test_isn_prediction__numbers_of_other_flows_tell_nothing() -> None:
    """RFC 6528: sorted by port, differences of neighbours are spread over all 32 bits."""
    secret = bytes(range(32))
    flows = [pack_flow(("10.0.0.2", 80), ("10.0.0.1", port)) for port in range(1_024, 3_072)]
    numbers = [initial_numbers(flow, secret, 5_000)[0] for flow in flows]
    steps = [(b - a) & MASK for a, b in itertools.pairwise(numbers)]
    assert len(set(steps)) > 2_040
    for bit in range(32):
        ones = sum(step_ >> bit & 1 for step_ in steps)
        assert 850 < ones < 1_200, f"bit {bit} of the differences is predictable"


def test_timestamp_clock_leak__offsets_differ_and_hold_on_one_flow() -> None:
    """RFC 7323 7.1; RFC 6191 needs them steady on one flow."""
    secret = bytes(range(32))
    flows = [pack_flow(("10.0.0.2", 80), ("10.0.0.1", port)) for port in range(1_024, 2_048)]
    offsets = [initial_numbers(flow, secret, 0)[1] for flow in flows]
    assert len(set(offsets)) > 1_020
    assert offsets == [initial_numbers(flow, secret, 10**9)[1] for flow in flows]


def test_port_prediction__another_secret_another_place() -> None:
    """RFC 6056 3.3.3: the offset is a keyed function of the remote socket."""
    ports, remote = range(61_000, 62_000), ("10.0.0.2", 80)
    firsts = {next(LocalPorts(ports, bytes([key]) * 32).candidates("10.0.0.1", remote)) for key in range(50)}
    assert len(firsts) > 40
    others = {
        next(LocalPorts(ports, b"k" * 32).candidates("10.0.0.1", (f"10.0.1.{n}", 80))) for n in range(50)
    }
    assert len(others) > 40


@pytest.mark.parametrize("mss", [1, 8, 87])
def test_tiny_mss__clamped_to_the_floor(mss: int) -> None:
    """CVE-2019-11479: 100 kB never become 100,000 segments."""
    tcb = states.established(TcpParameters(), SynOptions(mss=mss, window_scale=2))
    assert tcb.agreed.smss >= MSS_FLOOR - 12
    _, actions = watched(tcb, Send(b"x" * 100_000, NOW_US))
    assert len(segments(actions)) <= 10, "the initial window is counted in segments"


def test_mss_0__means_absent() -> None:
    assert states.syn_received(options=SynOptions(mss=0, window_scale=2)).agreed.smss == 536 - 12


def sack_every_other(tcb: Tcb, size: int, count: int) -> Tcb:
    """One-octet gaps in the largest number that `count` ACKs of three blocks can report."""
    for number in range(0, count, 3):
        lefts = [seq_add(tcb.snd_una, (number + n) * 2 * size + size) for n in range(3)]
        blocks = tuple((left, seq_add(left, size)) for left in lefts)
        tcb, _ = hears(tcb, from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt, sack=blocks))
    return tcb


def test_sack_slowness__thousands_of_ranges__scoreboard_bounded() -> None:
    """CVE-2019-11477 and 11478."""
    tcb = sack_every_other(fully_open(states.established(), 200_000), 1, 3_000)
    assert tcb.recovery is not None
    assert len(tcb.recovery.sacked) <= SACKED_RANGES_MAX


def test_sack_slowness__work_of_one_ack__does_not_grow_with_the_queue() -> None:
    """Ten times the octets in flight, the same full scoreboard: no more than four times the work."""

    def seconds(octets: int) -> float:
        tcb = sack_every_other(fully_open(states.established(), octets), 1, 900)
        segment = from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt, sack=((tcb.snd_una + 1, tcb.snd_una + 2),))
        return min(timed(tcb, segment) for _ in range(7))

    def timed(tcb: Tcb, segment: Segment) -> float:
        began = process_time()
        for _ in range(20):
            step(tcb, SegmentArrives(segment, NOW_US))
        return process_time() - began

    assert seconds(1_000_000) < 4 * seconds(100_000) + 0.001


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


def test_slow_read__window_of_one_octet__no_stream_of_tiny_segments() -> None:
    """Silly windows: RFC 9293 3.8.6.2.1. One segment per override timeout, at the most."""
    tcb, sent, now_us = states.established(), 0, NOW_US
    tcb, _ = hears(tcb, from_peer(tcb, window=1))
    tcb, _ = watched(tcb, Send(b"x" * 100_000, NOW_US))
    for number in range(1_000):
        now_us = NOW_US + number * 1_000
        tcb, actions = hears(tcb, from_peer(tcb, window=1), now_us)
        sent += len(segments(actions))
        if deadline_us(tcb) <= now_us:
            tcb, actions = watched(tcb, Timeout(now_us))
            sent += len(segments(actions))
    assert sent <= 5


def test_window_shrink__right_edge_taken_back__kept_and_probed() -> None:
    """RFC 9293 3.8.6: "a TCP receiver SHOULD NOT shrink the window [...] the sender MUST be robust"."""
    tcb = sending(10_000)
    tcb, _ = hears(tcb, from_peer(tcb, ack=-9_000, window=0))
    assert tcb.snd_buf_bytes == 9_000
    assert deadline_us(tcb) < NOW_US + 10_000_000
    tcb, actions = watched(tcb, Timeout(deadline_us(tcb)))
    assert [(s.seq, len(s.payload)) for s in segments(actions)] == [(tcb.snd_una, 1)]
    tcb, actions = hears(tcb, from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt), NOW_US + 20_000_000)
    assert segments(actions)[0].seq == tcb.snd_una


def test_ack_division__many_acks_of_one_segment__no_faster_growth() -> None:
    """RFC 3465: octets are counted, not ACKs."""
    whole = sending(100_000)
    divided = whole
    start = whole.congestion.cwnd
    whole, _ = hears(whole, from_peer(whole, ack=whole.snd_una + SMSS - whole.snd_nxt))
    for number in range(SMSS):
        divided, _ = hears(
            divided, from_peer(divided, ack=divided.snd_una + 1 - divided.snd_nxt), NOW_US + number
        )
    assert whole.congestion.cwnd == start + SMSS
    assert divided.congestion.cwnd <= start + SMSS


def test_optimistic_ack__of_what_was_never_sent__never_raises_cwnd() -> None:
    tcb = sending(100_000)
    before = tcb.congestion
    for beyond in (1, SMSS, 100_000):
        tcb, _ = hears(tcb, from_peer(tcb, ack=beyond))
    assert tcb.congestion == before


@pytest.mark.parametrize("sack", [True, False])
def test_dup_ack_spoofing__more_duplicates_than_segments__no_more_is_let_out(sack: bool) -> None:
    """At most what was in flight is taken for gone; forged duplicates buy no unbounded inflation."""
    tcb = sending(500_000, TcpParameters(sack=sack))
    flight, sent = (tcb.snd_nxt - tcb.snd_una) & MASK, 0
    for number in range(5_000):
        tcb, actions = hears(tcb, from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt), NOW_US + number)
        sent += sum(len(s.payload) for s in segments(actions))
    assert sent <= flight + 3 * SMSS


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


def test_icmp__flood_of_forged_errors__changes_nothing() -> None:
    """RFC 5927."""
    tcb = sending(5_000)
    for seq in (-1, 0, 100, 5_000, 1 << 30):
        assert step(tcb, IcmpError(seq_add(tcb.snd_una, seq), True, NOW_US))[0] == tcb


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


def test_sequence_wrap__every_octet_across_it() -> None:
    """RFC 9293 3.4: the connections of these tests wrap within their first 100 octets, both ways."""
    tcb = states.established()
    assert tcb.rcv_nxt > MASK - 100
    octets, got = bytes(range(250)), bytearray()
    for at in range(0, 250, 25):
        tcb, _ = hears(tcb, from_peer(tcb, ACK, octets[at : at + 25]))
        after, actions = watched(tcb, Receive(100, NOW_US))
        got += b"".join(action.data for action in actions if isinstance(action, Deliver))
        tcb = after
    assert bytes(got) == octets
    assert tcb.rcv_nxt < 250


def test_random_segments__a_long_siege__no_exception_and_every_bound_holds() -> None:
    """Fuzz with a seed: everything a peer can put in a header, around the edges of one connection."""
    random = Random(20_240)
    for _ in range(40):
        tcb: Any = states.IN_STATE[random.choice(SYNCHRONIZED)](TcpParameters(receive_buffer_bytes=20_000))
        now_us = NOW_US
        for _ in range(60):
            now_us += random.choice((0, 10, 50_000, 1_000_000))
            event = random_event(random, tcb, now_us)
            after, actions = step(tcb, event)
            oracle.check(tcb, event, after, actions)
            if not isinstance(after, Tcb):
                break
            tcb = after


def random_event(random: Random, tcb: Tcb, now_us: int) -> Event:
    kind = random.randrange(8)
    if kind == 0:
        return Send(random.randbytes(random.choice((0, 1, 100, 5_000))), now_us)
    if kind == 1:
        return Receive(random.choice((1, 1_000, 100_000)), now_us)
    if kind == 2 and deadline_us(tcb) < 1 << 60:
        return Timeout(max(now_us, deadline_us(tcb)))
    near = (-3_000, -1, 0, 0, 0, 0, 1, 700, 1_448, 25_000, 1 << 31)
    una, nxt = tcb.snd_una, tcb.snd_nxt
    edge = seq_add(una, random.randrange(4_000))
    segment = from_peer(
        tcb,
        random.choice((ACK, ACK, ACK, ACK | PSH, ACK | FIN, random.randrange(256) & ~RST)),
        random.randbytes(random.choice((0, 0, 1, 1_448, 9_000))),
        seq=random.choice(near),
        ack=random.choice((0, 0, seq_diff(una, nxt), seq_diff(una, nxt) + 1, *near)),
        window=random.choice((0, 1, 500, 16_384, 65_535)),
        ts=random.choice((0, 1, 5, -1)),
        sack=random.choice(((), ((edge, seq_add(edge, random.randrange(3_000))),))),
    )
    return SegmentArrives(segment, now_us, random.choice((0, 0, 10, 65_536)))
