"""How much a SEND may put into the send buffer, and when one that waits for room is told that there is some.

Octets take memory, up to `send_buffer_bytes`. Those of a file take none: they may stand there up to
`send_file_bytes`, together with all else. A thread that sends a file is woken once for each eighth of that
and not for every few segments; not for more, since a send has a timeout, in which so much must be
acknowledged.
"""

from gossamer.core.tcp.parameters import EXTENT_BYTES_MIN, TcpParameters
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.text import Extent


def room_bytes(tcb: Tcb, data: bytes | Extent) -> int:
    """How much of `data` finds room, at most all. Of an extent nothing, where it would be so little that the
    buffer came to hold many of them."""
    parameters, size = tcb.agreed.parameters, len(data)
    if isinstance(data, bytes):
        return min(size, max(parameters.send_buffer_bytes - tcb.snd_buf_bytes, 0))
    bound = max(parameters.send_file_bytes, parameters.send_buffer_bytes)
    room = bound - tcb.snd_buf_bytes
    return min(size, room) if room >= min(size, EXTENT_BYTES_MIN, bound // 8) else 0


def gives_space(parameters: TcpParameters, before_bytes: int, after_bytes: int) -> bool:
    """Whether a SEND that waits is to be tried again, where an ACK has emptied the send buffer so far."""
    if after_bytes <= parameters.send_buffer_bytes // 2 < before_bytes:
        return True
    of_files = parameters.send_file_bytes
    return of_files > parameters.send_buffer_bytes and after_bytes <= of_files - of_files // 8 < before_bytes
