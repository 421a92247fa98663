"""What a run measured, as records that encode to JSON. All times are virtual and count from the start of the
run.

Owns the names of the figures; `core.sim.measure` takes them.
"""

import msgspec


class FlowSample(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A flow at one time."""

    at_us: int
    cwnd_bytes: int
    flight_bytes: int
    srtt_us: int
    delivered_bytes: int
    queue_bytes: int
    """Of the bottleneck; the same for all flows."""
    retransmitted: int
    arrived_bytes: int
    """Octets that have reached the server, in order or not: what was delivered comes in bursts, whenever a
    gap is filled."""
    lost: int
    """Segments that did not reach it so far, lost on the way or dropped by the queue; of all flows, as
    marks."""
    marked: int


class FlowReport(msgspec.Struct, frozen=True, kw_only=True):
    """One flow."""

    number: int
    congestion: str
    started_us: int
    ended_us: int | None
    """When the last octet and the FIN had reached the server; None when that did not happen."""
    failure: str | None
    delivered_bytes: int
    goodput_bps: float
    """Octets delivered, over the time from the flow's begin to its end or the run's."""
    steady_bps: float
    """Octets that arrived, in order or not, over the time in the second half of the run."""
    throughput_bps: float
    """Payload put on the wire, retransmissions too, over the same time as goodput."""
    segments_sent: int
    """By the client, pure ACKs too."""
    acks_sent: int
    """By the server."""
    retransmitted: int
    retransmitted_bytes: int
    timeouts: int
    recoveries_us: list[int]
    """From each first retransmission to the ACK of all that had been sent by then."""
    rtt_min_us: int
    rtt_mean_us: int
    rtt_max_us: int
    cwnd_mean_bytes: int
    cwnd_max_bytes: int
    samples: list[FlowSample]


class LinkReport(msgspec.Struct, frozen=True, kw_only=True):
    """One direction of the bottleneck."""

    segments: int
    bytes: int
    lost: int
    overflowed: int
    marked: int
    corrupted: int
    duplicated: int
    reordered: int
    too_big: int
    queue_bytes_max: int


class TheoryBounds(msgspec.Struct, frozen=True, kw_only=True):
    """What theory allows one flow that is alone, or expects of it; None where it says nothing."""

    path_bps: float | None
    window_bps: float
    loss_bps: float | None
    """The mean of a long run, with losses each by itself: a short one, or one with bursts, may do better."""
    least_bps: float
    """The least of them."""


class SimulationReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    seed: int
    ended_us: int
    """When the last flow ended, or the run did."""
    has_finished: bool
    """Whether every octet of every flow was delivered, and every connection closed."""
    segments: int
    goodput_bps: float
    """Of all flows together."""
    utilisation: float | None
    """Goodput over what the bottleneck leaves for payload."""
    jain: float
    """Of the flows' steady rates."""
    steps_checked: int
    """Steps that the oracle looked at; 0 when it was off."""
    migrations: int
    """Steps that were repeated from the decoded connection."""
    bounds: TheoryBounds
    flows: list[FlowReport]
    forward: LinkReport
    backward: LinkReport
