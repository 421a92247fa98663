"""What must hold of every connection after every step, whatever the wire did.

Owns the invariants of RFC 9293 that one step can break: `check` is an `Observer`, and it asserts. It knows
nothing of the wire or of the other end. `core.sim.transitions` says which states may follow each other.

Source: RFC 9293 3.3.1, 3.4, 3.8; law 4 (bounds).
"""

from itertools import pairwise

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK, Seq, seq_add, seq_diff, seq_le, seq_lt
from gossamer.core.sim import transitions
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.buffer import Sent
from gossamer.core.tcp.constants import (
    COALESCE_BYTES,
    REASSEMBLY_BLOCKS_MAX,
    SACKED_RANGES_MAX,
    TRANSMISSIONS_MAX,
)
from gossamer.core.tcp.events import Event, Timeout
from gossamer.core.tcp.fast_open import is_early
from gossamer.core.tcp.output import flight_bytes, is_fin_unsent
from gossamer.core.tcp.recovery.ranges import covered, total_bytes
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.step import Connection
from gossamer.core.tcp.tcb import Reassembly, State, Tcb
from gossamer.core.wire.segment import CE, CWR, FIN, RST, SYN, Segment


def check(before: Connection, event: Event, after: Connection | None, actions: Actions) -> None:
    """Assert every invariant of one step of a connection."""
    transitions.check(before, event, after, actions)
    if not isinstance(before, Tcb) or not isinstance(after, Tcb):
        return
    _check_sequence(before, after)
    _check_buffers(after)
    _check_timers(after)
    _check_transmissions(after)
    _check_recovery(after)
    for action in actions:
        if isinstance(action, Segment):
            _check_segment(before, event, after, action)


def _check_sequence(before: Tcb, after: Tcb) -> None:
    """What never goes back."""
    assert seq_le(before.snd_una, after.snd_una), "SND.UNA went back"
    assert seq_le(before.snd_nxt, after.snd_nxt), "SND.NXT went back"
    assert seq_le(after.snd_una, after.snd_nxt), "SND.UNA is beyond SND.NXT"
    if before.state is State.SYN_SENT:
        return
    assert seq_le(before.rcv_nxt, after.rcv_nxt), "RCV.NXT went back"
    # A FIN takes a number and no room: the edge may stand one octet further right after it.
    moved = seq_diff(seq_add(after.rcv_nxt, after.rcv_wnd), seq_add(before.rcv_nxt, before.rcv_wnd))
    assert moved >= 0, "the right edge of the receive window moved left"


def _check_buffers(tcb: Tcb) -> None:
    """Bounds, and counts that agree with what they count."""
    parameters = tcb.agreed.parameters
    assert 0 <= tcb.snd_buf_bytes <= max(parameters.send_buffer_bytes, parameters.send_file_bytes)
    in_memory = sum(len(chunk) for chunk in tcb.snd_buf if isinstance(chunk, bytes))
    assert in_memory - tcb.snd_buf_offset <= parameters.send_buffer_bytes
    assert _octets(tcb.snd_buf) == tcb.snd_buf_bytes + tcb.snd_buf_offset, "snd_buf_bytes is not what is held"
    assert _octets(tcb.rcv_buf) == tcb.rcv_buf_bytes + tcb.rcv_buf_offset, "rcv_buf_bytes is not what is held"
    held = 0 if tcb.reassembly is None else _check_reassembly(tcb, tcb.reassembly)
    assert 0 <= tcb.rcv_wnd <= parameters.receive_buffer_bytes
    assert tcb.rcv_buf_bytes + held <= parameters.receive_buffer_bytes, "more is held than RCV.BUFF"
    _check_chunks(tcb.snd_buf)
    _check_chunks(tcb.rcv_buf)


def _octets(chunks: Sent) -> int:
    return sum(map(len, chunks))


def _check_chunks(chunks: Sent) -> None:
    assert all(chunks), "a chunk is empty"
    assert len(chunks) <= 2 * _octets(chunks) // COALESCE_BYTES + 2, "small chunks were not coalesced"


def _check_reassembly(tcb: Tcb, held: Reassembly) -> int:
    """Runs ascend, never touch, and lie in the window. Returns their octets."""
    assert len(held.blocks) <= REASSEMBLY_BLOCKS_MAX
    position = 0
    for block in held.blocks:
        left, right = (block.left - tcb.rcv_nxt) & MASK, (block.right - tcb.rcv_nxt) & MASK
        assert position < left < right <= tcb.rcv_wnd, "a run touches its neighbour or leaves the window"
        assert _octets(block.chunks) == right - left
        _check_chunks(block.chunks)
        position = right
    return sum(_octets(block.chunks) for block in held.blocks)


def _check_timers(tcb: Tcb) -> None:
    """RFC 6298 5.1 and 5.2, RFC 9293 3.8.6: a timer runs exactly while something waits for it."""
    waits = is_early(tcb) or flight_bytes(tcb) > 0
    if tcb.pace_at_us == NEVER_US:
        waits = waits or tcb.snd_buf_bytes > 0 or is_fin_unsent(tcb)
    assert (tcb.rtx_at_us != NEVER_US) == waits, "the retransmission timer is armed for nothing, or not armed"
    if tcb.state > State.SYN_RECEIVED and tcb.rcv_nxt != tcb.last_ack_sent:
        assert tcb.ack_at_us != NEVER_US, "octets came and no ACK is on its way"


def _check_transmissions(tcb: Tcb) -> None:
    """Runs ascend from SND.UNA to SND.NXT."""
    runs = tcb.transmissions
    assert len(runs) <= TRANSMISSIONS_MAX
    if runs:
        places = [0, *((run.right - tcb.snd_una) & MASK for run in runs)]
        assert all(before < after for before, after in pairwise(places)), "runs of sequence space overlap"
        assert places[-1] == flight_bytes(tcb), "the runs are not what is in flight"


def _check_recovery(tcb: Tcb) -> None:
    if tcb.state > State.SYN_RECEIVED:
        assert tcb.congestion.cwnd >= tcb.agreed.smss, "cwnd fell below one segment"
    if tcb.recovery is None:
        return
    is_probed = tcb.recovery.probe_end is not None
    assert flight_bytes(tcb) > 0 or is_probed, "loss recovery with nothing in flight"
    _check_scoreboard(tcb, tcb.recovery)


def _check_scoreboard(tcb: Tcb, recovery: Recovery) -> None:
    """Ranges ascend, never touch, and lie in (SND.UNA, SND.NXT]."""
    assert len(recovery.sacked) <= SACKED_RANGES_MAX
    assert recovery.dup_acked_bytes <= flight_bytes(tcb)
    position = -1
    for left, right in recovery.sacked:
        start, end = (left - tcb.snd_una) & MASK, (right - tcb.snd_una) & MASK
        assert position < start < end <= flight_bytes(tcb), "the scoreboard is not in order, or not in flight"
        position = end
    _check_lost(tcb, recovery)


def _check_lost(tcb: Tcb, recovery: Recovery) -> None:
    """What is lost ascends, is in flight, and is nothing that was reported; counts are what they count."""
    position = -1
    for left, right in recovery.lost:
        start, end = (left - tcb.snd_una) & MASK, (right - tcb.snd_una) & MASK
        assert position < start < end <= flight_bytes(tcb), "what is lost is not in order, or not in flight"
        assert not list(covered(recovery.sacked, left, right, tcb.snd_una)), "lost, and reported"
        position = end
    assert total_bytes(recovery.lost) == recovery.lost_bytes
    assert total_bytes(recovery.sacked) == recovery.sacked_bytes
    assert recovery.phase is not Phase.DISORDER or not recovery.lost, "lost, and no recovery"


def _check_segment(before: Tcb, event: Event, after: Tcb, segment: Segment) -> None:
    """No segment says what was not agreed, nor sends outside the peer's window."""
    agreed = after.agreed
    assert 0 <= segment.window <= 0xFFFF
    largest = agreed.smss if after.path is None else max(agreed.smss, after.path.probe_smss)
    assert len(segment.payload) <= largest, "a segment is longer than the peer takes"
    assert bool(segment.sack) <= agreed.sack
    if segment.payload and segment.sack:
        used_bytes = len(segment.payload) + 4 + 8 * len(segment.sack)
        assert used_bytes <= agreed.smss, "SACK blocks make a segment longer than the peer takes"
    _check_ecn(before, after, segment)
    if segment.flags & RST:
        return
    assert segment.ecn & ~CE == agreed.traffic_class, "not with the Diffserv field that was asked for"
    if segment.flags & SYN:
        return
    assert (segment.ts_val >= 0) == agreed.timestamps
    end = _end(segment)
    if end == segment.seq or seq_le(end, before.snd_nxt):
        return
    is_probe = isinstance(event, Timeout) and seq_diff(end, after.snd_una) == 1
    edge = seq_add(after.snd_una, after.snd_wnd)
    assert is_probe or not seq_lt(edge, end), "octets were sent beyond the peer's window"


def _check_ecn(before: Tcb, after: Tcb, segment: Segment) -> None:
    """Source: RFC 3168 6.1.4 to 6.1.6: new data is ECN-capable, and nothing else; 6.1.2 for CWR."""
    if segment.ecn & CE:
        assert segment.ecn & CE == after.agreed.ect, "ECT was not agreed on"
        assert segment.payload, "a segment without data is ECT"
        assert seq_le(before.snd_nxt, Seq(segment.seq)), "a retransmission is ECT"
    if segment.flags & (SYN | CWR) == CWR and not after.agreed.accurate_ecn:
        assert segment.ecn & CE, "CWR on something other than new data"


def _end(segment: Segment) -> Seq:
    """The sequence number after the last octet."""
    return seq_add(Seq(segment.seq), len(segment.payload) + (segment.flags & FIN))
