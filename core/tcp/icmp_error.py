"""ICMP errors that quote a segment of ours.

Only an error whose quoted sequence number is in flight counts, since anybody can forge one; and a hard error
ends a connection only while it is being opened.

Source: RFC 9293 3.9.2.2, RFC 5927 4.1 and 5.2, RFC 5461.
"""

from gossamer.core.seq import Seq, seq_between
from gossamer.core.tcp.actions import Actions, Dropped, Failure
from gossamer.core.tcp.closed import failed
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import IcmpError
from gossamer.core.tcp.tcb import State, Tcb, TimeWait

UNREACHABLE_IPV4 = 3
UNREACHABLE_IPV6 = 1
HARD_CODES_IPV4 = frozenset({2, 3})
"""Protocol and port unreachable. Source: RFC 1122 4.2.3.9; code 4, fragmentation needed, is not an end (RFC
1191)."""
HARD_CODES_IPV6 = frozenset({1, 4})
"""Administratively prohibited, port unreachable. Source: RFC 4443 3.1."""


def is_hard(kind: int, code: int, is_ipv4: bool) -> bool:
    """Whether an ICMP error says that the connection cannot be, rather than that a packet did not pass."""
    if is_ipv4:
        return kind == UNREACHABLE_IPV4 and code in HARD_CODES_IPV4
    return kind == UNREACHABLE_IPV6 and code in HARD_CODES_IPV6


def arrives(tcb: Tcb | TimeWait, event: IcmpError) -> tuple[Tcb | TimeWait | None, Actions]:
    """A hard error in SYN-SENT or SYN-RECEIVED ends it; every other is counted and left to the retransmission
    timer."""
    ignored = (Dropped(SegmentDrop.ICMP_IGNORED),)
    if not isinstance(tcb, Tcb) or not seq_between(tcb.snd_una, Seq(event.seq), tcb.snd_nxt):
        return tcb, ignored
    if event.hard and tcb.state in (State.SYN_SENT, State.SYN_RECEIVED):
        return failed(tcb, Failure.UNREACHABLE)
    return tcb, ignored
