"""Whether a segment of new data is worth sending: Nagle, and silly window avoidance of the sender.

That of the receiver is `core.tcp.window`'s.

Source: RFC 9293 3.7.4, 3.8.6.2.1.
"""

from gossamer.core.tcp.constants import MSS_FLOOR
from gossamer.core.tcp.tcb import State, Tcb

CLOSED_BY_US = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})
"""States in which a FIN follows the data of the send buffer and is not yet acknowledged."""


def is_worth_sending(tcb: Tcb, size: int, unsent: int, flight: int) -> bool:
    """Silly window avoidance of the sender, and Nagle. Source: RFC 9293 3.8.6.2.1 (1) to (3); (4) is the
    persist timer."""
    if size <= 0:
        return False
    if size >= tcb.agreed.smss:
        return True
    if size == unsent and (flight == 0 or tcb.agreed.parameters.nodelay or tcb.state in CLOSED_BY_US):
        return True
    # Differs: half of a window that was never as large as the least segment (MSS_FLOOR) is no measure: a peer
    # that has offered one octet from its SYN on would get a packet for each, as fast as it acknowledges.
    is_half = size * 2 >= max(tcb.max_snd_wnd, MSS_FLOOR)
    return is_half and (flight == 0 or tcb.agreed.parameters.nodelay)
