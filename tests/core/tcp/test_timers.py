"""What is sent when: Nagle, silly windows, delayed ACKs, retransmission, persist, keepalive, idle restart."""

import msgspec
from gossamer.core.clock import NEVER_US
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer
from gossamer.core.tcp.actions import Actions, Failed, Failure, Signal
from gossamer.core.tcp.events import Close, Receive, SegmentArrives, Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Phase, State, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, Segment

SMSS = 1448
MS = 1_000
NAGLE = TcpParameters(nodelay=False)


def segments(actions: Actions) -> list[Segment]:
    return [action for action in actions if isinstance(action, Segment)]


def stepped(tcb: Tcb, event: object) -> tuple[Tcb, list[Segment]]:
    """A step that does not end the connection: it, and what it sent."""
    after, actions = step(tcb, event)  # type: ignore[arg-type]
    assert isinstance(after, Tcb)
    return after, segments(actions)


def said(tcb: Tcb, data: bytes, now_us: int = NOW_US) -> tuple[Tcb, list[Segment]]:
    return stepped(tcb, Send(data, now_us))


def hears(
    tcb: Tcb, segment: Segment, now_us: int = NOW_US, receive_bytes: int = 0
) -> tuple[Tcb, list[Segment]]:
    return stepped(tcb, SegmentArrives(segment, now_us, receive_bytes))


# Nagle and silly windows: RFC 9293 3.7.4 and 3.8.6.2


def test_nagle__small_write_with_data_in_flight__waits_for_the_ack() -> None:
    tcb, first = said(states.established(NAGLE), b"a")
    tcb, second = said(tcb, b"b")
    tcb, third = said(tcb, b"c")
    assert ([s.payload for s in first], second, third) == ([b"a"], [], [])
    tcb, sent = hears(tcb, from_peer(tcb))
    assert [s.payload for s in sent] == [b"bc"]


def test_nagle__full_segment__goes_at_once() -> None:
    tcb, _ = said(states.established(NAGLE), b"a")
    _, sent = said(tcb, b"b" * (SMSS + 5))
    assert [len(s.payload) for s in sent] == [SMSS]


def test_nodelay__small_writes__go_at_once() -> None:
    tcb, _ = said(states.established(), b"a")
    _, sent = said(tcb, b"b")
    assert [s.payload for s in sent] == [b"b"]


def test_nagle__close__flushes() -> None:
    tcb, _ = said(states.established(NAGLE), b"a")
    tcb, _ = said(tcb, b"b")
    _, sent = stepped(tcb, Close(NOW_US, receives=True))
    assert [(s.payload, bool(s.flags & FIN)) for s in sent] == [(b"b", True)]


def test_sender__window_opens_by_a_sliver__nothing_until_the_persist_timer() -> None:
    """RFC 9293 3.8.6.2.1: neither a full segment, nor half the largest window, nor all that is queued."""
    tcb = states.established()
    tcb, _ = hears(tcb, from_peer(tcb, window=25))
    tcb, sent = said(tcb, b"x" * 1_000)
    assert sent == []
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [len(s.payload) for s in sent] == [100], "the override timeout sends what the window takes"


def test_sender__half_the_largest_window__is_worth_sending() -> None:
    tcb = states.established()
    tcb = msgspec.structs.replace(tcb, max_snd_wnd=400)
    tcb, _ = hears(tcb, from_peer(tcb, window=50))
    _, sent = said(tcb, b"x" * 1_000)
    assert [len(s.payload) for s in sent] == [200]


def test_receiver__reader_takes_little__window_grows_only_by_a_worthwhile_amount() -> None:
    """RFC 9293 3.8.6.2.2: RCV.WND stays until min(RCV.BUFF / 2, Eff.snd.MSS) can be added."""
    tcb = states.established(TcpParameters(receive_buffer_bytes=8_000, window_scaling=False))
    for _ in range(8):
        tcb, _ = hears(tcb, from_peer(tcb, ACK | PSH, b"x" * 1_000))
    assert tcb.rcv_wnd == 0
    for _ in range(14):
        tcb, sent = stepped(tcb, Receive(100, NOW_US))
        assert (tcb.rcv_wnd, sent) == (0, []), "no silly window is told"
    tcb, sent = stepped(tcb, Receive(100, NOW_US))
    assert [s.window for s in sent] == [1_500], "a closed window that opens is told at once"


# Delayed ACK: RFC 9293 3.8.6.3


def test_delayed_ack__one_small_segment__acknowledged_within_the_delay() -> None:
    tcb = states.established()
    tcb, sent = hears(tcb, from_peer(tcb, ACK | PSH, b"x"))
    assert sent == []
    assert deadline_us(tcb) == NOW_US + 40 * MS
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]
    assert deadline_us(tcb) == NEVER_US


def test_delayed_ack__second_full_segment__acknowledged_at_once() -> None:
    tcb = states.established()
    tcb, sent = hears(tcb, from_peer(tcb, ACK, b"x" * SMSS))
    assert sent == []
    tcb, sent = hears(tcb, from_peer(tcb, ACK, b"y" * SMSS))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]


def test_delayed_ack__answer_within_the_delay__carries_it() -> None:
    tcb = states.established()
    tcb, _ = hears(tcb, from_peer(tcb, ACK | PSH, b"question"))
    tcb, sent = said(tcb, b"answer")
    assert [(s.ack, s.payload) for s in sent] == [(tcb.rcv_nxt, b"answer")]
    assert tcb.ack_at_us == NEVER_US


def test_gap_filled__acknowledged_at_once() -> None:
    """RFC 5681 4.2."""
    tcb = states.established()
    tcb, _ = hears(tcb, from_peer(tcb, ACK, b"second", seq=5))
    tcb, sent = hears(tcb, from_peer(tcb, ACK, b"first"))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]
    assert tcb.rcv_buf_bytes == 11
    assert tcb.reassembly is None


# Retransmission: RFC 6298


def test_rto__unanswered__doubles_up_to_its_ceiling_and_gives_up_after_r2() -> None:
    tcb, _ = said(states.established(), b"x")
    after: object = tcb
    waits, now_us = [], NOW_US
    while isinstance(after, Tcb):
        tcb = after
        waits.append(deadline_us(tcb) - now_us)
        now_us = deadline_us(tcb)
        after, actions = step(tcb, Timeout(now_us))
    rto_us = tcb.round_trip.rto_us
    assert waits == [min(rto_us << n, 60_000 * MS) for n in range(16)]
    assert actions == (Failed(Failure.TIMED_OUT),)
    assert sum(waits) > 100_000 * MS, "RFC 9293 3.8.3: R2 is at least 100 seconds"


def test_rto__user_timeout__gives_up_then() -> None:
    tcb, _ = said(states.established(TcpParameters(user_timeout_us=3_000 * MS)), b"x")
    after: object = tcb
    while isinstance(after, Tcb):
        now_us = deadline_us(after)
        after, actions = step(after, Timeout(now_us))
    assert actions == (Failed(Failure.TIMED_OUT),)
    assert now_us - NOW_US < 8_000 * MS


def test_rto__expired__one_segment_from_snd_una_and_cwnd_is_one() -> None:
    """RFC 6298 5.4, RFC 5681 3.1 (5)."""
    tcb, sent = said(states.established(), b"x" * 6 * SMSS)
    assert len(sent) == 6
    flight = (tcb.snd_nxt - tcb.snd_una) & 0xFFFFFFFF
    tcb, again = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [(s.seq, len(s.payload)) for s in again] == [(tcb.snd_una, SMSS)]
    assert (tcb.congestion.cwnd, tcb.congestion.ssthresh) == (SMSS, flight // 2)


def test_rto__expired_twice__ssthresh_is_halved_once() -> None:
    """RFC 5681 3.1: "ssthresh is held constant" for a segment that was retransmitted before."""
    tcb, _ = said(states.established(), b"x" * 8 * SMSS)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    once = tcb.congestion.ssthresh
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    assert tcb.congestion.ssthresh == once


def test_rto__after_it__what_was_lost_goes_again_as_cwnd_grows() -> None:
    tcb, _sent = said(states.established(), b"x" * 6 * SMSS)
    tcb, again = stepped(tcb, Timeout(deadline_us(tcb)))
    una, seen, now_us = tcb.snd_una, len(again), NOW_US + 400 * MS
    for number in range(1, 7):
        ack = (number * SMSS) - 6 * SMSS
        tcb, again = hears(tcb, from_peer(tcb, ack=ack), now_us)
        seen += len(again)
    assert tcb.snd_una == seq_add(una, 6 * SMSS)
    assert seen == 6, "each lost segment once"
    assert (tcb.recovery, tcb.rtx_at_us) == (None, NEVER_US)


def test_karn__without_timestamps__a_retransmitted_segment_measures_nothing() -> None:
    """RFC 6298 3."""
    tcb = states.established(TcpParameters(timestamps=False))
    tcb, _ = said(tcb, b"x")
    before = tcb.round_trip
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, _ = hears(tcb, from_peer(tcb), NOW_US + 5_000 * MS)
    assert tcb.round_trip == before
    assert tcb.backoff == 0


def test_rtt__without_timestamps__one_segment_a_round_trip_is_timed() -> None:
    tcb = states.established(TcpParameters(timestamps=False))
    before = tcb.round_trip
    tcb, _ = said(tcb, b"x")
    tcb, _ = hears(tcb, from_peer(tcb), NOW_US + 80 * MS)
    assert tcb.round_trip != before
    assert tcb.round_trip.srtt_us > 0


def test_rtt__timestamp_from_the_future__measures_nothing() -> None:
    tcb, _ = said(states.established(), b"x")
    before = tcb.round_trip
    ours = (NOW_US // MS + tcb.agreed.ts_offset) & 0xFFFFFFFF
    forged = msgspec.structs.replace(from_peer(tcb), ts_ecr=ours + 10_000)
    tcb, _ = hears(tcb, forged, NOW_US + 80 * MS)
    assert tcb.round_trip == before


# Persist: RFC 9293 3.8.6.1


def closed_window(parameters: TcpParameters | None = None) -> Tcb:
    """Data waits, and the peer's window is closed."""
    tcb = states.established(parameters or TcpParameters())
    tcb, _ = hears(tcb, from_peer(tcb, window=0))
    tcb, sent = said(tcb, b"waits" * 1_000)
    assert sent == []
    return tcb


def test_persist__answered__goes_on_for_ever_and_no_wait_is_over_the_ceiling() -> None:
    """RFC 6429; the seed indexed a table of 13 waits past its end."""
    tcb, now_us, waits = closed_window(), NOW_US, []
    for _ in range(100):
        waits.append(deadline_us(tcb) - now_us)
        now_us = deadline_us(tcb)
        tcb, sent = stepped(tcb, Timeout(now_us))
        assert [(s.seq, len(s.payload)) for s in sent] == [(tcb.snd_una, 1)]
        tcb, _ = hears(tcb, from_peer(tcb, ack=-1, window=0), now_us + 1)
    assert waits == sorted(waits)
    assert waits[-1] <= 60_000 * MS


def test_persist__unanswered__given_up() -> None:
    after: object = closed_window()
    for _ in range(40):
        assert isinstance(after, Tcb)
        after, actions = step(after, Timeout(deadline_us(after)))
        if after is None:
            break
    assert actions == (Failed(Failure.TIMED_OUT),)


def test_persist__closed_by_its_user_and_answered__given_up_all_the_same() -> None:
    """RFC 6429 4: nobody owns it any more, and a peer may not hold it for ever."""
    tcb, now_us = states.after(closed_window(), Close(NOW_US)), NOW_US
    for _ in range(TcpParameters().retries + 1):
        now_us = deadline_us(tcb)
        after, actions = step(tcb, Timeout(now_us))
        if not isinstance(after, Tcb):
            break
        tcb, _ = hears(after, from_peer(after, ack=-1, window=0), now_us + 1)
    assert (after, actions) == (None, (Failed(Failure.TIMED_OUT),))


def test_persist__user_timeout__counts_while_probes_are_answered() -> None:
    """RFC 5482: data that stays unacknowledged for so long ends the connection."""
    tcb, now_us = closed_window(TcpParameters(user_timeout_us=30_000 * MS)), NOW_US
    for _ in range(100):
        now_us = deadline_us(tcb)
        after, actions = step(tcb, Timeout(now_us))
        if not isinstance(after, Tcb):
            break
        tcb, _ = hears(after, from_peer(after, ack=-1, window=0), now_us + 1)
    assert (after, actions) == (None, (Failed(Failure.TIMED_OUT),))
    assert 30_000 * MS <= now_us - NOW_US <= 120_000 * MS


def test_persist__window_opens__all_goes_at_once() -> None:
    tcb = closed_window()
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, sent = hears(tcb, from_peer(tcb, ack=-1), NOW_US + 1_000 * MS)
    assert sum(len(s.payload) for s in sent) == 5_000
    assert sent[0].seq == tcb.snd_una, "the probe's octet goes again"


def test_persist__fin_behind_a_closed_window__is_probed_with() -> None:
    tcb = states.established()
    tcb, _ = hears(tcb, from_peer(tcb, window=0))
    tcb, sent = stepped(tcb, Close(NOW_US, receives=True))
    assert sent == []
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [s.flags & FIN for s in sent] == [FIN]


def test_zero_window__probe_arrives__acknowledged_and_not_taken() -> None:
    tcb = msgspec.structs.replace(states.established(), rcv_wnd=0)
    tcb, sent = hears(tcb, from_peer(tcb, ACK, b"p"))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]
    assert tcb.rcv_buf_bytes == 0


# Keepalive: RFC 9293 3.8.4

ALIVE = TcpParameters(keepalive_idle_us=7_200_000 * MS)


def test_keepalive__off__is_the_default() -> None:
    """MUST-25."""
    assert deadline_us(states.established()) == NEVER_US


def test_keepalive__unanswered__gives_up_after_its_probes() -> None:
    after: object = states.established(ALIVE)
    probes = []
    while isinstance(after, Tcb):
        tcb = after
        after, actions = step(tcb, Timeout(deadline_us(tcb)))
        probes += segments(actions)
    assert [s.seq for s in probes[:-1]] == [seq_add(tcb.snd_nxt, -1)] * ALIVE.keepalive_probes
    assert probes[-1].flags & RST
    assert actions[-1] == Failed(Failure.TIMED_OUT)


def test_keepalive__answered__starts_over() -> None:
    tcb, now_us = states.established(ALIVE), NOW_US
    for _ in range(40):
        now_us = deadline_us(tcb)
        tcb, sent = stepped(tcb, Timeout(now_us))
        if sent:
            tcb, _ = hears(tcb, from_peer(tcb), now_us + MS)
    assert tcb.state is State.ESTABLISHED
    assert now_us > NOW_US + 10 * ALIVE.keepalive_idle_us


def test_keepalive__probe_arrives__answered() -> None:
    tcb = states.established()
    _, sent = hears(tcb, from_peer(tcb, ACK, seq=-1))
    assert [s.ack for s in sent] == [tcb.rcv_nxt]


def test_keepalive__unanswered_probes_and_then_data__the_timer_is_not_backed_off() -> None:
    tcb = states.established(ALIVE)
    for _ in range(3):
        now_us = deadline_us(tcb)
        tcb, _ = stepped(tcb, Timeout(now_us))
    tcb, _ = said(tcb, b"x", now_us)
    assert tcb.rtx_at_us == now_us + tcb.round_trip.rto_us


# Slow start, idle restart: RFC 5681


def test_slow_start__acks_of_full_segments__double_cwnd_a_round_trip() -> None:
    tcb, _ = said(states.established(), b"x" * 200_000)
    before = tcb.congestion.cwnd
    flight = (tcb.snd_nxt - tcb.snd_una) & 0xFFFFFFFF
    assert flight == before
    for number in range(2, 11, 2):
        ack = tcb.snd_una + 2 * SMSS - tcb.snd_nxt
        tcb, _ = hears(tcb, from_peer(tcb, ack=ack), NOW_US + 50 * MS + number)
    assert tcb.congestion.cwnd == 2 * before


def test_idle__longer_than_rto__cwnd_collapses_to_the_restart_window() -> None:
    """RFC 5681 4.1; the seed subtracted the wrong way round."""
    tcb = msgspec.structs.replace(states.established(), snd_wnd=1 << 20)
    grown = msgspec.structs.replace(tcb.congestion, cwnd=80 * SMSS)
    tcb = msgspec.structs.replace(tcb, congestion=grown)
    soon, sent = said(tcb, b"x" * 80 * SMSS, NOW_US + 1 * MS)
    assert len(sent) == 80
    late, sent = said(tcb, b"x" * 80 * SMSS, NOW_US + 2_000 * MS)
    assert len(sent) == 10
    assert (soon.congestion.cwnd, late.congestion.cwnd) == (80 * SMSS, 10 * SMSS)


def test_first_data_after_a_lost_syn__one_segment_and_three_seconds() -> None:
    """RFC 5681 3.1: the initial window is one segment then; RFC 6298 5.7: RTO is 3 s."""
    tcb = states.syn_received(TcpParameters(timestamps=False))
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, _ = hears(tcb, from_peer(tcb), NOW_US + 1_100 * MS)
    assert tcb.congestion.cwnd == tcb.agreed.smss
    assert tcb.round_trip.rto_us == 3_000 * MS


# Loss recovery: RFC 5681 3.2, RFC 6582, RFC 6675


def in_flight(parameters: TcpParameters, count: int = 8) -> Tcb:
    tcb, sent = said(states.established(parameters), b"x" * count * SMSS)
    assert len(sent) == count
    return tcb


def duplicate(tcb: Tcb, *blocks: tuple[int, int]) -> Segment:
    """An ACK of nothing new; blocks count segments from SND.UNA."""
    sack = tuple((seq_add(tcb.snd_una, a * SMSS), seq_add(tcb.snd_una, b * SMSS)) for a, b in blocks)
    return from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt, sack=sack)


NO_SACK = TcpParameters(sack=False)


def test_fast_retransmit__third_duplicate__first_segment_again() -> None:
    tcb = in_flight(NO_SACK)
    for _ in range(2):
        tcb, sent = hears(tcb, duplicate(tcb))
        assert sent == []
    tcb, sent = hears(tcb, duplicate(tcb))
    assert [(s.seq, len(s.payload)) for s in sent] == [(tcb.snd_una, SMSS)]
    assert tcb.recovery is not None
    assert tcb.recovery.phase is Phase.FAST
    assert tcb.congestion.ssthresh == 4 * SMSS


def test_newreno__partial_ack__next_hole_at_once_and_recovery_goes_on() -> None:
    """RFC 6582 3.2 (5)."""
    tcb = in_flight(NO_SACK)
    for _ in range(6):
        tcb, _ = hears(tcb, duplicate(tcb))
    tcb, sent = hears(tcb, from_peer(tcb, ack=-4 * SMSS))
    assert [s.seq for s in sent] == [tcb.snd_una]
    assert tcb.recovery is not None
    tcb, sent = hears(tcb, from_peer(tcb))
    assert sent == []
    assert tcb.recovery is None
    assert tcb.congestion.cwnd <= tcb.congestion.ssthresh


def test_sack__three_segments_reported__only_the_holes_go_again() -> None:
    """RFC 6675 5."""
    tcb = in_flight(TcpParameters())
    tcb, sent = hears(tcb, duplicate(tcb, (1, 2)))
    assert sent == []
    tcb, sent = hears(tcb, duplicate(tcb, (3, 6), (1, 2)))
    resent = [s.seq for s in sent]
    tcb, sent = hears(tcb, duplicate(tcb, (3, 8), (1, 2)))
    resent += [s.seq for s in sent]
    assert resent == [tcb.snd_una, seq_add(tcb.snd_una, 2 * SMSS)]
    tcb, sent = hears(tcb, from_peer(tcb))
    assert (sent, tcb.recovery) == ([], None)


def test_sack_reneging__timeout__everything_goes_again() -> None:
    """RFC 2018 8: after a timeout the scoreboard is not believed."""
    tcb = in_flight(TcpParameters(), 4)
    tcb, _ = hears(tcb, duplicate(tcb, (1, 4)))
    una, resent = tcb.snd_una, []
    for number in range(1, 6):
        tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
        resent += [s.seq for s in sent]
        if tcb.snd_una == tcb.snd_nxt or number == 5:
            break
        tcb, sent = hears(tcb, from_peer(tcb, ack=(number - 4) * SMSS), tcb.rcv_at_us + number * 1_000_000)
        resent += [s.seq for s in sent]
        if tcb.snd_una == tcb.snd_nxt:
            break
    assert set(resent) == {seq_add(una, n * SMSS) for n in range(4)}


def test_retransmissions__are_counted() -> None:
    tcb = in_flight(TcpParameters(), 2)
    _, actions = step(tcb, Timeout(deadline_us(tcb)))
    assert actions.count(Signal.RETRANSMITTED) == len(segments(actions)) == 1
