"""ECN: what two SYNs agree on, the echo of a mark, the answer to an echo, and what is marked as capable."""

from typing import Any

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import oracle
from gossamer.core.sim.end import User
from gossamer.core.sim.link import PERFECT, Faults, Line
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.sim.states import (
    NOW_US,
    OPENING,
    after,
    after_segment,
    from_peer,
    only_segment,
    peer_syn,
    segment_arrives,
    send,
    stepped,
)
from gossamer.core.tcp import listen
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.ecn import is_setup
from gossamer.core.tcp.events import Close, SegmentArrives, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.recovery.records import Phase
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Listener, State, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import (
    ACK,
    CE,
    CWR,
    ECE,
    ECT_0,
    FIN,
    NOT_ECT,
    PSH,
    SYN,
    Segment,
)

OFF, PASSIVE, ON = (TcpParameters(ecn=mode) for mode in ("off", "passive", "on"))
MSS = 1448


def capable(parameters: TcpParameters = PASSIVE) -> Tcb:
    """ESTABLISHED, opened by a peer that asked for ECN."""
    tcb, _ = listen.segment_arrives(Listener(parameters), peer_syn(SYN | ECE | CWR), OPENING)
    assert tcb is not None
    return after_segment(tcb, from_peer(tcb))


def probed(tcb: Tcb) -> Tcb:
    """After the tail loss probe that goes before a retransmission timeout."""
    return stepped(tcb, Timeout(deadline_us(tcb)))[0]


def marked(segment: Segment, ecn: int = CE) -> Segment:
    return replace(segment, ecn=ecn)


# The handshake.


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (SYN | ECE | CWR, True),
        (SYN | ECE, False),
        (SYN | CWR, False),
        (SYN, False),
        (SYN | ACK | ECE, True),
        (SYN | ACK | ECE | CWR, False),
        (SYN | ACK | CWR, False),
        (SYN | ACK, False),
    ],
)
def test_is_setup__every_combination__as_rfc3168_6_1_1(flags: int, expected: bool) -> None:
    assert is_setup(Segment(1, 2, flags, 3)) is expected


@pytest.mark.parametrize("parameters", [PASSIVE, ON], ids=["passive", "on"])
@pytest.mark.parametrize(
    ("asked", "answered"), [(ECE | CWR, ECE), (ECE, 0), (CWR, 0), (0, 0)], ids=["setup", "ECE", "CWR", "none"]
)
def test_listen__syn__answered_in_kind(parameters: TcpParameters, asked: int, answered: int) -> None:
    tcb, actions = listen.segment_arrives(Listener(parameters), peer_syn(SYN | asked), OPENING)
    assert tcb is not None
    answer = only_segment(actions)
    assert (answer.flags, answer.ecn) == (SYN | ACK | answered, NOT_ECT)
    assert (tcb.agreed.ecn, tcb.agreed.ect) == (bool(answered), ECT_0 if answered else NOT_ECT)


def test_listen__setup_syn_with_ecn_off__plain_syn_ack() -> None:
    tcb, actions = listen.segment_arrives(Listener(OFF), peer_syn(SYN | ECE | CWR), OPENING)
    assert tcb is not None
    assert only_segment(actions).flags == SYN | ACK
    assert not tcb.agreed.ecn


@pytest.mark.parametrize(("parameters", "flags"), [(OFF, 0), (PASSIVE, 0), (ON, ECE | CWR)])
def test_open__syn__asks_only_when_on(parameters: TcpParameters, flags: int) -> None:
    _, actions = open_active(parameters, OPENING)
    syn = only_segment(actions)
    assert (syn.flags, syn.ecn) == (SYN | flags, NOT_ECT)


@pytest.mark.parametrize(
    ("flags", "ecn"), [(ECE, True), (0, False), (ECE | CWR, False)], ids=["setup", "plain", "echoed flags"]
)
def test_syn_sent__syn_ack__capable_by_its_flags(flags: int, ecn: bool) -> None:
    tcb, _ = open_active(ON, OPENING)
    tcb = after_segment(tcb, peer_syn(SYN | ACK | flags, tcb.snd_nxt))
    assert (tcb.agreed.ecn, tcb.agreed.ect) == (ecn, ECT_0 if ecn else NOT_ECT)


def test_syn_sent__passive_and_a_setup_syn_ack__not_capable() -> None:
    tcb, _ = open_active(PASSIVE, OPENING)
    assert not after_segment(tcb, peer_syn(SYN | ACK | ECE, tcb.snd_nxt)).agreed.ecn


def test_syn_sent__syn_lost__sent_again_plain_and_no_ect() -> None:
    tcb, _ = open_active(ON, OPENING)
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [again.flags for again in sent] == [SYN]
    tcb = after_segment(tcb, peer_syn(SYN | ACK | ECE, tcb.snd_nxt), NOW_US + 2 * SECOND_US)
    assert tcb.agreed.ect == NOT_ECT
    assert tcb.agreed.ecn, "the peer may have heard the first SYN alone, and its marks must be echoed"


def test_established_without_ect__echo_and_timeout__no_answer_and_no_cwr() -> None:
    tcb, _ = open_active(ON, OPENING)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb = after_segment(tcb, peer_syn(SYN | ACK | ECE, tcb.snd_nxt), NOW_US + 2 * SECOND_US)
    tcb, _ = send(tcb, bytes(MSS), NOW_US + 2 * SECOND_US)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    tcb, _ = segment_arrives(tcb, from_peer(tcb, ACK | ECE), deadline_us(tcb))
    _, sent = send(tcb, b"new", NOW_US + 9 * SECOND_US)
    assert [segment.flags & CWR for segment in sent] == [0]


@pytest.mark.parametrize(("flags", "answer"), [(0, 0), (ECE | CWR, ECE)], ids=["plain", "setup"])
def test_syn_received__syn_again__syn_ack_goes_by_the_latest(flags: int, answer: int) -> None:
    tcb, _ = listen.segment_arrives(Listener(PASSIVE), peer_syn(SYN | ECE | CWR), OPENING)
    assert tcb is not None
    tcb = after_segment(tcb, peer_syn(SYN | flags))
    _, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [again.flags for again in sent] == [SYN | ACK | answer]
    assert bool(tcb.agreed.ect) is bool(answer)


@pytest.mark.parametrize(("flags", "ecn"), [(ECE | CWR, True), (0, False)])
def test_simultaneous_open__crossing_syn__capable_by_its_flags(flags: int, ecn: bool) -> None:
    tcb, _ = open_active(ON, OPENING)
    tcb, actions = step(tcb, SegmentArrives(peer_syn(SYN | flags), NOW_US))
    assert isinstance(tcb, Tcb)
    assert only_segment(actions).flags == SYN | ACK | (ECE if ecn else 0)
    assert tcb.agreed.ecn is ecn


# What goes as ECN-capable.


def test_established__new_data__ect_0_and_pure_acks_not() -> None:
    tcb = capable()
    tcb, sent = send(tcb, bytes(3 * MSS))
    assert [segment.ecn for segment in sent] == [ECT_0] * 3
    tcb, sent = segment_arrives(tcb, from_peer(tcb, ACK | PSH, bytes(2 * MSS)))
    assert [(segment.flags, segment.ecn) for segment in sent] == [(ACK, NOT_ECT)]


def test_established__short_data_at_once__ect_0() -> None:
    _, sent = send(capable(), b"short")
    assert [segment.ecn for segment in sent] == [ECT_0]


def test_established__retransmission__not_ect() -> None:
    tcb, _ = send(capable(), bytes(MSS))
    _, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [(len(segment.payload), segment.ecn) for segment in sent] == [(MSS, NOT_ECT)]


def test_established__window_probe__not_ect() -> None:
    tcb = capable()
    tcb = after_segment(tcb, from_peer(tcb, ACK | PSH, b"x", window=0))
    tcb, sent = send(tcb, b"waits")
    assert not [segment for segment in sent if segment.payload]
    _, sent = stepped(tcb, Timeout(deadline_us(after(tcb, Timeout(tcb.ack_at_us)))))
    assert [(len(segment.payload), segment.ecn) for segment in sent if segment.payload] == [(1, NOT_ECT)]


def test_established__without_ecn__nothing_is_ect() -> None:
    tcb, _ = listen.segment_arrives(Listener(PASSIVE), peer_syn(), OPENING)
    assert tcb is not None
    _, sent = send(after_segment(tcb, from_peer(tcb)), bytes(2 * MSS))
    assert {segment.ecn for segment in sent} == {NOT_ECT}


# The receiver of marks.


def acked_flags(tcb: Tcb, segment: Segment) -> tuple[Tcb, int]:
    """The flags of the ACK that a segment is answered with, at once or late."""
    tcb, sent = segment_arrives(tcb, segment)
    if not sent:
        tcb, sent = stepped(tcb, Timeout(tcb.ack_at_us))
    (ack,) = sent
    return tcb, ack.flags


def test_established__mark__echoed_until_cwr() -> None:
    tcb = capable()
    tcb, flags = acked_flags(tcb, marked(from_peer(tcb, payload=bytes(MSS))))
    assert flags == ACK | ECE
    tcb, flags = acked_flags(tcb, marked(from_peer(tcb, payload=bytes(MSS)), ECT_0))
    assert flags == ACK | ECE, "until the peer has answered"
    tcb, sent = send(tcb, b"ours")
    assert sent[0].flags == ACK | PSH | ECE, "whatever carries the ACK"
    tcb, flags = acked_flags(tcb, from_peer(tcb, ACK | CWR, payload=bytes(MSS)))
    assert flags == ACK
    assert tcb.ecn is None


def test_established__cwr_that_is_marked_itself__echoed_anew() -> None:
    tcb = capable()
    tcb, _ = acked_flags(tcb, marked(from_peer(tcb, payload=bytes(MSS))))
    tcb, flags = acked_flags(tcb, marked(from_peer(tcb, ACK | CWR, payload=bytes(MSS))))
    assert flags == ACK | ECE


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param({"payload": b"x", "seq": -10}, id="before the window"),
        pytest.param({"payload": b"x", "seq": 1 << 24}, id="behind the window"),
        pytest.param({}, id="a pure ACK"),
    ],
)
def test_established__mark_that_does_not_count__not_echoed(segment: dict[str, Any]) -> None:
    tcb = capable()
    tcb, _ = segment_arrives(tcb, marked(from_peer(tcb, **segment)))
    assert tcb.ecn is None


def test_established__mark_on_text_out_of_order__echoed_by_the_duplicate_ack() -> None:
    tcb = capable()
    _, flags = acked_flags(tcb, marked(from_peer(tcb, payload=b"x", seq=10)))
    assert flags == ACK | ECE


def test_established__mark_without_ecn__not_echoed() -> None:
    tcb, _ = listen.segment_arrives(Listener(PASSIVE), peer_syn(), OPENING)
    assert tcb is not None
    tcb = after_segment(tcb, from_peer(tcb))
    tcb, flags = acked_flags(tcb, marked(from_peer(tcb, payload=bytes(MSS))))
    assert flags == ACK


# The sender that hears an echo.


def in_flight(segments: int = 8) -> Tcb:
    """Capable, with full-sized segments under way."""
    return send(capable(replace(PASSIVE, congestion="newreno")), bytes(segments * MSS))[0]


def echo(tcb: Tcb, acked: int) -> Segment:
    """An ACK with ECE of so many octets from SND.UNA."""
    return replace(from_peer(tcb, ACK | ECE), ack=seq_add(tcb.snd_una, acked))


def test_established__echo__halves_the_window_and_says_so() -> None:
    tcb = in_flight()
    before = tcb.congestion.cwnd
    tcb, _ = segment_arrives(tcb, echo(tcb, 2 * MSS))
    assert tcb.congestion.cwnd == tcb.congestion.ssthresh == 4 * MSS
    assert tcb.congestion.cwnd < before
    tcb, sent = send(tcb, bytes(MSS))
    assert not sent, "six segments are in flight and four may be"
    tcb, sent = segment_arrives(tcb, replace(from_peer(tcb), ack=seq_add(tcb.snd_una, 4 * MSS)))
    assert [(segment.flags & CWR, segment.ecn) for segment in sent] == [(CWR, ECT_0)]
    tcb, sent = send(tcb, bytes(MSS))
    assert [segment.flags & CWR for segment in sent] == [0], "once"


def test_established__echoes_of_one_window__answered_once() -> None:
    tcb = in_flight()
    tcb, _ = segment_arrives(tcb, echo(tcb, 2 * MSS))
    reduced = tcb.congestion
    for _ in range(3):
        tcb, _ = segment_arrives(tcb, echo(tcb, 2 * MSS))
        assert (tcb.congestion.cwnd, tcb.congestion.ssthresh) == (reduced.cwnd, reduced.ssthresh), (
            "neither reduced again nor increased"
        )


def test_established__echo_of_the_next_window__answered_again() -> None:
    tcb = in_flight()
    tcb, _ = segment_arrives(tcb, echo(tcb, 8 * MSS))
    first = tcb.congestion.cwnd
    tcb, sent = send(tcb, bytes(4 * MSS))
    assert [segment.flags & CWR for segment in sent] == [CWR, 0, 0, 0]
    tcb, _ = segment_arrives(tcb, echo(tcb, 4 * MSS))
    assert tcb.congestion.cwnd < first


def test_established__echo_with_nothing_in_flight__ignored() -> None:
    tcb = capable()
    after_it, _ = segment_arrives(tcb, echo(tcb, 0))
    assert (after_it.congestion, after_it.ecn) == (tcb.congestion, None)


def test_established__echo_without_ecn__ignored() -> None:
    tcb, _ = listen.segment_arrives(Listener(PASSIVE), peer_syn(), OPENING)
    assert tcb is not None
    tcb, _ = send(after_segment(tcb, from_peer(tcb)), bytes(8 * MSS))
    before = tcb.congestion.cwnd
    tcb, _ = segment_arrives(tcb, echo(tcb, 8 * MSS))
    assert tcb.congestion.cwnd >= before
    assert tcb.ecn is None


def test_established__echo_while_a_loss_is_repaired__not_reduced_twice() -> None:
    tcb = in_flight()
    tcb = probed(tcb)
    tcb, _ = stepped(tcb, Timeout(deadline_us(tcb)))
    assert tcb.recovery is not None
    assert tcb.recovery.phase is Phase.LOSS
    reduced = tcb.congestion
    grown, _ = segment_arrives(tcb, replace(echo(tcb, MSS), flags=ACK))
    assert grown.congestion.cwnd > reduced.cwnd
    tcb, _ = segment_arrives(tcb, echo(tcb, MSS))
    assert (tcb.congestion.cwnd, tcb.congestion.ssthresh) == (reduced.cwnd, reduced.ssthresh), (
        "neither reduced again nor increased"
    )


def test_established__echo_in_fast_recovery__left_to_it() -> None:
    tcb = in_flight()
    for count in range(1, 5):
        block = (seq_add(tcb.snd_una, MSS), seq_add(tcb.snd_una, (1 + count) * MSS))
        tcb, _ = segment_arrives(tcb, from_peer(tcb, ack=-8 * MSS, sack=(block,)))
    assert tcb.recovery is not None
    assert tcb.recovery.phase is Phase.FAST
    with_echo, _ = segment_arrives(tcb, echo(tcb, MSS))
    without, _ = segment_arrives(tcb, replace(echo(tcb, MSS), flags=ACK))
    assert with_echo.congestion == without.congestion


def test_established__timeout__new_data_after_it_says_cwr() -> None:
    tcb = in_flight(1)
    tcb = probed(tcb)
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert [segment.flags & CWR for segment in sent] == [0], "not the retransmission"
    tcb = after_segment(tcb, from_peer(tcb), NOW_US + SECOND_US)
    tcb, sent = send(tcb, b"new", NOW_US + SECOND_US)
    assert [segment.flags & CWR for segment in sent] == [CWR]


def test_established__window_of_one_segment__not_widened_by_an_echo() -> None:
    tcb = in_flight(2)
    tcb = replace(tcb, congestion=replace(tcb.congestion, cwnd=MSS))
    tcb, _ = segment_arrives(tcb, echo(tcb, MSS))
    assert tcb.congestion.cwnd == MSS


def test_established__answered_and_over__leaves_no_record() -> None:
    tcb = in_flight()
    tcb, _ = segment_arrives(tcb, echo(tcb, 8 * MSS))
    tcb, _ = send(tcb, b"cwr")
    assert tcb.ecn is not None
    tcb = after_segment(tcb, from_peer(tcb))
    tcb, _ = send(tcb, b"next")
    assert tcb.ecn is None


def test_codec__echoing_and_answering__survives() -> None:
    tcb = in_flight()
    tcb, _ = segment_arrives(tcb, echo(tcb, 2 * MSS))
    tcb = after_segment(tcb, marked(from_peer(tcb, payload=b"x")))
    assert tcb.ecn is not None
    assert tcb.ecn.echoes
    assert decode(encode(tcb)) == tcb


def test_fin_alone__after_a_reduction__has_no_cwr() -> None:
    tcb = in_flight()
    tcb, _ = segment_arrives(tcb, echo(tcb, 8 * MSS))
    tcb, sent = stepped(tcb, Close(NOW_US, receives=True))
    assert [(segment.flags, segment.ecn) for segment in sent] == [(ACK | FIN, NOT_ECT)]
    assert tcb.state is State.FIN_WAIT_1


# Whole transfers.

OCTETS = bytes(range(256)) * 4_000
NARROW = Line(rate_bps=20_000_000, queue_bytes=40_000, mark_bytes=12_000)


def transferred(client: TcpParameters, server: TcpParameters, faults: Faults = PERFECT) -> Pair:
    """A download through a narrow line whose queue marks long before it drops."""
    pair = Pair(
        EndSetting(User(), client),
        EndSetting(User(sends=OCTETS), server, faults=faults, line=NARROW),
        1,
        oracle.check,
    )
    pair.run()
    assert pair.server is not None
    assert pair.client.received == OCTETS
    assert pair.client.connection is pair.server.connection is None
    return pair


@pytest.mark.parametrize("congestion", ["newreno", "cubic"])
def test_download__marking_queue__no_octet_is_sent_twice(congestion: str) -> None:
    ends = [TcpParameters(ecn=mode, congestion=congestion) for mode in ("on", "passive")]
    pair = transferred(*ends)
    assert pair.links[1].counts.marked > 0
    assert pair.links[1].counts.overflowed == 0
    assert pair.server is not None
    assert pair.server.retransmitted_total == 0


def test_download__without_ecn__the_same_queue_overflows() -> None:
    pair = transferred(PASSIVE, PASSIVE)
    assert pair.links[1].counts.marked == 0
    assert pair.links[1].counts.overflowed > 0


@pytest.mark.parametrize("seed_loss", [0.02, 0.1])
def test_download__marks_and_losses__octets_are_exact(seed_loss: float) -> None:
    pair = transferred(ON, ON, Faults(loss=seed_loss, reorder=0.02, jitter_us=1_000))
    assert pair.links[1].counts.marked > 0


def test_download__accurate__marks_are_counted_and_no_octet_is_sent_twice() -> None:
    """RFC 9768: both ends count the same marks, with nothing but the header's three bits."""
    accurate = TcpParameters(ecn="accurate")
    pair = transferred(accurate, accurate)
    assert pair.links[1].counts.marked > 0
    assert pair.links[1].counts.overflowed == 0
    assert pair.server is not None
    assert pair.server.retransmitted_total == 0


@pytest.mark.parametrize("other", [PASSIVE, ON, OFF], ids=["passive", "on", "off"])
def test_download__accurate_and_not__classic_ecn_or_none(other: TcpParameters) -> None:
    for ends in ((TcpParameters(ecn="accurate"), other), (other, TcpParameters(ecn="accurate"))):
        transferred(*ends)
