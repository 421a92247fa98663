"""Numbers of the script to numbers of the run, and back.

A script begins each direction at a sequence number of its own, and its timestamps where it likes. The peer's
numbers are used as they are in a SYN, and counted from its initial one in every other segment; ours are moved
by the distance of the two initial sequence numbers, and our timestamps by what the first one showed.

Source: the tool's published semantics.
"""

from gossamer.core.packetdrill.script import TcpOption, TcpPacket
from gossamer.core.records import replace
from gossamer.core.seq import MASK
from gossamer.core.wire.segment import ACK, SYN, Segment


class Mapping:
    """The numbers of one flow."""

    def __init__(self) -> None:
        self.peer_isn = 0
        """What the peer's numbers count from in segments that are no SYN."""
        self._live_iss: int | None = None
        """Our initial sequence number."""
        self._script_iss = 0
        """Where our numbers begin in the script, once that is not 0 and nothing has shown how it counts."""
        self._local_offset = 0
        """To add to a sequence number of ours in the script."""
        self._ts_offset: int | None = None
        """To add to a timestamp of ours in the script, when no packet of the script carried it."""
        self._ts_vals: dict[int, int] = {}

    def learn_iss(self, script_seq: int, live_seq: int) -> None:
        """Our SYN was seen; that of a further connection of the flow has timestamps of its own."""
        if live_seq != self._live_iss:
            self._live_iss, self._ts_offset, self._ts_vals = live_seq, None, {}
        self._local_offset, self._script_iss = (live_seq - script_seq) & MASK, script_seq

    def settle(self, number: int) -> None:
        """The first number of ours behind a SYN: a script whose SYN is not at 0 may count all that follows
        from there, or from 0, as it does the peer's."""
        if self._script_iss and number == 1:
            self._local_offset = (self._local_offset + self._script_iss) & MASK
        self._script_iss = 0

    def learn_timestamp(self, script_val: int, live_val: int) -> None:
        """A timestamp of ours was seen."""
        if self._ts_offset is None:
            self._ts_offset = (live_val - script_val) & MASK
        self._ts_vals[script_val] = live_val

    def live_local(self, seq: int) -> int:
        """A sequence number of ours, from script to run."""
        return (seq + self._local_offset) & MASK

    def script_local(self, seq: int) -> int:
        """A sequence number of ours, from run to script."""
        return (seq - self._local_offset) & MASK

    def script_timestamp(self, val: int) -> int:
        """A timestamp of ours, from run to script."""
        return (val - (self._ts_offset or 0)) & MASK

    def inbound(self, packet: TcpPacket) -> tuple[TcpPacket, tuple[TcpOption, ...]]:
        """A packet to inject, with the numbers of the run."""
        has_ack = bool(packet.flags & ACK)
        if has_ack and not packet.flags & SYN:
            self.settle(packet.ack or 0)
        ack = self.live_local(packet.ack or 0) if has_ack else packet.ack
        options = tuple(self._live_option(option, has_ack) for option in packet.options or ())
        seq = packet.seq if packet.flags & SYN else (packet.seq + self.peer_isn) & MASK
        return replace(packet, seq=seq, ack=ack), options

    def _live_option(self, option: TcpOption, has_ack: bool) -> TcpOption:
        if option.name == "sack":
            return TcpOption("sack", tuple(map(self.live_local, option.numbers)))
        if option.name == "TS" and has_ack:
            val, ecr = option.numbers
            return TcpOption("TS", (val, self._live_ecr(ecr)))
        return option

    def _live_ecr(self, ecr: int) -> int:
        live = self._ts_vals.get(ecr)
        if live is None:
            live = (ecr + (self._ts_offset or 0)) & MASK
        return live

    def outbound(self, segment: Segment) -> Segment:
        """A segment that was sent, with the numbers of the script."""
        seq = self.script_local(segment.seq)
        if not self.peer_isn or segment.flags & (SYN | ACK) != ACK:
            return replace(segment, seq=seq)
        sack = tuple((self._script_remote(left), self._script_remote(right)) for left, right in segment.sack)
        return replace(segment, seq=seq, ack=self._script_remote(segment.ack), sack=sack)

    def _script_remote(self, seq: int) -> int:
        return (seq - self.peer_isn) & MASK
