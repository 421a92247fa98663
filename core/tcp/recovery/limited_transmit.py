"""Limited transmit: what the first duplicate ACKs let out before a loss is shown.

Source: RFC 3042 2, RFC 6675 5 (3).
"""

from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.tcb import Tcb

LIMITED_SEGMENTS_MAX = 2
"""RFC 3042 2: "The amount of outstanding data would remain less than or equal to the congestion window plus 2
segments"."""


def gone_bytes(tcb: Tcb, recovery: Recovery) -> int:
    """Octets in flight that have left the network: reported, lost, or what a duplicate ACK stands for.

    With SACK each octet that is reported lets out one other, however many they are while a loss is not yet
    shown: the network holds no more for it (RFC 6675 5 (3.3)).
    """
    gone = recovery.sacked_bytes + recovery.lost_bytes + recovery.dup_acked_bytes
    if recovery.phase is not Phase.DISORDER:
        return gone
    if not tcb.agreed.parameters.limited_transmit:
        return recovery.lost_bytes
    return gone if tcb.agreed.sack else min(gone, LIMITED_SEGMENTS_MAX * tcb.agreed.smss)
