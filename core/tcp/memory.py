"""How much all connections of a process may hold in their buffers, and what each may when that becomes short.

    held octets -> level: CALM | PRESSED | FULL
    level, who holds much -> the buffers of each of those

While it is calm every connection has the buffers that are configured. Pressed, those that hold much share
half of the budget evenly: they put nothing more into their send buffers, and offer nothing more to their
peers, than that. What was offered stands, and what is held stays, so a buffer may be fuller than it is large.
When all is full they get the least, and text that nobody waits for is not taken. A connection that holds
less than FREE_BYTES is left alone at any level, so that nobody waits for memory who needs hardly any.

Owns the levels and the shares; it must never know who the holders are. The doer is `core.loop.tcp.memory`.

Source: tcp(7), tcp_mem, of which "pressure" and "high" have their counterparts here.
"""

from enum import IntEnum
from typing import Final

from gossamer.core.tcp.parameters import MEMORY_UNLIMITED
from gossamer.core.tcp.tcb import Tcb

FREE_BYTES: Final = 16_384
"""What a connection may hold in each direction whatever others do. Linux guarantees 4,096 (tcp_wmem)."""


class Level(IntEnum):
    """How short memory is."""

    CALM = 0
    PRESSED = 1
    FULL = 2


def pressure_bytes(budget_bytes: int) -> int:
    """From where on memory is short."""
    return budget_bytes * 3 // 4


def level_after(before: Level, held_bytes: int, budget_bytes: int) -> Level:
    """The level once so much is held. It rises at three quarters of the budget and at all of it, and falls
    again at a half and at three quarters."""
    is_pressed = held_bytes >= pressure_bytes(budget_bytes)
    if held_bytes >= budget_bytes or (before is Level.FULL and is_pressed):
        return Level.FULL
    if is_pressed or (before is not Level.CALM and held_bytes >= budget_bytes // 2):
        return Level.PRESSED
    return Level.CALM


def share_bytes(level: Level, holders: int, budget_bytes: int) -> int:
    """How large each buffer of a holder is, at least FREE_BYTES; MEMORY_UNLIMITED: as configured. A power of
    two, so that it seldom changes while holders come and go."""
    if level is Level.CALM:
        return MEMORY_UNLIMITED
    each = budget_bytes // (2 * max(holders, 1)) if level is Level.PRESSED else 0
    return max(1 << max(each.bit_length() - 1, 0), FREE_BYTES)


def held_bytes(tcb: Tcb, *, has_files: bool = False) -> int:
    """Octets of a connection that take memory: sent and not acknowledged, received and not taken, or out of
    order. Those of a file take none."""
    held = tcb.snd_buf_bytes + tcb.rcv_buf_bytes
    if has_files:
        held = tcb.rcv_buf_bytes + sum(len(chunk) for chunk in tcb.snd_buf if isinstance(chunk, bytes))
    if tcb.reassembly is not None:
        held += sum(len(chunk) for block in tcb.reassembly.blocks for chunk in block.chunks)
    return held
