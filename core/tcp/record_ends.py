"""Where records end that no segment may span, as MSG_EOR asks for.

Owns `Tcb.record_ends`. What ends a record leaves with PSH, and at once when more stands behind it.

Bounds: RECORD_ENDS_MAX; the ends of further ones are not kept until some of these are acknowledged, so that
segments may span them.

Source: MSG_EOR of send(2), as Linux has it for TCP.
"""

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add, seq_le
from gossamer.core.tcp.constants import RECORD_ENDS_MAX
from gossamer.core.tcp.tcb import State, Tcb

replace = msgspec.structs.replace


def ended(tcb: Tcb) -> Tcb:
    """The connection whose send buffer ends a record."""
    if len(tcb.record_ends) >= RECORD_ENDS_MAX:
        return tcb
    # Before the handshake is over SND.UNA is the SYN's, unless the user has the connection early.
    syn = tcb.state <= State.SYN_RECEIVED and not (tcb.fast_open is not None and tcb.fast_open.is_early)
    end = seq_add(tcb.snd_una, tcb.snd_buf_bytes + syn)
    return tcb if end in tcb.record_ends[-1:] else replace(tcb, record_ends=(*tcb.record_ends, end))


def after_ack(ends: tuple[Seq, ...], ack: Seq) -> tuple[Seq, ...]:
    """The ends that an ACK leaves. Each goes once, so the walk is paid for by its making."""
    index = 0
    while index < len(ends) and seq_le(ends[index], ack):
        index += 1
    return ends[index:]


def within(tcb: Tcb, seq: Seq, length: int) -> int:
    """How much of `length` octets from `seq` on is of one record."""
    base = tcb.snd_una
    position = (seq - base) & MASK
    ends, low, high = tcb.record_ends, 0, len(tcb.record_ends)
    while low < high:
        middle = (low + high) >> 1
        if (ends[middle] - base) & MASK <= position:
            low = middle + 1
        else:
            high = middle
    return length if low == len(ends) else min(length, ((ends[low] - base) & MASK) - position)


def last_part(tcb: Tcb, length: int) -> int:
    """How much of the last `length` octets in flight is of the last record there."""
    start = seq_add(tcb.snd_nxt, -length)
    part = within(tcb, start, length)
    while part < length:
        start, length = seq_add(start, part), length - part
        part = within(tcb, start, length)
    return length
