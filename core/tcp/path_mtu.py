"""The path's MTU: reported by ICMP, found by probing, suspected when full segments vanish.

    too_big          ICMP: fragmentation needed, packet too big             RFC 1191, 8201, 5927 7
    too_big_here     our own host refuses what its link does not carry      RFC 1191 3
    probe            a larger segment than is known to pass, of real data   RFC 4821 7, RFC 8899
    is_probe_lost    a lost probe says nothing of congestion                RFC 4821 7.6
    timed_out        full-sized segments time out again and again           RFC 4821 7.7, RFC 2923

Decides Eff.snd.MSS (`Agreed.smss`) of a living connection; `core.tcp.output` decides what is sent with it,
loss recovery what is sent again. `Tcb.path` is absent while the size that was agreed was never in question.
RFC 8899's words: BASE is the size that `blackhole` falls to; in SEARCHING `high` is above the size in use, in
SEARCH_COMPLETE it is not, until `raise_at_us`.
"""

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add, seq_between, seq_le
from gossamer.core.tcp.actions import Actions, PathLearned
from gossamer.core.tcp.constants import (
    BLACK_HOLE_MTUS_IPV4,
    BLACK_HOLE_MTUS_IPV6,
    BLACK_HOLE_TIMEOUTS,
    DUP_THRESH,
    IPV4_HEADER_BYTES,
    IPV6_HEADER_BYTES,
    PATH_MTU_FLOOR_IPV4,
    PATH_MTU_FLOOR_IPV6,
    PATH_MTU_LEAST_IPV4,
    PATH_MTU_PLATEAUS,
    PATH_PROBE_STEP_BYTES,
    PATH_PROBES_MAX,
    PATH_RAISE_US,
    TCP_HEADER_BYTES,
)
from gossamer.core.tcp.ecn_bytes import WHOLE_BYTES
from gossamer.core.tcp.events import PathKnown
from gossamer.core.tcp.handshake import TIMESTAMP_OPTION_BYTES
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Agreed, Path, State, Tcb, TimeWait

replace = msgspec.structs.replace

UNTRIED = Path()


def header_bytes(agreed: Agreed) -> int:
    """What a data segment has around its text."""
    ip_bytes = IPV6_HEADER_BYTES if agreed.is_ipv6 else IPV4_HEADER_BYTES
    option_bytes = TIMESTAMP_OPTION_BYTES if agreed.timestamps else 0
    if agreed.accurate_ecn and agreed.parameters.ecn_on_all and agreed.parameters.ecn_option:
        option_bytes += WHOLE_BYTES
    return ip_bytes + TCP_HEADER_BYTES + option_bytes


def first_path(parameters: TcpParameters) -> Path | None:
    """What a new connection begins with: with `mtu_probing = "on"` it trusts no size but the base."""
    return UNTRIED if parameters.mtu_probing == "on" else None


def lowered(tcb: Tcb, smss: int, high: int, raise_at_us: int) -> Tcb:
    """The connection with smaller segments; `high` is the largest size that may still pass."""
    path = tcb.path
    smss_max = path.smss_max if path is not None and path.smss_max else tcb.agreed.smss
    after = Path(smss_max=smss_max, high=max(high, smss), raise_at_us=raise_at_us)
    return replace(tcb, agreed=replace(tcb.agreed, smss=smss), path=after)


# Reported by ICMP, to this connection or to others before it.


def known(tcb: Tcb | TimeWait, event: PathKnown) -> tuple[Tcb | TimeWait, Actions]:
    """The doer knows from another connection what the path carries; nothing is in flight yet."""
    if not isinstance(tcb, Tcb) or tcb.state <= State.SYN_RECEIVED:
        return tcb, ()
    smss = event.mtu - header_bytes(tcb.agreed)
    if smss >= tcb.agreed.smss:
        return tcb, ()
    return lowered(tcb, smss, smss, event.now_us + PATH_RAISE_US), ()


def claimed_smss(agreed: Agreed, mtu: int) -> int | None:
    """The size that an ICMP report asks for, None when it cannot be true."""
    overhead = header_bytes(agreed)
    if agreed.is_ipv6:
        # RFC 8201 4: a report of "a next-hop MTU that is less than the IPv6 minimum link MTU" is discarded.
        return mtu - overhead if mtu >= PATH_MTU_FLOOR_IPV6 else None
    if not mtu:
        # RFC 1191 5: an old router reports no MTU; take the next plateau below what was sent.
        size = agreed.smss + overhead
        mtu = next((plateau for plateau in PATH_MTU_PLATEAUS if plateau < size), PATH_MTU_FLOOR_IPV4)
    # RFC 1191 3: "A host MUST never reduce its estimate of the Path MTU below 68 octets."
    return max(mtu, PATH_MTU_FLOOR_IPV4) - overhead if mtu >= PATH_MTU_LEAST_IPV4 else None


def too_big(tcb: Tcb, seq: Seq, mtu: int, now_us: int) -> tuple[Tcb, Actions] | None:
    """A segment of ours, in flight, was too big for a router: the connection with smaller segments, or one
    that remembers the claim; None for a claim that cannot be true."""
    smss = claimed_smss(tcb.agreed, mtu)
    if smss is None or tcb.state <= State.SYN_RECEIVED:
        return None
    path = tcb.path
    if smss >= tcb.agreed.smss:
        # RFC 5927 7.2: a size that was never sent; if a probe was too big, it shows where the search ends.
        if path is None or path.probe_end is None or smss >= path.probe_smss:
            return None
        return replace(tcb, path=replace(path, high=smss, failures=PATH_PROBES_MAX)), ()
    if (tcb.snd_una - tcb.agreed.iss - 1) & MASK > smss:
        # RFC 5927 7.2: a segment of that size may have been acknowledged, so the report may be forged: it
        # counts only once the segment it quotes has timed out.
        path = path or Path(tcb.agreed.smss, tcb.agreed.smss, now_us + PATH_RAISE_US)
        return replace(tcb, path=replace(path, claimed_seq=seq, claimed_smss=smss)), ()
    return _learned(tcb, smss, now_us)


def too_big_here(tcb: Tcb, _seq: Seq, mtu: int, now_us: int) -> tuple[Tcb, Actions] | None:
    """Our own host refused a segment, which nobody can forge: the connection with segments that the link
    carries; None when they are small enough already, as after the first of several refusals."""
    smss = claimed_smss(tcb.agreed, mtu)
    if smss is None or tcb.state <= State.SYN_RECEIVED or smss >= tcb.agreed.smss:
        return None
    return _learned(tcb, smss, now_us)


def _learned(tcb: Tcb, smss: int, now_us: int) -> tuple[Tcb, Actions]:
    """RFC 1191 6.3: "The recommended setting for this timeout is twice its minimum value (10 minutes)" before
    a larger size is tried again."""
    learned = PathLearned(smss + header_bytes(tcb.agreed))
    return lowered(tcb, smss, smss, now_us + PATH_RAISE_US), (learned,)


# Found by probing.


def probe(tcb: Tcb, now_us: int, unsent: int, usable: int) -> tuple[Tcb, int]:
    """Before new data is sent on a connection whose path is in question: what the last probe has shown, and
    how long the first segment may be: Eff.snd.MSS, or a probe; 0 when a probe waits for room."""
    tcb = _before_sending(tcb, now_us)
    path, smss = tcb.path, tcb.agreed.smss
    if path is None or path.probe_end is not None or tcb.recovery is not None:
        return tcb, smss
    # RFC 8899 5.3.2 leaves the choice: what was agreed is tried first, then halves of what is left.
    size = path.high if path.high == path.smss_max else (smss + path.high + 1) // 2
    # RFC 4821 7.4: enough must follow it that its loss shows by duplicate ACKs, without a timeout.
    if size <= smss or size + (DUP_THRESH + 1) * smss > min(unsent, tcb.snd_wnd, tcb.congestion.cwnd):
        return tcb, smss
    # Where a window is full but for less, what is in flight makes room with its ACKs: the probe waits.
    return tcb, size if size <= usable else 0


def sent(tcb: Tcb, octets: int) -> Tcb:
    """The first new segment has left, SND.NXT has not moved yet: was it a probe?"""
    if tcb.path is None or octets <= tcb.agreed.smss:
        return tcb
    end = seq_add(tcb.snd_nxt, octets)
    return replace(tcb, path=replace(tcb.path, probe_end=end, probe_smss=octets))


def _before_sending(tcb: Tcb, now_us: int) -> Tcb:
    path, smss = tcb.path, tcb.agreed.smss
    assert path is not None
    if not path.smss_max:
        return lowered(tcb, _base_smss(tcb.agreed, smss) or smss, smss, now_us)
    if path.probe_end is not None:
        return _confirmed(tcb, path, now_us) if seq_le(path.probe_end, tcb.snd_una) else tcb
    if path.high <= smss and path.raise_at_us <= now_us:
        # The search begins again.
        return replace(tcb, path=Path(path.smss_max, path.smss_max, now_us))
    return tcb


def _confirmed(tcb: Tcb, path: Path, now_us: int) -> Tcb:
    """RFC 4821 7.6.1: the probe was delivered; segments have its size from now on. cwnd takes one of them
    (RFC 5681 3.1: the least window is a full-sized segment), as after recovery with the smaller ones it may
    not."""
    agreed = replace(tcb.agreed, smss=path.probe_smss)
    if tcb.congestion.cwnd < path.probe_smss:
        tcb = replace(tcb, congestion=replace(tcb.congestion, cwnd=path.probe_smss))
    if path.probe_smss >= path.smss_max:
        return replace(tcb, agreed=agreed, path=None)
    return replace(tcb, agreed=agreed, path=_narrowed(path, path.probe_smss, path.high, now_us))


def _narrowed(path: Path, smss: int, high: int, now_us: int) -> Path:
    """The search goes on between two sizes, or is over for now."""
    if high - smss < PATH_PROBE_STEP_BYTES:
        return Path(path.smss_max, smss, now_us + PATH_RAISE_US)
    return Path(path.smss_max, high, path.raise_at_us)


def is_probe_lost(tcb: Tcb) -> bool:
    """Whether the earliest octets in flight are a probe: then its loss is no sign of congestion."""
    path = tcb.path
    return (
        path is not None
        and path.probe_end is not None
        and tcb.snd_una == seq_add(path.probe_end, -path.probe_smss)
    )


def without_probe(tcb: Tcb, now_us: int) -> Tcb:
    """The probe in flight was lost, or what becomes of it will show nothing: its octets are sent again in
    smaller segments. RFC 8899 5.1.2: MAX_PROBES losses refute a size."""
    path = tcb.path
    if path is None or path.probe_end is None:
        return tcb
    failures = path.failures + 1
    if failures < PATH_PROBES_MAX:
        return replace(tcb, path=replace(path, probe_end=None, probe_smss=0, failures=failures))
    # If a router has reported its MTU, `high` was set to it already.
    high = min(path.high, path.probe_smss - 1)
    return replace(tcb, path=_narrowed(path, tcb.agreed.smss, high, now_us))


def sent_again(tcb: Tcb, left: Seq, right: Seq, now_us: int) -> Tcb:
    """The octets [left, right) have left again: where some of them are a probe's, an ACK of it does not show
    any more that the probe was delivered."""
    path = tcb.path
    if path is None or path.probe_end is None or seq_le(path.probe_end, left):
        return tcb
    return tcb if seq_le(right, seq_add(path.probe_end, -path.probe_smss)) else without_probe(tcb, now_us)


# Suspected.


def timed_out(tcb: Tcb, now_us: int) -> tuple[Tcb, Actions]:
    """Before the earliest segment is sent again after its timeout: in which size that will be."""
    if tcb.path is not None:
        seq, smss = tcb.path.claimed_seq, tcb.path.claimed_smss
        tcb = without_probe(replace(tcb, path=replace(tcb.path, claimed_seq=None)), now_us)
        if seq is not None and smss < tcb.agreed.smss and seq_between(tcb.snd_una, seq, tcb.snd_nxt):
            return _learned(tcb, smss, now_us)
    if tcb.agreed.parameters.mtu_probing == "off" or tcb.backoff + 1 < BLACK_HOLE_TIMEOUTS:
        return tcb, ()
    # A segment is as long as what is in flight at most, though larger ones be allowed.
    size = min((tcb.snd_nxt - tcb.snd_una) & MASK, tcb.snd_buf_bytes, tcb.agreed.smss)
    base = _base_smss(tcb.agreed, size)
    if base is None:
        return tcb, ()
    # RFC 4821 7.7: the size was the cause, or the path was down: probing shows which once ACKs come again.
    return lowered(tcb, base, tcb.agreed.smss if tcb.path is None else tcb.path.smss_max, now_us), ()


def _base_smss(agreed: Agreed, size: int) -> int | None:
    """The largest of the sizes that pass nearly everywhere, and is less than that one by what a search takes
    for a difference; None when there is none."""
    overhead, most = header_bytes(agreed), size - PATH_PROBE_STEP_BYTES
    mtus = BLACK_HOLE_MTUS_IPV6 if agreed.is_ipv6 else BLACK_HOLE_MTUS_IPV4
    return next((mtu - overhead for mtu in mtus if mtu - overhead <= most), None)
