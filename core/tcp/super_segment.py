"""What leaves as one super-segment, new or sent again.

Full segments that follow one another at once, and the shorter last one that would go with them, are made as
one: cut into pieces (`core.wire.cutting`) it is what would have left without, segment for segment, and the
connection is the same after it. Loss recovery, pacing and congestion control count octets, and notice no
difference. Probes stay single.
"""

from collections.abc import Sequence
from typing import NamedTuple

from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.tcp.pacing import UNPACED
from gossamer.core.tcp.silly_window import is_worth_sending
from gossamer.core.tcp.tcb import Tcb


class Room(NamedTuple):
    """What new data may leave, in octets."""

    usable: int
    """What the peer's window still takes."""
    congestion: int
    """What cwnd has room for."""
    allowance: int
    """What pacing lets out: a segment leaves while anything of it is left."""


def together(tcb: Tcb, size: int, flight: int, unsent: int, room: Room) -> tuple[int, int]:
    """What leaves with a segment of `size` octets that may leave and is not the last: how many octets with
    its own, and the `cut_bytes` of them all."""
    smss = tcb.agreed.smss
    if size != smss or tcb.agreed.accurate_ecn:
        # A part of one, where the window is small, or a probe of the path: it stays alone. So does all with
        # accurate ECN: whoever cuts takes CWR from all packets but the first, and it is a counter's bit.
        return size, 0
    octets = _full_and_rest(tcb, flight, unsent, room)
    return (octets, smss) if octets > smss else (smss, 0)


def _full_and_rest(tcb: Tcb, flight: int, unsent: int, room: Room) -> int:
    """The octets of all full segments that leave now, at least one, and of a shorter last one behind them."""
    smss, bound = tcb.agreed.smss, tcb.agreed.parameters.super_segment_bytes
    count = min(unsent, room.usable, room.congestion, bound) // smss
    if room.allowance != UNPACED:
        count = min(count, -(-room.allowance // smss))
    full = max(count, 1) * smss
    rest = unsent - full
    if rest >= smss or full + rest > min(room.usable, room.congestion, bound) or full >= room.allowance:
        return full
    if tcb.reassembly is not None and tcb.agreed.sack:
        # It has SACK blocks to bear, which the full ones before it have no room for.
        return full
    return full + rest if is_worth_sending(tcb, rest, rest, flight + full) else full


def retransmitted_together(tcb: Tcb, again: Sequence[tuple[Seq, int]]) -> list[tuple[Seq, int, int]]:
    """What is sent again at once, (seq, length) each of a segment, in the fewest segments: (seq, length,
    cut_bytes). A FIN without text stays alone."""
    smss, bound = tcb.agreed.smss, tcb.agreed.parameters.super_segment_bytes
    runs: list[tuple[Seq, int, int]] = []
    for seq, length in again:
        if runs and not tcb.agreed.accurate_ecn and (seq - tcb.snd_una) & MASK < tcb.snd_buf_bytes:
            first, so_far, _ = runs[-1]
            # What ends a record is shorter than a segment, or ends at its end: no packet spans it.
            if seq == seq_add(first, so_far) and not so_far % smss and so_far + length <= bound:
                runs[-1] = (first, so_far + length, smss)
                continue
        runs.append((seq, length, 0))
    return runs
