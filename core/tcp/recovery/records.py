"""What a connection remembers for loss recovery: what is in flight, what of it is lost, how to undo it.

Owns the records, parts of a `Tcb` that are absent while segments flow in order. Law 1 holds for them as for
all of it (`core.tcp.tcb`).

Source: RFC 6582, 6675, 8985, 9937, 5682 and 4015.
"""

from enum import IntEnum

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import Seq
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import DUP_THRESH


class Phase(IntEnum):
    """What loss recovery is about."""

    DISORDER = 0
    """Duplicate ACKs or SACKs have come, fewer than the threshold."""
    FAST = 1
    """Fast recovery: RFC 6582, RFC 6675."""
    LOSS = 2
    """After a retransmission timeout: what was in flight is sent again as cwnd allows."""


class Recovery(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Loss recovery; absent while segments flow in order."""

    phase: Phase
    recover: Seq
    """Recovery ends when this is acknowledged, and duplicates begin none before (RFC 6582 3.2)."""
    dup_acks: int = 0
    sacked: tuple[tuple[Seq, Seq], ...] = ()
    """The scoreboard: disjoint ascending ranges in (SND.UNA, SND.NXT], at most SACKED_RANGES_MAX."""
    sacked_bytes: int = 0
    lost: tuple[tuple[Seq, Seq], ...] = ()
    """What is taken for lost and not sent again since: disjoint ascending ranges, apart from `sacked`."""
    lost_bytes: int = 0
    dup_acked_bytes: int = 0
    """Bytes taken for gone from the network by duplicate ACKs when the peer sends no SACK."""
    must_send: bool = False
    """The next retransmission goes whatever cwnd says (RFC 5681 3.2 (3), RFC 6582 3.2 (5), RFC 6298 5.4)."""
    rack_sent_at_us: int = 0
    """RACK.xmit_ts: when the latest sent of the segments that have arrived was sent (RFC 8985 5.3)."""
    rack_end: Seq = Seq(0)
    """RACK.end_seq: where it ends."""
    rack_rtt_us: int = 0
    """RACK.rtt: its round-trip time."""
    rack_is_retransmitted: bool = False
    """Whether it had been sent before."""
    rto_at_us: int = NEVER_US
    """The retransmission timeout, while `rtx_at_us` is the reordering timer (RFC 8985 8)."""
    reduced_at_us: int = 0
    """When congestion was last answered: a retransmission lost since then is another sign of it."""
    prr_delivered: int = 0
    """Bytes delivered in this recovery (RFC 9937 6.1)."""
    prr_out: int = 0
    """Bytes sent in this recovery."""
    prr_flight: int = 0
    """RecoverFS: FlightSize when it began."""
    frto_step: int = 0
    """Step of F-RTO that the next ACK answers (RFC 5682 2.1): 2, 3, or 0 when it is not in use."""
    probe_end: Seq | None = None
    """TLP.end_seq: SND.NXT when a tail loss probe went out that is not settled (RFC 8985 7.1)."""
    probe_is_retransmission: bool = False
    """TLP.is_retrans: the probe carried octets that had been sent before."""
    judged_to: Seq | None = None
    """Below it RACK has nothing more to find of what was sent but once: it has arrived, is lost, or went
    again (RFC 8985 6.2); None: nothing is known yet."""
    again_since_us: int = 0
    """Nothing that went again before it is still on its way; 0: nothing is known, NEVER_US: nothing is."""
    missing_bytes: int = -1
    """From the first partial ACK without SACK on: how much a peer may miss that keeps what comes out of
    order, since for so much no duplicate has come; 0 when it keeps nothing; -1 before (`discarded`)."""
    again_until_us: int = 0
    """Nothing that went again after it is still on its way."""


class Delivery(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What has been delivered, and since when: for algorithms that sample the delivery rate
    (`delivery_rate`)."""

    delivered_bytes: int = 0
    """C.delivered: cumulatively or selectively acknowledged, since the algorithm asked for it."""
    delivered_at_us: int = 0
    """C.delivered_time: when that was acknowledged."""
    first_sent_at_us: int = 0
    """C.first_sent_time: when what was delivered last had been sent."""
    position: Seq = Seq(0)
    """SND.UNA when all that is delivered is counted without gaps, at its highest: what a peer takes back and
    reports again was not delivered twice."""
    app_limited_bytes: int = 0
    """C.app_limited: once so much is delivered, nothing is under way that was sent because data was short; 0
    when there is no such bubble."""
    lost_bytes: int = 0
    """C.lost: taken for lost by what ACKs have shown."""


class Run(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A stretch of sequence space in flight, sent at nearly the same time (`recovery.transmissions`)."""

    right: Seq
    """Where it ends; it begins where the one before ends, or at SND.UNA."""
    sent_at_us: int
    retransmitted: bool = False
    """Whether it had been sent before."""
    delivery: Delivery | None = None
    """`Tcb.delivery` as it was when the run was sent."""
    since_us: int = 0
    """When the first of its octets were sent, where runs were joined; 0: all of them at `sent_at_us`."""


class Rack(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is known of reordering on the path; absent while none was seen. Source: RFC 8985 5.3."""

    reordering_seen: bool = False
    reordering: int = DUP_THRESH
    """By how many segments what came late was behind what came first, at most so far."""
    reo_wnd_mult: int = 1
    reo_wnd_persist: int = 0
    dsack_round: Seq | None = None


class Undo(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the last recovery did, so that it can be undone when it was for nothing. Source: RFC 4015."""

    before: Congestion
    """As it was when the recovery began."""
    start: Seq
    end: Seq
    """What was in flight then."""
    retransmitted_bytes: int = 0
    """Sent again since and not reported as a duplicate (RFC 3708)."""
    retransmit_ts: int = -1
    """TSval of the first retransmission (RFC 3522); -1 before it, and when it says nothing any more."""
    is_timeout: bool = False
    is_over: bool = False
    """Whether the recovery has ended."""
