"""Every number of the TCP that is not a sequence number: its unit, its default, its source.

Owns the bounds too: what is limited anywhere in `core.tcp` is limited by a name of this file. A connection
carries the `TcpParameters` it was opened with, so that it goes on unchanged wherever it is decoded.
"""

from typing import Annotated, Final, Literal, NamedTuple, get_type_hints

import msgspec

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.tcp.deviations import NO_DEVIATIONS, Deviations
from gossamer.core.wire.cutting import SUPER_SEGMENT_BYTES_MAX

MILLISECOND_US: Final = 1000

MtuProbing = Literal["off", "blackhole", "on"]

MSS_FLOOR: Final = 88
"""No peer makes us send smaller segments than this (bytes): CVE-2019-11479. 88 leaves 8 bytes of text beside
the longest headers: (60 + 60 + 8) - (20 + 20)."""

MSS_DEFAULT_IPV4: Final = 536
"""SendMSS of a peer that named none. Source: RFC 9293 3.7.1, MUST-15."""

MSS_DEFAULT_IPV6: Final = 1220

WINDOW_SCALE_MAX: Final = 14
"""Source: RFC 7323 2.3."""

SSTHRESH_INITIAL: Final = 1 << 30
"""Arbitrarily high (bytes). Source: RFC 5681 3.1."""

ABC_SEGMENTS: Final = 2
"""L of RFC 3465 2.2: so many segments of one ACK count in slow start."""

HYSTART_SEGMENTS: Final = 8
"""L of RFC 9406 4.3, in the first slow start of a sender that is not paced."""

HYSTART_RTT_THRESHOLD_MIN_US: Final = 4 * MILLISECOND_US
"""MIN_RTT_THRESH. Source: RFC 9406 4.3, as the next five."""

HYSTART_RTT_THRESHOLD_MAX_US: Final = 16 * MILLISECOND_US
"""MAX_RTT_THRESH."""

HYSTART_RTT_DIVISOR: Final = 8
"""MIN_RTT_DIVISOR."""

HYSTART_RTT_SAMPLES: Final = 8
"""N_RTT_SAMPLE: measurements of a round before it says anything."""

CSS_GROWTH_DIVISOR: Final = 4

CSS_ROUNDS: Final = 5

CUBIC_BETA: Final = 0.7
"""beta_cubic. Source: RFC 9438 4.6."""

CUBIC_C: Final = 0.4
"""Segments per second cubed. Source: RFC 9438 5.1."""

CUBIC_TARGET_MAX: Final = 1.5
"""The largest multiple of itself to which cwnd may grow in one round trip. Source: RFC 9438 4.2."""

PACING_SLOW_RATE: Final = 150_000
"""Bytes a second (1.2 Mbit/s): below it one segment leaves at a time. Source:
draft-cardwell-iccrg-bbr-congestion-control-00 4.2.2, as the next two."""

PACING_QUANTUM_US: Final = MILLISECOND_US
"""Faster senders let so much time's worth leave at once."""

PACING_QUANTUM_BYTES_MAX: Final = 64_000

BBR_STARTUP_GAIN: Final = 2.77
"""StartupPacingGain, 4 * ln 2: the least gain with which the rate doubles each round. Source:
draft-ietf-ccwg-bbr-06 2, as the next ones up to BBR_RENO_ROUNDS_MAX."""

BBR_DRAIN_GAIN: Final = 0.5
"""DrainPacingGain."""

BBR_PACING_PERCENT: Final = 99
"""100 - PacingMarginPercent: a little less than what is delivered, so that queues shrink."""

BBR_CWND_GAIN: Final = 2.0
"""DefaultCwndGain: bandwidth-delay products of cwnd, as much again for delayed and stretched ACKs."""

BBR_CWND_GAIN_UP: Final = 2.25
"""The same while more is tried. Source: 5.3.3.5."""

BBR_LOSS_THRESHOLD: Final = 0.02
"""LossThresh: the part of what was in flight that may be lost when bandwidth is probed."""

BBR_BETA: Final = 0.7
"""Beta: what a round trip with loss leaves of the bounds at least, as beta_cubic (RFC 9438 4.6)."""

BBR_HEADROOM: Final = 0.15
"""Headroom: the part of inflight_longterm that is left to others."""

BBR_MIN_SEGMENTS: Final = 4
"""MinPipeCwnd."""

BBR_OFFLOAD_QUANTA: Final = 3
"""Quanta at the sender, on their way through its host, and at the receiver. Source: 5.5.8.1."""

BBR_EXTRA_ACKED_ROUNDS: Final = 10
"""ExtraAckedFilterLen: round trips in which the largest burst of ACKs is remembered."""

BBR_MIN_RTT_WINDOW_US: Final = 10 * SECOND_US
"""MinRTTFilterLen."""

BBR_PROBE_RTT_INTERVAL_US: Final = 5 * SECOND_US
"""ProbeRTTInterval: without a smaller round trip for so long, ProbeRTT looks for it."""

BBR_PROBE_RTT_US: Final = 200 * MILLISECOND_US
"""ProbeRTTDuration."""

BBR_PROBE_RTT_CWND_GAIN: Final = 0.5
"""ProbeRTTCwndGain."""

BBR_FULL_GROWTH: Final = 1.25
"""A round in which the rate grew less has not filled a larger part of the pipe. Source: 5.3.1.2."""

BBR_FULL_ROUNDS: Final = 3
"""So many of these, and the pipe is full."""

BBR_STARTUP_LOSSES: Final = 6
"""BBRStartupFullLossCnt. Source: 5.3.1.3."""

BBR_DRAIN_ROUNDS: Final = 3
"""After so many Drain is over, whatever is in flight. Source: 5.3.2."""

BBR_PROBE_WAIT_US: Final = 2 * SECOND_US
"""Between two probes, and up to a second more by chance. Source: 5.3.3.8."""

BBR_PROBE_UP_ROUNDS_MAX: Final = 30
"""So often does the growth of inflight_longterm double in one probe. Source: 5.3.3.9."""

BBR_RENO_ROUNDS_MAX: Final = 63
"""Round trips between two probes at most, where Reno would grow by less than that in them."""

DUP_THRESH: Final = 3
"""Source: RFC 5681 3.2, RFC 6675 2."""

SACKED_RANGES_MAX: Final = 256
"""Ranges the sender's scoreboard remembers; further ones are ignored, which is always safe.
CVE-2019-11478."""

TRANSMISSIONS_MAX: Final = 128
"""Runs of sequence space whose times of sending are remembered apart; beyond it neighbours share one, the
later, which only delays their being taken for lost."""

RECORD_ENDS_MAX: Final = 256
"""Ends of records in a send buffer, which no segment may span, that are kept."""

REORDERING_MAX: Final = 300
"""How many segments of reordering are told of at most, as by Linux (tcp_max_reordering)."""

REORDERING_WINDOW_PERSIST: Final = 16
"""Recoveries for which a reordering window that grew by D-SACK keeps its size. Source: RFC 8985 6.2 step
4."""

MIN_RTT_WINDOW_US: Final = 300 * SECOND_US
"""How long a smallest round-trip time is gathered, and then believed. Source: RFC 8985 6.2 step 1 wants a
window; 300 s is what deployed stacks use."""

CLOCK_GRANULARITY_US: Final = MILLISECOND_US
"""G of RFC 6298, and the tick of our timestamps (RFC 7323 5.4 allows 1 ms to 1 s)."""

TAIL_PROBE_GRAIN_US: Final = 2 * CLOCK_GRANULARITY_US
"""What a tail loss probe waits beyond two round trips. Differs: RFC 8985 7.2 adds nothing; two ticks of the
clock are what Linux adds, so that a timer that is late by one is not taken for a loss."""

TAIL_PROBE_ACK_DELAY_US: Final = 200 * MILLISECOND_US
"""TLP.max_ack_delay: what the peer may wait before it acknowledges a single segment. Source: RFC 8985 7.2."""

REASSEMBLY_BLOCKS_MAX: Final = 128
"""Runs of octets the receiver holds out of order; CVE-2018-5390."""

COALESCE_BYTES: Final = 4096
"""A chunk of a buffer shorter than this takes up the next one, so that a buffer of n bytes has at most about
n / 4096 chunks, however small the writes or segments were."""

EXTENT_BYTES_MIN: Final = COALESCE_BYTES
"""The shortest extent of a file that stands in a send buffer as one; what is shorter is read at once, so that
there are not more of them than there would be chunks."""

RTT_INTERVAL_US: Final = 10 * MILLISECOND_US
"""With timestamps, at most one round-trip measurement in this time; one a round trip while cwnd limits the
sender. Differs: RFC 6298 3 wants one a round trip always; below 10 ms the timeout stands at its floor of 200
ms whatever is measured, and a request with its answer would pay for it."""

RTO_INITIAL_US: Final = 1 * SECOND_US
"""Source: RFC 6298 2.1."""

RTO_AFTER_LOST_SYN_US: Final = 3 * SECOND_US
"""Source: RFC 6298 5.7."""

SYN_COOKIE_PERIOD_US: Final = 60 * SECOND_US
"""A cookie is taken in the period in which it was sent and in the next: for one to two minutes, in which a
peer's ACK comes if ever. Source: RFC 4987 appendix A, whose counter moves every 64 seconds."""

SYN_COOKIE_MSS: Final = (MSS_FLOOR, MSS_DEFAULT_IPV4, MSS_DEFAULT_IPV6, 1300, 1440, 1460, 8940, 65_000)
"""The MSS that a cookie can name; a peer's is rounded down to one. Those of IPv4 and IPv6 without the option,
over Ethernet, over tunnels, over jumbo frames and loopback."""

FAST_OPEN_COOKIE_BYTES: Final = 8
"""Source: RFC 7413 4.1.1: 4 to 16; 4.1.2 finds 8 enough."""

FAST_OPEN_PERIOD_US: Final = 3600 * SECOND_US
"""A server's Fast Open cookie holds for one to two of these. Source: RFC 7413 4.1.2 wants it to expire; how
soon is left open."""

FAST_OPEN_HELD_US: Final = 60 * SECOND_US
"""For this time a connection that was reset before its handshake was over still counts as early: otherwise
nothing would bound a forger of addresses whose RSTs come back. Source: RFC 7413 5.1, about as long as its
SYN-ACKs would have been repeated."""

FAST_OPEN_REST_US: Final = 60 * SECOND_US
"""After a SYN with the option was lost, the option is not used towards that server for this time, twice as
long after each loss in a row. Source: RFC 7413 4.1.3.1."""

FAST_OPEN_REST_DOUBLINGS_MAX: Final = 6
"""64 minutes at most."""

PAWS_IDLE_US: Final = 24 * 24 * 3600 * SECOND_US
"""TS.Recent is invalid after 24 days without a segment. Source: RFC 7323 5.5."""


IPV4_HEADER_BYTES: Final = 20
IPV6_HEADER_BYTES: Final = 40
TCP_HEADER_BYTES: Final = 20

PATH_MTU_LEAST_IPV4: Final = 68
"""No router needs to fragment below it. Source: RFC 791 3.2, RFC 1191 3."""

PATH_MTU_FLOOR_IPV4: Final = 552
"""What a report of less is taken for. Differs: RFC 1191 3 allows down to 68; 552 leaves the 512 bytes of text
that every link carries, as Linux's min_pmtu does, so that a forged report costs little."""

PATH_MTU_FLOOR_IPV6: Final = 1280
"""Source: RFC 8201 4, RFC 8200 5."""

PATH_MTU_PLATEAUS: Final = (65_535, 32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 552)
"""What links carry. Source: RFC 1191 7.1, table 7-1, down to our floor."""

PATH_RAISE_US: Final = 600 * SECOND_US
"""After so long a larger size is tried again. Source: RFC 1191 6.3 and RFC 8201 4: 10 minutes; RFC 8899
5.1.1, PMTU_RAISE_TIMER: 600 s."""

PATH_PROBES_MAX: Final = 3
"""Lost probes of one size that refute it. Source: RFC 8899 5.1.2, MAX_PROBES."""

PATH_PROBE_STEP_BYTES: Final = 32
"""A search ends when it could gain less."""

BLACK_HOLE_TIMEOUTS: Final = 3
"""Timeouts of a full-sized segment in a row after which its size is suspected. Source: RFC 4821 7.7; R1 of
RFC 9293 3.8.3."""

BLACK_HOLE_MTUS_IPV4: Final = (1_064, PATH_MTU_FLOOR_IPV4)
"""What a suspected path is given instead, one after the other. Source: RFC 4821 7.2 takes
1024 bytes for safe enough."""

BLACK_HOLE_MTUS_IPV6: Final = (PATH_MTU_FLOOR_IPV6,)


USER_TIMEOUT_DEFAULT_US: Final = 300 * SECOND_US
"""What is advertised to the peer when none is set. Source: RFC 9293 3.9.1, OPEN: the
global default is five minutes."""

USER_TIMEOUT_LOWER_US: Final = 100 * SECOND_US
"""L_LIMIT: no peer makes us give up sooner. Source: RFC 5482 3.1; RFC 9293 3.8.3, SHLD-11."""

USER_TIMEOUT_UPPER_US: Final = 3600 * SECOND_US
"""U_LIMIT: no peer makes us wait longer. Source: RFC 5482 3.1 and 6 leave the value; an hour."""

DELIVERY_PROBLEM_RETRIES: Final = 3
"""R1: so many retransmissions in a row are worth a notice. Source: RFC 9293 3.8.3, SHLD-10."""


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
