"""The send buffer as Linux counts it where a script sets `tcp_wmem`: memory, and not octets alone.

Owns how much of a write is taken at once, when there is room again, and how the buffer grows. Octets are
taken in chunks of as many full segments as half the largest window of the peer holds; each chunk costs what
describes it, and a new one is begun while the buffer is not full. There is room once a third of the buffer is
free. Who lacked room has the buffer grow with cwnd, unless SO_SNDBUF has set it.

Source: tcp_wmem of ip-sysctl.rst; the costs are those of a 64-bit Linux 6.x.
"""

from typing import Final

from gossamer.core.tcp.tcb import Tcb

CHUNK_COST_BYTES: Final = 896
"""What describes a chunk: a buffer's head and room for headers."""
SEGMENT_COST_BYTES: Final = 640
"""What a full segment takes beside its text where growth is reckoned: both together, up to a power of two."""
DESCRIPTION_BYTES: Final = 256
"""And this beside it."""
SEGMENTS_LEAST: Final = 10
CHUNK_BYTES_MAX: Final = 65_536


class SendMemory:
    """The send buffer of one connection."""

    def __init__(self, first_bytes: int, most_bytes: int) -> None:
        self.limit_bytes = first_bytes
        self._most_bytes = most_bytes
        self._is_set = False

    def set(self, limit_bytes: int) -> None:
        """SO_SNDBUF, which Linux doubles: it grows no more."""
        self.limit_bytes, self._is_set = 2 * limit_bytes, True

    def used_bytes(self, tcb: Tcb) -> int:
        """What is held, with what describes it."""
        return tcb.snd_buf_bytes + -(-tcb.snd_buf_bytes // _chunk_bytes(tcb)) * CHUNK_COST_BYTES

    def room_bytes(self, tcb: Tcb, unsent_bytes: int) -> int:
        """What of a write is taken next: the rest of the chunk that was begun, or another chunk; 0 when the
        buffer is full."""
        chunk_bytes = _chunk_bytes(tcb)
        begun_bytes = unsent_bytes % chunk_bytes
        if begun_bytes:
            return chunk_bytes - begun_bytes
        return chunk_bytes if self.used_bytes(tcb) < self.limit_bytes else 0

    def is_roomy(self, tcb: Tcb) -> bool:
        """Whether a writer who waits is let on."""
        return 3 * self.used_bytes(tcb) <= 2 * self.limit_bytes

    def grow(self, tcb: Tcb) -> None:
        """Somebody lacks room, and something was acknowledged."""
        if self._is_set:
            return
        smss = tcb.agreed.smss
        segment_bytes = (1 << (smss + SEGMENT_COST_BYTES - 1).bit_length()) + DESCRIPTION_BYTES
        segments = max(tcb.congestion.cwnd // smss, SEGMENTS_LEAST)
        self.limit_bytes = max(self.limit_bytes, min(2 * segments * segment_bytes, self._most_bytes))


def _chunk_bytes(tcb: Tcb) -> int:
    half_bytes = min(tcb.max_snd_wnd // 2, CHUNK_BYTES_MAX)
    return max(half_bytes // tcb.agreed.smss, 1) * tcb.agreed.smss
