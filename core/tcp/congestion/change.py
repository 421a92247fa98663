"""Another algorithm for a living connection.

cwnd and ssthresh stay. Whatever else the old algorithm remembered is dropped, and with it the way to undo a
spurious recovery.

Source: RFC 5681 3.1 (what cwnd and ssthresh mean to every algorithm).
"""

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.named import named
from gossamer.core.tcp.tcb import Tcb


def with_control(tcb: Tcb, name: str) -> Tcb:
    """The connection under the algorithm of that name. Raises: UnknownCongestionControl."""
    control = named(name)
    before = tcb.congestion
    begun = control.begin(before.cwnd, tcb.agreed.smss)
    agreed = replace(tcb.agreed, parameters=replace(tcb.agreed.parameters, congestion=name))
    congestion = replace(begun, cwnd=before.cwnd, ssthresh=before.ssthresh)
    delivery = tcb.delivery if congestion.every_ack else None
    # Nothing can be found spurious any more: without a way back F-RTO would wait in vain.
    recovery = tcb.recovery and replace(tcb.recovery, frto_step=0)
    return replace(tcb, agreed=agreed, congestion=congestion, delivery=delivery, undo=None, recovery=recovery)
