"""What an operator may tune of the TCP: each parameter with its unit, its default, its bounds and its source.

A connection carries the `TcpParameters` it was opened with, so that it goes on unchanged wherever it is
decoded. What nobody tunes is in `core.tcp.constants`.
"""

from typing import Annotated, Final, Literal, NamedTuple, get_type_hints

import msgspec

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.tcp.constants import CLOCK_GRANULARITY_US, MILLISECOND_US, MSS_FLOOR
from gossamer.core.tcp.deviations import NO_DEVIATIONS, Deviations
from gossamer.core.wire.cutting import SUPER_SEGMENT_BYTES_MAX

MtuProbing = Literal["off", "blackhole", "on"]


class Bounds(NamedTuple):
    """What a parameter may be, both ends included.

    No `msgspec.Meta`: that would refuse a connection when it is decoded, and the pure core may be tried with
    any value.
    """

    least: int
    most: int


class TcpParameters(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, cache_hash=True):
    """What an operator may tune. Times in microseconds, sizes in bytes.

    A record holds what it is given: whoever takes a value from a user checks its bounds.
    """

    mss: Annotated[int, Bounds(MSS_FLOOR, 65_495)] = 1460
    """MSS we advertise on IPv4 (RFC 9293 3.7.1: MTU less 40); 20 less on IPv6."""
    loopback_mss: Annotated[int, Bounds(MSS_FLOOR, 65_495)] = 65_000
    """MSS we advertise to a peer on loopback, whose packets may have up to 65,535 bytes."""
    receive_buffer_bytes: Annotated[int, Bounds(4096, 1 << 30)] = 1 << 20
    """RCV.BUFF: what a connection holds that its thread has not received."""
    send_buffer_bytes: Annotated[int, Bounds(4096, 1 << 30)] = 1 << 20
    """What a connection holds that its peer has not acknowledged."""
    send_file_bytes: Annotated[int, Bounds(4096, 1 << 30)] = 4 << 20
    """The same where it is of files: their octets take no memory, and are read when they leave."""
    notsent_lowat_bytes: Annotated[int, Bounds(1, 1 << 30)] = 1 << 30
    """A SEND takes octets only while fewer than so many wait that were never sent; 2**30 leaves it to the
    buffer. What waits for the network can then still be chosen late (TCP_NOTSENT_LOWAT of tcp(7))."""
    memory_bytes: Annotated[int, Bounds(1 << 20, 1 << 40)] = 256 << 20
    """What the buffers of all connections of a shard may hold that hold more than a little
    (`core.tcp.memory`); 2**40 is no bound."""
    nodelay: bool = True
    """Switch the Nagle algorithm off (RFC 9293 3.7.4, MUST-17)."""
    window_scaling: bool = True
    """Offer and take window scaling (RFC 7323 2)."""
    timestamps: bool = True
    """Offer and take timestamps (RFC 7323 3)."""
    sack: bool = True
    """Offer and take selective acknowledgements (RFC 2018)."""
    ecn: Literal["off", "passive", "on", "accurate"] = "passive"
    """Explicit congestion notification (RFC 3168): never, where the peer asks for it, or asked for too;
    accurate: both, with marks counted where the peer knows how (RFC 9768)."""
    ecn_option: bool = True
    """Say by the AccECN option how many octets were marked, where that is counted (RFC 9768 3.2.3)."""
    ecn_on_all: bool = False
    """Where marks are counted, every segment behind the handshake is ECT, ACKs without text and
    retransmissions too, and bears the whole AccECN option, which takes its room from each full segment, and
    the last ACK of who has closed says nothing of marks, as Linux has it. Without, new data alone is ECT (RFC
    3168 6.1.4, 6.1.5), and the option says what is new."""
    rack: bool = True
    """Take segments for lost by when they were sent (RFC 8985), not by counting (RFC 6675)."""
    tail_loss_probe: bool = True
    """Ask again after two round trips without an ACK, before the retransmission timeout (RFC 8985 7)."""
    forward_rto: bool = True
    """Look whether a retransmission timeout was spurious, F-RTO (RFC 5682)."""
    dsack: bool = True
    """Report octets that came twice (RFC 2883)."""
    limited_transmit: bool = True
    """Send new data on the first two duplicate ACKs (RFC 3042)."""
    congestion: str = "cubic"
    """Congestion control by name (`core.tcp.congestion.named`), or "module:attribute" for one's own."""
    super_segment_bytes: Annotated[int, Bounds(0, SUPER_SEGMENT_BYTES_MAX)] = 0
    """Full segments that leave together go through the TCP as one of at most so many octets, and are cut into
    packets behind it; 0 never. On the wire it is the same."""
    second_reduction: bool = True
    """Whether a retransmission that is lost too lowers cwnd and ssthresh a second time (RFC 5681 4.3). Linux
    lowers them once for each recovery."""
    slow_start_limit: bool = True
    """Whether one ACK raises cwnd by no more than RFC 9406 4.3 (L = 8) and RFC 3465 2.3 (L = 2) allow where
    segments are not paced. Without, it grows by all that was acknowledged, as Linux's does: sooner where ACKs
    are few, in longer bursts."""
    conservative_slow_start: bool = True
    """Whether a round trip that has risen leads from slow start to Conservative Slow Start, which finds out
    whether it was jitter (RFC 9406 4.2). Without, congestion avoidance begins with the next ACK, as by
    Linux's HyStart: a shallow queue is spared, and one late round trip costs a long path its growth."""
    growth_by_delivered: bool = False
    """Whether cwnd grows by the octets that an ACK is the first to report, selectively or not, as Linux's
    does: what fills a hole counts without what was reported beyond it before, and once more reordering was
    seen than DUP_THRESH, what only reports counts too. Without, by what moves SND.UNA (RFC 3465 2.1)."""
    rack_rtt_by_sequence: bool = False
    """Whether of the segments that one ACK delivers the last by sequence number gives RACK its round trip,
    what is acknowledged coming after what is reported, as in Linux: more patient with what was sent between
    them. Without, the one that was sent last (RFC 8985 6.2)."""
    rack_timer_grain_us: Annotated[int, Bounds(0, 100 * MILLISECOND_US)] = 0
    """What RACK's reordering timer is rounded up to, two of which are added: the tick of a system whose clock
    is coarse, so that a timer that is early by one is not taken for a loss; 0 adds nothing (RFC 8985 6.2 step
    5). Linux's tick is 4 ms in most distributions."""
    window_probe: Literal["octet", "empty"] = "octet"
    """What asks a peer whose window is closed: an octet of data (RFC 9293 3.8.6.1), or, as Linux has it, an
    empty segment one octet back."""
    pacing: Literal["auto", "on", "off"] = "auto"
    """Spread segments over the round trip: as the algorithm wants, always, or never."""
    initial_window_segments: Annotated[int, Bounds(1, 100)] = 10
    """Source: RFC 6928 2."""
    restart_after_idle: bool = True
    """Begin with the initial window again when nothing was sent for an RTO (RFC 5681 4.1)."""
    delayed_ack_us: Annotated[int, Bounds(0, 500 * MILLISECOND_US - 1)] = 40 * MILLISECOND_US
    """Source: RFC 9293 3.8.6.3: under 500 ms (MUST-40)."""
    rto_min_us: Annotated[int, Bounds(MILLISECOND_US, 60 * SECOND_US)] = 200 * MILLISECOND_US
    """Differs: RFC 6298 2.4 says SHOULD be a second; 200 ms is what deployed stacks use and RFC 8961
    allows."""
    rto_variance_min_us: Annotated[int, Bounds(MILLISECOND_US, 60 * SECOND_US)] = CLOCK_GRANULARITY_US
    """What RTO exceeds SRTT by at the least: G of RFC 6298 2.3. Linux has 200 ms here, which a network with
    delays that jump may want too."""
    rto_max_us: Annotated[int, Bounds(1 * SECOND_US, 24 * 3600 * SECOND_US)] = 60 * SECOND_US
    """Source: RFC 6298 2.5."""
    syn_retries: Annotated[int, Bounds(0, 255)] = 6
    """Retransmissions of a SYN or SYN-ACK before we give up; R2 of at least 3 minutes for a SYN we open with
    (RFC 9293 3.8.3, MUST-23: 1+2+4+8+16+32+60 s)."""
    syn_linear_retries: Annotated[int, Bounds(0, 255)] = 0
    """So many retransmissions of a SYN that we open with follow each other after the first wait, before the
    waits double (RFC 6298 5.5), and are not counted among `syn_retries`. Linux has 4
    (tcp_syn_linear_timeouts): a lost SYN then costs a second, again and again, and a server that is down
    hears of it more often."""
    synack_retries: Annotated[int, Bounds(0, 255)] = 5
    """The same for a half-open connection of a listener."""
    retries: Annotated[int, Bounds(1, 255)] = 15
    """Retransmissions of data before we give up: R2 (RFC 9293 3.8.3, at least 100 s)."""
    user_timeout_us: Annotated[int, Bounds(MILLISECOND_US, NEVER_US)] = NEVER_US
    """Give up when data stays unacknowledged, or probes unanswered, for this long, however often it was tried
    (RFC 9293 3.8.3, RFC 5482); 2**61 leaves it to `retries` and `keepalive_probes`."""
    user_timeout_option: bool = False
    """Advertise our user timeout, and adopt the peer's within bounds (RFC 5482)."""
    keepalive_idle_us: Annotated[int, Bounds(MILLISECOND_US, NEVER_US)] = NEVER_US
    """Idle time before the first keepalive probe; off by default (RFC 9293 3.8.4, MUST-25), 2 hours if
    anything (MUST-28)."""
    keepalive_interval_us: Annotated[int, Bounds(MILLISECOND_US, NEVER_US)] = 75 * SECOND_US
    keepalive_probes: Annotated[int, Bounds(1, 255)] = 9
    """Unanswered probes before the peer is taken for dead."""
    mtu_probing: MtuProbing = "blackhole"
    """Whether a connection looks for the path's MTU by itself (RFC 4821): never, once full-sized segments
    vanish, or from the start. ICMP is obeyed in any case."""
    ttl: Annotated[int, Bounds(1, 255)] = 64
    """Time to live and hop limit of what we send. Source: RFC 9293 3.9.2, MUST-49; RFC 1700 for 64."""
    dscp: Annotated[int, Bounds(0, 63)] = 0
    """Diffserv field of what a connection sends. Source: RFC 9293 3.9.1.9, MUST-48; RFC 2474 3."""
    linger_us: Annotated[int, Bounds(0, NEVER_US)] = NEVER_US
    """How long CLOSE waits for what was sent to be acknowledged, and aborts then; 0 aborts at once, 2**61
    never waits and goes on sending in the background (SO_LINGER of socket(7))."""
    fin_wait_2_us: Annotated[int, Bounds(MILLISECOND_US, 3600 * SECOND_US)] = 60 * SECOND_US
    """How long a closed connection waits for the peer's FIN. Differs: RFC 9293 names no timer here."""
    park_after_us: Annotated[int, Bounds(100 * MILLISECOND_US, NEVER_US)] = NEVER_US
    """A connection on which nothing has happened for so long, while a thread waits to receive, is kept in few
    octets; 2**61 keeps it as it is."""
    time_wait_us: Annotated[int, Bounds(MILLISECOND_US, 3600 * SECOND_US)] = 60 * SECOND_US
    """2 MSL with an MSL of 30 s. Differs: RFC 9293 3.4.2 takes 2 minutes for MSL; 60 s is what deployed
    stacks use."""
    time_wait_max: Annotated[int, Bounds(1, 10_000_000)] = 32_768
    """TIME-WAIT records of a shard; when full the oldest goes."""
    connections_max: Annotated[int, Bounds(1, 10_000_000)] = 1_000_000
    """Connections of a shard; a SYN beyond it is dropped and counted."""
    syn_backlog: Annotated[int, Bounds(1, 1_000_000)] = 4096
    """Half-open connections of a listener: its SYN queue."""
    defer_accept_us: Annotated[int, Bounds(0, 3600 * SECOND_US)] = 0
    """How long a listener waits for the first text of a connection before it hands it out; 0 not at all. The
    ACK that ends the handshake alone is left aside, and the SYN-ACK sent again once that time is over
    (TCP_DEFER_ACCEPT of tcp(7))."""
    accept_backlog: Annotated[int, Bounds(1, 1_000_000)] = 4096
    """Established connections of a listener that nobody has accepted: its accept queue. When full, SYNs are
    dropped, and so are ACKs that would end a handshake."""
    syn_cookies: Literal["off", "auto", "always"] = "auto"
    """Answer SYNs without a record of them (RFC 4987 3.6): when the SYN queue is full, or always."""
    fast_open: Literal["off", "client", "server", "both"] = "off"
    """TCP Fast Open (RFC 7413). A server's application must bear the same request twice: a SYN that the
    network doubles is delivered twice (RFC 7413 2.1)."""
    fast_open_without_cookie: bool = False
    """Whether a client's SYN carries data towards a server that it has no cookie of. Differs: RFC 7413 4.2.1
    wants one; a server that needs none takes the data (bit 4 of Linux's tcp_fastopen), any other ignores it,
    and it is sent again."""
    syn_text_apart: bool = False
    """Whether data that our SYN carried and the peer did not take goes again as the piece that it was, as
    Linux sends it, and not cut anew together with what follows it."""
    crossing_text: bool = True
    """Whether text on a SYN that crosses ours is kept (RFC 9293 3.10.7.3). Linux leaves it to be sent
    again."""
    half_open_soft_errors: bool = False
    """Whether a soft ICMP error too ends a half-open connection of a listener, as in Linux. Without, only a
    hard one does (RFC 9293 3.9.2.2, MUST-56)."""
    fast_open_pending_max: Annotated[int, Bounds(0, 1_000_000)] = 256
    """Connections of a shard whose data was taken before the handshake is over; further ones open as usual
    (RFC 7413 5.1)."""
    fast_open_servers_max: Annotated[int, Bounds(1, 1_000_000)] = 1024
    """Servers whose cookies a shard remembers; beyond it the one not used for longest goes."""
    challenge_interval_us: Annotated[int, Bounds(0, 60 * SECOND_US)] = 500 * MILLISECOND_US
    """At most one challenge ACK and one answer to an out-of-window segment in this time, per connection and
    never globally (RFC 5961 7; CVE-2016-5696)."""
    deviations: Deviations = NO_DEVIATIONS
    """Habits of another system, for scripts about it; a server has none (`core.tcp.deviations`)."""


DEFAULT_PARAMETERS: Final = TcpParameters()

NOTSENT_UNLIMITED: Final = DEFAULT_PARAMETERS.notsent_lowat_bytes
"""Of `notsent_lowat_bytes`: no bound but the buffer's."""

MEMORY_UNLIMITED: Final = 1 << 40
"""Of `memory_bytes`: no bound."""

PARAMETER_BOUNDS: Final[dict[str, Bounds]] = {
    name: meta
    for name, hint in get_type_hints(TcpParameters, include_extras=True).items()
    for meta in getattr(hint, "__metadata__", ())
    if isinstance(meta, Bounds)
}
"""The bounds of each parameter that is a number, as they stand beside it."""
