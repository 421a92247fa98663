"""ICMP errors that quote a segment of ours: what each kind says, and what it does to the connection.

Only an error whose quoted sequence number is in flight counts, since anybody can forge one. A hard error ends
a connection only while it is being opened; every other is remembered, and is the error that the user gets if
the connection times out without hearing from the peer again. Source quench never comes here: RFC 9293
MUST-55 has it discarded, which `core.wire.icmp` does.

Source: RFC 9293 3.9.2.2, RFC 5927 4.1, 5.2 and 7.2, RFC 5461, RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.
"""

import msgspec

from gossamer.core.seq import Seq, seq_between
from gossamer.core.tcp import path_mtu
from gossamer.core.tcp.actions import Actions, Dropped, Failure, PathLearned, Signal, SoftFailure
from gossamer.core.tcp.calls.open import syn
from gossamer.core.tcp.closed import failed
from gossamer.core.tcp.constants import RTO_INITIAL_US
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import IcmpError, Report
from gossamer.core.tcp.fast_open import is_early, syn_text, without_option
from gossamer.core.tcp.output import output
from gossamer.core.tcp.recovery.timeout import flight_marked_lost
from gossamer.core.tcp.tcb import SoftError, State, Tcb, TimeWait
from gossamer.core.wire import icmp
from gossamer.core.wire.options import OPTIONS_BYTES_MAX

replace = msgspec.structs.replace

Meaning = tuple[Report, Failure]

NO_NETWORK = (Report.SOFT, Failure.NETWORK_UNREACHABLE)
NO_HOST = (Report.SOFT, Failure.UNREACHABLE)
BAD_HEADER = (Report.SOFT, Failure.BAD_HEADER)
PROHIBITED = (Report.HARD, Failure.UNREACHABLE)
NO_PROTOCOL = (Report.HARD, Failure.PROTOCOL_REFUSED)
NO_PORT = (Report.HARD, Failure.REFUSED)
TOO_BIG = (Report.TOO_BIG, Failure.UNREACHABLE)
TOO_BIG_ANYWHERE = frozenset({Report.TOO_BIG, Report.TOO_BIG_HERE})

# RFC 9293 3.9.2.2: soft errors are "Destination Unreachable -- codes 0, 1, and 5; Time Exceeded -- codes 0
# and 1; and Parameter Problem", hard ones "Destination Unreachable -- codes 2-4", of which code 4 is RFC
# 1191's. Differs: the codes that came after (RFC 1812: 9, 10 and 13, prohibited) are hard too, as in ICMPv6.
UNREACHABLE_IPV4: dict[int, Meaning] = {
    0: NO_NETWORK,
    1: NO_HOST,
    2: NO_PROTOCOL,
    3: NO_PORT,
    4: TOO_BIG,
    5: NO_NETWORK,
    6: NO_NETWORK,
    7: NO_HOST,
    9: PROHIBITED,
    10: PROHIBITED,
    11: NO_NETWORK,
    12: NO_HOST,
    13: PROHIBITED,
}
# "For ICMPv6, these include: Destination Unreachable -- codes 0 and 3; Time Exceeded -- codes 0 and 1; and
# Parameter Problem -- codes 0, 1, and 2"; hard are codes 1 and 4, and codes 5 and 6, which are kinds of 1
# (RFC 4443 3.1).
UNREACHABLE_IPV6: dict[int, Meaning] = {
    0: NO_NETWORK,
    1: PROHIBITED,
    2: NO_HOST,
    3: NO_HOST,
    4: NO_PORT,
    5: PROHIBITED,
    6: PROHIBITED,
}


def meaning(kind: int, code: int, is_ipv4: bool) -> Meaning:
    """What an ICMP error says: how bad it is, and the failure to report to the user. An unknown code of a
    known kind is soft."""
    if is_ipv4:
        if kind == icmp.V4_UNREACHABLE:
            return UNREACHABLE_IPV4.get(code, NO_HOST)
        return BAD_HEADER if kind == icmp.V4_PARAMETER_PROBLEM else NO_HOST
    if kind == icmp.V6_UNREACHABLE:
        return UNREACHABLE_IPV6.get(code, NO_HOST)
    if kind == icmp.V6_PACKET_TOO_BIG:
        return TOO_BIG
    return BAD_HEADER if kind == icmp.V6_PARAMETER_PROBLEM else NO_HOST


def event_of(error: icmp.IcmpMessage, is_ipv4: bool, now_us: int) -> IcmpError:
    """The event that a report from the wire is for its connection."""
    report, failure = meaning(error.kind, error.code, is_ipv4)
    return IcmpError(error.seq, report, now_us, failure, error.mtu)


def arrives(tcb: Tcb | TimeWait, event: IcmpError) -> tuple[Tcb | TimeWait | None, Actions]:
    """Obey, remember, or ignore and count."""
    ignored = (Dropped(SegmentDrop.ICMP_IGNORED),)
    seq = Seq(event.seq)
    if not isinstance(tcb, Tcb):
        return tcb, ignored
    # While a Fast Open is under way SND.UNA stands behind a SYN-ACK that is not acknowledged.
    oldest = tcb.agreed.iss if is_early(tcb) else tcb.snd_una
    if not seq_between(oldest, seq, tcb.snd_nxt):
        return tcb, ignored
    if event.report in TOO_BIG_ANYWHERE and tcb.state is State.SYN_SENT:
        return _plain_syn(tcb, event) or (tcb, ignored)
    if event.report in TOO_BIG_ANYWHERE:
        decide = path_mtu.too_big if event.report is Report.TOO_BIG else path_mtu.too_big_here
        found = decide(tcb, seq, event.mtu, event.now_us)
        return (tcb, ignored) if found is None else _sent_smaller(tcb, *found, event.now_us)
    ends_at_once = tcb.agreed.passive and tcb.agreed.parameters.half_open_soft_errors
    is_opening = tcb.state <= State.SYN_RECEIVED and tcb.agreed.parameters.deviations.icmp_ends
    if (event.report is Report.HARD or ends_at_once) and is_opening:
        # SHLD-26: "TCP implementations SHOULD abort the connection"; RFC 5927 5.2: only in these states.
        return failed(tcb, event.failure)
    # "a TCP implementation MUST NOT abort the connection (MUST-56), and it SHOULD make the information
    # available to the application (SHLD-25)."
    return replace(tcb, soft_error=SoftError(event.failure, event.now_us)), (SoftFailure(event.failure),)


def _plain_syn(tcb: Tcb, event: IcmpError) -> tuple[Tcb, Actions] | None:
    """Our SYN was too big because of its data (RFC 7413): it goes again at once, without data and option,
    since what was too big is to be sent again (RFC 1191 6.4, RFC 8201 5.4). None for a claim that cannot be
    true."""
    smss, text = path_mtu.claimed_smss(tcb.agreed, event.mtu), syn_text(tcb)
    if not text or tcb.fast_open is None or smss is None or smss >= len(text) + OPTIONS_BYTES_MAX:
        return None
    # Neither our segments nor, as far as it is the same way, the peer's shall be larger, as Linux has it.
    agreed = replace(tcb.agreed, rmss=min(tcb.agreed.rmss, smss))
    tcb = replace(
        tcb,
        agreed=agreed,
        fast_open=without_option(tcb.fast_open),
        # The answer is to this one.
        snd_at_us=event.now_us,
        rtt_seq=None,
        rtx_at_us=event.now_us + RTO_INITIAL_US,
        retransmits_total=tcb.retransmits_total + 1,
    )
    learned = PathLearned(smss + path_mtu.header_bytes(tcb.agreed))
    return tcb, (syn(tcb, event.now_us), Signal.RETRANSMITTED, learned)


def _sent_smaller(before: Tcb, tcb: Tcb, actions: Actions, now_us: int) -> tuple[Tcb, Actions]:
    """What was too big is sent again at once: no sign of congestion (RFC 1191 6.4, RFC 8201 5.4). Differs: no
    slow start either, since cwnd was right for the path that the reports came from."""
    if tcb.agreed.smss == before.agreed.smss:
        return tcb, actions
    tcb = flight_marked_lost(tcb) if tcb.recovery is None else tcb
    tcb, sent = output(tcb, now_us)
    return tcb, sent + actions
