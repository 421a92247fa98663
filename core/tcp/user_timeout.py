"""The user timeout: how long what we sent may stay unacknowledged, and what each end advertises of it.

Owns the time that is in force. Where one is, it alone decides when a connection is given up (R2 of RFC 9293
3.8.3, MUST-21), and no longer the number of retransmissions or probes. With `user_timeout_option` on, ours is
advertised with the SYN and when the user changes it, and the peer's is adopted within bounds, unless the user
has set one of its own (RFC 5482 3.1: ENABLED, CHANGEABLE).

Source: RFC 5482 3, RFC 9293 3.8.3.
"""

import msgspec

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.tcp.constants import USER_TIMEOUT_DEFAULT_US, USER_TIMEOUT_LOWER_US, USER_TIMEOUT_UPPER_US
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Tcb, UserTimeout
from gossamer.core.wire.segment import Segment

FIXED = UserTimeout(is_fixed=True)


def in_force_us(tcb: Tcb) -> int:
    """How long it is; NEVER_US leaves the end to the number of retransmissions."""
    if tcb.user_timeout is not None and tcb.user_timeout.adopted_us:
        return tcb.user_timeout.adopted_us
    return tcb.agreed.parameters.user_timeout_us


def gives_up_at_us(tcb: Tcb) -> int:
    """When it ends the connection: so long after data was sent, or anything came back; at the earliest when
    the first retransmission is due."""
    timeout_us = in_force_us(tcb)
    return max(tcb.snd_at_us, tcb.rcv_at_us) + timeout_us if timeout_us < NEVER_US else NEVER_US


def advertised_s(parameters: TcpParameters) -> int:
    """ADV_UTO in seconds; 0 while the option is off."""
    if not parameters.user_timeout_option:
        return 0
    timeout_us = min(parameters.user_timeout_us, USER_TIMEOUT_UPPER_US)
    if parameters.user_timeout_us >= NEVER_US:
        timeout_us = USER_TIMEOUT_DEFAULT_US
    return max(timeout_us // SECOND_US, 1)


def adopted(tcb: Tcb, segment: Segment) -> Tcb:
    """The connection after an acceptable segment that advertises the peer's.

    RFC 5482 3.1: "USER_TIMEOUT = min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT))".
    """
    parameters, before = tcb.agreed.parameters, tcb.user_timeout
    if not segment.user_timeout_s or not parameters.user_timeout_option:
        return tcb
    if before is not None and before.is_fixed:
        return tcb
    largest_us = max(
        advertised_s(parameters) * SECOND_US, segment.user_timeout_s * SECOND_US, USER_TIMEOUT_LOWER_US
    )
    return msgspec.structs.replace(tcb, user_timeout=UserTimeout(min(largest_us, USER_TIMEOUT_UPPER_US)))
