"""Accurate ECN: the receiver says how many packets were marked, not only that some were.

Owns the three bits AE, CWR and ECE as one field: in the handshake it says what is agreed and with which ECN
codepoint the SYN, the SYN-ACK and its ACK came; ever after it is the counter ACE. `core.tcp.ecn` owns what a
sender does about marks, which is the same: once for each window of data.

`core.tcp.ecn_bytes` owns the option, which counts octets.

Differs: a SYN-ACK goes as Not-ECT.

Source: RFC 9768.
"""

from typing import Final

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add, seq_lt
from gossamer.core.tcp import ecn_bytes
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.tcb import Agreed, Ecn, State, Tcb
from gossamer.core.wire.segment import ACE_FLAGS, ACK, AE, CE, CWR, ECE, SYN, Segment

replace = msgspec.structs.replace

COUNTERS: Final = 8
"""DIVACE: the field counts modulo this."""
SAFETY_FACTOR: Final = 2
"""Source: RFC 9768 A.2.2."""
FIRST: Final = 5
"""What s.cep and r.cep begin at. Source: RFC 9768 3.2.1."""
REFLECTED: Final = (0b010, 0b011, 0b100, 0b110)
"""By ECN codepoint, what the SYN-ACK says of the SYN, and its ACK of the SYN-ACK. Source: tables 2 and 3."""
NOT_ECT_CODE, CE_CODE = REFLECTED[0], REFLECTED[CE]
RESERVED_CODE: Final = 0b101
"""Of a SYN-ACK: a grant, whose meaning is for later. Source: RFC 9768 3.1.3."""
GRANTS: Final = frozenset({*REFLECTED, RESERVED_CODE})


def ace(flags: int) -> int:
    """The field. Source: RFC 9768 3.1.1, figure 2."""
    return (4 if flags & AE else 0) | (2 if flags & CWR else 0) | (1 if flags & ECE else 0)


def with_ace(segment: Segment, number: int) -> Segment:
    """The segment with another field."""
    return replace(segment, flags=segment.flags & ~ACE_FLAGS[-1] | ACE_FLAGS[number])


# The handshake.


def is_setup(syn: Segment) -> bool:
    """Whether a SYN asks for accurate ECN, or a SYN-ACK grants it.

    Source: RFC 9768 3.1.1: a SYN with all three; 3.1.3: a server that gets a combination other than 000, 011
    or 111 takes it for 111, and a client that gets 101 "MUST enable AccECN mode". Table 2: a SYN-ACK with one
    of the four codes.
    """
    code = ace(syn.flags)
    return code in GRANTS if syn.flags & ACK else code not in (0b000, 0b011)


def agreement(agreed: Agreed, syn: Segment, ect: int) -> Agreed:
    """What holds once both want it; the code that answers the peer's SYN or SYN-ACK is kept.

    Source: RFC 9768 3.2.2.3: our SYN went as Not-ECT, and where the peer says that it came with another
    codepoint, something on the path has changed it: nothing that we send may be ECT. 3.1.3: 101 is taken "as
    if it fed back that the IP-ECN field on the SYN had arrived unchanged".
    """
    parameters = agreed.parameters
    # Our SYN-ACK bears the option, so a client may yet speak of it; of a server it is known.
    may_speak = not syn.flags & ACK or syn.ecn_bytes is not None
    if parameters.ecn_on_all and parameters.ecn_option and may_speak:
        agreed = replace(agreed, smss=agreed.smss - ecn_bytes.WHOLE_BYTES)
    is_mangled = bool(syn.flags & ACK) and ace(syn.flags) not in (NOT_ECT_CODE, RESERVED_CODE)
    is_mangled = is_mangled and not parameters.deviations.ect_despite_mangling
    return replace(agreed, ecn=False, accurate_ecn=REFLECTED[syn.ecn & CE], ect=0 if is_mangled else ect)


def agreement_again(agreed: Agreed, syn: Segment) -> Agreed:
    """What a server holds once the client's SYN came a second time: the SYN-ACK tells how this one came.

    Source: RFC 9768 3.1.5: who has received a SYN with 000 during the handshake sets no packet ECT.
    """
    return replace(agreed, accurate_ecn=REFLECTED[syn.ecn & CE], ect=agreed.ect if ace(syn.flags) else 0)


def acknowledged_again(tcb: Tcb, answer: Segment, syn_ack: Segment) -> Segment:
    """A client's answer to a SYN-ACK that came again, before anything else did: our ACK of the first may have
    been lost, so that this one tells how the SYN-ACK came, and not yet the counter (RFC 9768 3.2.2.1, table
    3)."""
    is_first = not tcb.agreed.passive and tcb.rcv_nxt == seq_add(tcb.agreed.irs, 1)
    if not tcb.agreed.accurate_ecn or not is_first:
        return answer
    return with_ace(answer, REFLECTED[syn_ack.ecn & CE])


def begun(tcb: Tcb, syn: Segment) -> Tcb:
    """The connection with its counters, where accurate ECN was agreed on; a SYN-ACK counts, a SYN does not.

    Source: RFC 9768 3.2.1, table 3.
    """
    if not tcb.agreed.accurate_ecn:
        return tcb
    if not syn.flags & ACK:
        counts = tcb.agreed.parameters.deviations.counts_marked_syn and syn.ecn & CE == CE
        return replace(tcb, ecn=Ecn(received_ce=FIRST + counts, sent_ce=FIRST))
    is_marked = syn.ecn & CE == CE
    held = Ecn(received_ce=FIRST + is_marked, sent_ce=FIRST, told=None, owes_on_text=True)
    return ecn_bytes.first_heard(replace(tcb, ecn=held), syn)


def first_acknowledged(tcb: Tcb, segment: Segment) -> Tcb:
    """A server's connection at the ACK of its SYN-ACK, whose field is a code still.

    Source: RFC 9768 3.2.2.1, table 4: 110 says that the SYN-ACK was marked; 000 that the field is cleared on
    the path: nothing that we send may be ECT (3.2.2.4).
    """
    held, code = tcb.ecn, ace(segment.flags)
    if held is None or not tcb.agreed.accurate_ecn:
        return tcb
    if not code and not tcb.agreed.parameters.deviations.ect_despite_mangling:
        tcb = replace(tcb, agreed=replace(tcb.agreed, ect=0))
    elif code == CE_CODE:
        tcb = replace(tcb, ecn=replace(held, sent_ce=FIRST + 1))
    return ecn_bytes.first_heard(tcb, segment)


# The receiver of data.


def counted(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Tcb:
    """The connection after a segment that came with an ECN codepoint, with text or without. Source: RFC 9768
    3.2.2, r.cep.

    3.2.2.5.1: a mark behind packets without one is told of at once, and so is every sixth at least; here each
    is that bears text. An ACK is never answered for its mark: that would go on for ever.
    """
    held = tcb.ecn
    assert held is not None
    held = ecn_bytes.counted(held, segment)
    if segment.ecn != CE:
        return replace(tcb, ecn=held)
    tcb = replace(tcb, ecn=replace(held, received_ce=held.received_ce + event.pieces))
    return replace(tcb, ack_at_us=event.now_us) if segment.payload else tcb


def counted_again(tcb: Tcb, segment: Segment, event: SegmentArrives) -> Tcb:
    """The connection after the last of what it has came again, which is answered in any case: what arrives is
    reflected, needed or not (RFC 9768 2.5)."""
    if not tcb.agreed.accurate_ecn or not segment.payload:
        return tcb
    counts = counted(tcb, segment, event) if segment.ecn & CE else tcb
    return ecn_bytes.repeated(replace(counts, ack_at_us=tcb.ack_at_us), segment)


# The end.


def is_silent_in_time_wait(tcb: Tcb) -> bool:
    """Whether the ACK that enters TIME-WAIT says nothing of marks, a habit of other systems: FreeBSD's
    (`plain_time_wait`); and with `ecn_on_all`, once the user has closed, Linux's, whose TIME-WAIT begins with
    FIN-WAIT-2, and keeps no count of marks. Differs, so by these alone: RFC 9768 3.2.2 has ACE on all
    segments."""
    agreed = tcb.agreed
    if agreed.parameters.deviations.plain_time_wait:
        return True
    return tcb.receive_closed and agreed.accurate_ecn > 0 and agreed.parameters.ecn_on_all


def silent(segment: Segment) -> Segment:
    """The segment without the field and the option."""
    return replace(with_ace(segment, 0), ecn_bytes=None)


# The sender of data.


def brings_news(before: Tcb, tcb: Tcb, segment: Segment) -> bool:
    """Whether an ACK is known not to have been overtaken by one that was heard already."""
    if tcb.ecn is None or before.state <= State.SYN_RECEIVED or segment.flags & SYN:
        return False
    has_reported = tcb.recovery is not None and tcb.recovery is not before.recovery
    if tcb.snd_una != before.snd_una or has_reported:
        return True
    return tcb.agreed.timestamps and seq_lt(Seq(before.ts_recent), Seq(tcb.ts_recent))


def more_marks(before: Tcb, tcb: Tcb, segment: Segment, marked_bytes: int | None) -> int:
    """How many packets of ours an ACK shows to have been marked since the last; `marked_bytes` is what its
    option says of octets, None where it has none.

    Source: RFC 9768 3.2.2.5 and A.2.1: "d.cep = (ACE + DIVACE - (s.cep % DIVACE)) % DIVACE"; where more
    packets than that were acknowledged, the field may have wrapped, and the safe guess is the largest number
    that fits: "dSafer.cep = newlyAckedPkt - ((newlyAckedPkt - d.cep) % DIVACE)". A.2.2: so few octets that
    packets of half a segment would be more show that it has not.
    """
    assert tcb.ecn is not None
    more = (ace(segment.flags) - tcb.ecn.sent_ce) % COUNTERS
    packets = acked_packets(before, tcb)
    if packets <= COUNTERS:
        return more
    safer = packets - (packets - more) % COUNTERS
    if marked_bytes is None or marked_bytes > more * tcb.agreed.smss:
        return safer
    return more if marked_bytes * SAFETY_FACTOR <= safer * tcb.agreed.smss else safer


def acked_packets(before: Tcb, tcb: Tcb) -> int:
    """How many packets an ACK acknowledged, were all of them full."""
    return -(-((tcb.snd_una - before.snd_una) & MASK) // tcb.agreed.smss)
