"""How much a SEND may put into the send buffer, and when one that waits for room is told that there is some.

Octets take memory, up to `send_buffer_bytes`. Those of a file take none: they may stand there up to
`send_file_bytes`, together with all else. A thread that sends a file is woken once for each eighth of that
and not for every few segments; not for more, since a send has a timeout, in which so much must be
acknowledged.

With `notsent_lowat_bytes` what bounds a SEND as well is how much of the buffer was never sent; who waits for
that is told once less than half of it does, as by Linux.
"""

from gossamer.core.seq import MASK
from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.constants import EXTENT_BYTES_MIN
from gossamer.core.tcp.parameters import NOTSENT_UNLIMITED, TcpParameters
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.text import Extent


def room_bytes(tcb: Tcb, data: bytes | Extent) -> int:
    """How much of `data` finds room, at most all. Of an extent nothing, where it would be so little that the
    buffer came to hold many of them."""
    parameters, size = tcb.agreed.parameters, len(data)
    if parameters.notsent_lowat_bytes < NOTSENT_UNLIMITED:
        # What cwnd and window let out at once waits for nothing. So much that at least the low water is left
        # when it has gone: else nothing later would tell who waits with the rest.
        flight = (tcb.snd_nxt - tcb.snd_una) & MASK
        usable = max(min(tcb.congestion.cwnd, tcb.snd_wnd) - flight, 0)
        size = min(size, max(_low_water_bytes(tcb) + usable - unsent_bytes(tcb), 0))
    if isinstance(data, bytes):
        return min(size, max(parameters.send_buffer_bytes - tcb.snd_buf_bytes, 0))
    bound = max(parameters.send_file_bytes, parameters.send_buffer_bytes)
    room = bound - tcb.snd_buf_bytes
    return min(size, room) if room >= min(size, EXTENT_BYTES_MIN, bound // 8) else 0


def unsent_bytes(tcb: Tcb) -> int:
    """What of the send buffer was never sent."""
    return max(tcb.snd_buf_bytes - ((tcb.snd_nxt - tcb.snd_una) & MASK), 0)


def _low_water_bytes(tcb: Tcb) -> int:
    """At least a segment, so that no short one leaves only because no more was taken."""
    return max(tcb.agreed.parameters.notsent_lowat_bytes, tcb.agreed.smss)


def low_water(before: Tcb, after: Tcb) -> Actions:
    """Whether a SEND that waits for less to be unsent is to be tried again, where some of it was sent."""
    lowat = _low_water_bytes(after)
    if lowat >= NOTSENT_UNLIMITED or not 2 * unsent_bytes(after) < lowat <= 2 * unsent_bytes(before):
        return ()
    return (Signal.SEND_SPACE,)


def gives_space(parameters: TcpParameters, before_bytes: int, after_bytes: int) -> bool:
    """Whether a SEND that waits is to be tried again, where an ACK has emptied the send buffer so far."""
    if after_bytes <= parameters.send_buffer_bytes // 2 < before_bytes:
        return True
    of_files = parameters.send_file_bytes
    return of_files > parameters.send_buffer_bytes and after_bytes <= of_files - of_files // 8 < before_bytes
