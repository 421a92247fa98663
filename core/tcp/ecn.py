"""Explicit congestion notification: routers mark segments that they would otherwise have to drop.

Owns who says what, and when: the two flags of the handshake, ECE from a mark until the sender has answered
it, the sender's answer once for each window of data, and CWR. Congestion control decides by how much the
window is reduced. `core.tcp.output` sends new data, and nothing else but by `ecn_on_all`, as ECT(0) where
`Agreed.ect` allows it.

A connection holds a record of `Ecn` only while a mark is being echoed or answered, so one that meets no marks
is predicted and sent like any other.

Differs: RFC 3168 6.1.2 wants a sender whose window is one segment held back until its retransmission timer
expires; ours goes on with one segment a round trip, as deployed stacks do. No ECT on a SYN-ACK (RFC 5562), no
nonce (RFC 8311 3).

Source: RFC 3168 6.1, RFC 8311 4.
"""

import msgspec

from gossamer.core.seq import seq_lt
from gossamer.core.tcp import accurate_ecn, ecn_bytes
from gossamer.core.tcp.accurate_ecn import COUNTERS, acked_packets, brings_news, more_marks
from gossamer.core.tcp.congestion.events import marked
from gossamer.core.tcp.recovery.records import Phase
from gossamer.core.tcp.tcb import Agreed, Ecn, Tcb
from gossamer.core.wire.segment import ACE_FLAGS, ACK, AE, CE, CWR, ECE, ECT_0, NOT_ECT, Segment

replace = msgspec.structs.replace

IDLE = Ecn()
SETUP_FLAGS = ACK | ECE | CWR
SETUP_SYN = ECE | CWR
SETUP_SYN_ACK = ACK | ECE
PLAIN_FROM = 2
"""From this retransmission on a SYN or SYN-ACK says nothing of accurate ECN."""


# The handshake.


def is_setup(syn: Segment) -> bool:
    """Whether a SYN or SYN-ACK says that its sender is capable of ECN.

    Source: RFC 3168 6.1.1: a SYN with both ECE and CWR; a SYN-ACK with ECE and without CWR, since faulty
    peers echo the flags of a SYN (6.1.1.2).
    """
    return syn.flags & SETUP_FLAGS in (SETUP_SYN, SETUP_SYN_ACK)


def syn_flags(tcb: Tcb) -> int:
    """What the SYN we send says of ECN.

    Source: RFC 3168 6.1.1.1: "A host that receives no reply to an ECN-setup SYN within the normal SYN
    retransmission timeout interval MAY resend the SYN and any subsequent SYN retransmissions with CWR and ECE
    cleared."
    """
    if not tcb.agreed.ecn or is_syn_plain(tcb):
        return 0
    return SETUP_SYN | AE if tcb.agreed.accurate_ecn else SETUP_SYN


def is_syn_plain(tcb: Tcb) -> bool:
    """Whether one of our SYNs has gone without the flags, or goes so now.

    Source: RFC 9768 3.1.4.1: "it SHOULD attempt to negotiate the use of AccECN at least one more time by
    continuing to set all three TCP ECN flags [...] on the first retransmitted SYN"; RFC 3168 6.1.1.1 has no
    such step.
    """
    ours = PLAIN_FROM if tcb.agreed.accurate_ecn else 1
    return tcb.backoff >= (tcb.agreed.parameters.deviations.ecn_syns or ours)


def syn_ack_flags(agreed: Agreed) -> int:
    """What the SYN-ACK we send says of ECN."""
    return ACE_FLAGS[agreed.accurate_ecn] if agreed.accurate_ecn else ECE if agreed.ecn else 0


def is_syn_ack_plain(tcb: Tcb) -> bool:
    """Whether the SYN-ACK goes without the flags of accurate ECN now.

    Source: RFC 9768 3.2.3.2.2: "If this retransmission times out, [...] the TCP Server SHOULD retransmit the
    SYN/ACK with (AE,CWR,ECE) = (0,0,0) and no AccECN Option, but it remains in AccECN feedback mode".
    """
    return tcb.agreed.accurate_ecn > 0 and tcb.backoff >= PLAIN_FROM


def after_plain_syn_ack(tcb: Tcb) -> Tcb:
    """The connection whose SYN-ACK goes again. Source: RFC 9768 3.1.5: a server that has sent one without the
    flags sets no packet ECT."""
    return replace(tcb, agreed=replace(tcb.agreed, ect=0)) if is_syn_ack_plain(tcb) else tcb


def after_plain_syn(agreed: Agreed) -> Agreed:
    """What holds when one of our SYNs went without the flags.

    Source: RFC 3168 6.1.1: "A host MUST NOT set ECT on data packets unless it [...] has sent no
    non-ECN-setup SYN", and RFC 9768 3.1.5 the same. Marks are echoed still: the peer may have heard only the
    first. Differs: by `ecn_on_all`, as in Linux, a peer that has agreed to count marks is believed.
    """
    believes = agreed.accurate_ecn and agreed.parameters.ecn_on_all
    return replace(agreed, ect=0) if agreed.ect and not believes else agreed


def on_repeated_syn(tcb: Tcb, syn: Segment) -> Tcb:
    """The peer's SYN came a second time.

    Source: RFC 3168 6.1.1: "If a host has received at least one non-ECN-setup SYN [...], then it SHOULD NOT
    set ECT on data packets"; the SYN-ACK that answers it is plain (6.1.1.1, the example's step 4). RFC 9768
    3.1.5 has the same for accurate ECN, which stays agreed on.
    """
    if tcb.agreed.accurate_ecn:
        return replace(tcb, agreed=accurate_ecn.agreement_again(tcb.agreed, syn))
    if not tcb.agreed.ecn or is_setup(syn):
        return tcb
    return replace(tcb, agreed=replace(tcb.agreed, ecn=False, ect=0))


# The receiver of data.


def on_text(tcb: Tcb, segment: Segment) -> Tcb:
    """After text in the window: a mark is echoed from now on, a CWR ends the echo.

    Source: RFC 3168 6.1.3: "After the receipt of the CWR packet, acknowledgments for subsequent non-CE data
    packets do not have the ECN-Echo flag set." What lies outside the window never comes here (6.1.5).
    """
    held = tcb.ecn or IDLE
    echoes = segment.ecn == CE or (held.echoes and not segment.flags & CWR)
    return tcb if echoes == held.echoes else replace(tcb, ecn=replace(held, echoes=echoes))


def flags_of(tcb: Tcb) -> int:
    """What each segment says of marks, on a connection that has a record.

    Source: RFC 3168 6.1.3: "that TCP receiver continues to set the ECN-Echo flag in all the ACK packets it
    sends"; RFC 9768 3.2.2, the field ACE.
    """
    held = tcb.ecn
    assert held is not None
    if tcb.agreed.accurate_ecn:
        return ACE_FLAGS[held.received_ce % len(ACE_FLAGS)]
    return ECE if held.echoes else 0


# The sender of data.


def on_echo(before: Tcb, tcb: Tcb, now_us: int) -> Tcb:
    """After an ACK that tells of marks and made `tcb` of `before`: reduce the window, once for each window of
    data.

    Source: RFC 3168 6.1.2: "TCP should not react to congestion indications more than once every window of
    data", and "SHOULD NOT increase the congestion window in response to the receipt of an ECN-Echo ACK".
    """
    if before.snd_una == before.snd_nxt:
        # Nothing was under way that could have been marked: the echo is old, or a lie.
        return tcb
    if tcb.recovery is not None and tcb.recovery.phase is Phase.FAST:
        # Fast recovery has reduced the window for this very flight, and moves it as segments leave.
        return tcb
    answered = before.ecn.answered_to if before.ecn is not None else None
    if answered is not None and not seq_lt(answered, tcb.snd_una):
        cwnd = min(tcb.congestion.cwnd, before.congestion.cwnd)
        return replace(tcb, congestion=replace(tcb.congestion, cwnd=cwnd))
    reduced = marked(before, now_us)
    reduced = replace(reduced, cwnd=min(reduced.cwnd, before.congestion.cwnd))
    return _answered(replace(tcb, congestion=reduced))


def on_retransmission(tcb: Tcb) -> Tcb:
    """Loss recovery has reduced the window and sends again: that answers the marks of the same window too.

    Source: RFC 3168 6.1.2: "When an ECN-Capable TCP sender reduces its congestion window for any reason
    [...], the TCP sender sets the CWR flag in the TCP header of the first new data packet".
    """
    recovery, held = tcb.recovery, tcb.ecn
    if recovery is None or (held is not None and held.answered_to == recovery.recover):
        return tcb
    owes_cwr = not tcb.agreed.accurate_ecn
    return replace(tcb, ecn=replace(held or IDLE, owes_cwr=owes_cwr, answered_to=recovery.recover))


def with_cwr_at_once(tcb: Tcb, again: list[Segment]) -> Tcb:
    """By `cwr_on_retransmission` the word goes with the first of what is sent again."""
    held = tcb.ecn
    if held is None or not held.owes_cwr or not tcb.agreed.parameters.deviations.cwr_on_retransmission:
        return tcb
    again[0] = replace(again[0], flags=again[0].flags | CWR)
    return replace(tcb, ecn=replace(held, owes_cwr=False))


def ect_of_syn(agreed: Agreed, flags: int) -> int:
    """The codepoint of a SYN with these flags: not ECT but by `ect_on` (RFC 3168 6.1.1)."""
    return ECT_0 if flags & ECE and agreed.parameters.deviations.ect_on == "all" else NOT_ECT


def ect_of_syn_ack(agreed: Agreed) -> int:
    """That of a SYN-ACK, likewise."""
    return NOT_ECT if agreed.parameters.deviations.ect_on == "data" else agreed.ect


def _answered(tcb: Tcb) -> Tcb:
    # Who counts marks needs no word of what was done about them.
    owes_cwr = not tcb.agreed.accurate_ecn
    return replace(tcb, ecn=replace(tcb.ecn or IDLE, owes_cwr=owes_cwr, answered_to=tcb.snd_nxt))


def on_ace(before: Tcb, tcb: Tcb, segment: Segment, now_us: int) -> Tcb:
    """After an ACK of accurate ECN that made `tcb` of `before`. Source: RFC 9768 3.2.2.5.

    3.2.3.2.5: octets were marked and no packet was, where the field cannot have wrapped: something on the
    path changes what is said, and "the Data Sender MUST disable sending ECN-capable packets".
    """
    if not brings_news(before, tcb, segment):
        return tcb
    tcb, marked_bytes = ecn_bytes.heard(tcb, segment)
    more = more_marks(before, tcb, segment, marked_bytes)
    if not more:
        is_mangled = bool(marked_bytes) and acked_packets(before, tcb) < COUNTERS
        return replace(tcb, agreed=replace(tcb.agreed, ect=0)) if is_mangled else tcb
    held = tcb.ecn or IDLE
    tcb = replace(tcb, ecn=replace(held, sent_ce=held.sent_ce + more))
    return on_echo(before, tcb, now_us) if tcb.agreed.ect else tcb


def announced(tcb: Tcb, segments: list[Segment], first: int) -> Tcb:
    """The connection after new `segments[first:]`, of which the first with data bears the CWR that is owed.

    Source: RFC 3168 6.1.2: "it SHOULD set the CWR bit only on the first new data packet that it transmits".
    """
    held = tcb.ecn
    if held is None or not held.owes_cwr or not segments[first].payload:
        return tcb
    segments[first] = replace(segments[first], flags=segments[first].flags | CWR)
    return replace(tcb, ecn=replace(held, owes_cwr=False))


def settled(tcb: Tcb) -> Tcb:
    """The connection without a record that says nothing any more."""
    held = tcb.ecn
    if held is None or held.echoes or held.owes_cwr:
        return tcb
    if held.answered_to is not None and not seq_lt(held.answered_to, tcb.snd_una):
        return tcb
    if tcb.agreed.accurate_ecn:
        return tcb if held.answered_to is None else replace(tcb, ecn=replace(held, answered_to=None))
    return replace(tcb, ecn=None)
