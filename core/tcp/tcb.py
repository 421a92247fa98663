"""The records: a connection is a value.

Owns the state of a connection and nothing that acts on it; what loss recovery and congestion control remember
stands with them (`recovery.records`, `congestion.record`). No clock, thread, callback or socket may stand in
here (law 1); everything encodes to bytes and back (`core.tcp.codec`).

LISTEN is a `Listener`, CLOSED is the absence of a record, TIME-WAIT is a `TimeWait`.

Source: RFC 9293 3.3.1 (variables), 3.3.2 (states).
"""

from enum import IntEnum
from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import Seq
from gossamer.core.tcp.actions import Failure
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import RTO_INITIAL_US
from gossamer.core.tcp.deviations import NO_DEVIATIONS, Deviations
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.recovery.records import Delivery, Rack, Recovery, Run, Undo
from gossamer.core.wire.text import Extent


class State(IntEnum):
    """The states in which a `Tcb` can be. Source: RFC 9293 3.3.2."""

    SYN_SENT = 1
    SYN_RECEIVED = 2
    ESTABLISHED = 3
    FIN_WAIT_1 = 4
    FIN_WAIT_2 = 5
    CLOSE_WAIT = 6
    CLOSING = 7
    LAST_ACK = 8


class Agreed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the handshake settled, and what the connection was opened with. Shared between copies; replaced
    when the user sets an option, or the path carries less."""

    parameters: TcpParameters
    iss: Seq
    """Initial send sequence number."""
    irs: Seq = Seq(0)
    """Initial receive sequence number."""
    smss: int = 536
    """Payload bytes of a full-sized segment we send, options taken off (Eff.snd.MSS, RFC 9293 3.7.1)."""
    rmss: int = 536
    """MSS we advertised: the largest segment to expect."""
    snd_wind_shift: int = 0
    """Shift of the windows that we receive (RFC 7323 2.2)."""
    rcv_wind_shift: int = 0
    """Shift of the windows that we send."""
    timestamps: bool = False
    sack: bool = False
    ts_offset: int = 0
    """Random per connection: our TSval is milliseconds plus this (RFC 7323 7.1)."""
    passive: bool = False
    """Opened by a listener: a RST in SYN-RECEIVED goes back to LISTEN in silence."""
    ecn: bool = False
    """Marks are echoed: both SYNs said so (RFC 3168 6.1.1)."""
    ect: int = 0
    """ECN codepoint of the new data that we send: ECT(0), or 0 when none may have one, and echoes mean
    nothing."""
    is_ipv6: bool = False
    traffic_class: int = 0
    """The Diffserv field of all that we send, where IP has it: above the two bits of ECN (RFC 2474 3)."""
    accurate_ecn: int = 0
    """Marks are counted (RFC 9768): with which code the peer's SYN or SYN-ACK is answered; 0 when they are
    not. `ecn` is false then."""
    syn_text_bytes: int = 0
    """The text that our SYN carried."""
    syn_taken_bytes: int = 0
    """What of it the peer took: it was one segment with the SYN. The rest is sent again."""


class EcnCounters(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Octets of text by the ECN codepoint that they came with. Source: RFC 9768 3.2.1, which has those of ECT
    begin at 1."""

    e0b: int = 1
    """ECT(0)."""
    ceb: int = 0
    """CE."""
    e1b: int = 1
    """ECT(1)."""


NO_ECN_BYTES: Final = EcnCounters()


class Ecn(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Congestion marks that are being echoed or answered; absent while there are none. Source: RFC 3168
    6.1."""

    echoes: bool = False
    """A mark came and the peer has not answered: our ACKs have ECE."""
    owes_cwr: bool = False
    """The window was reduced: the next new data has CWR."""
    answered_to: Seq | None = None
    """SND.NXT at the last reduction: echoes up to there are answered by it."""
    received_ce: int = 0
    """Of accurate ECN alone, whose record stays: r.cep, marked packets that came (RFC 9768 3.2.1)."""
    sent_ce: int = 0
    """s.cep: those of ours that the peer has told of."""
    received: EcnCounters = NO_ECN_BYTES
    """r.e0b, r.ceb, r.e1b: octets that came (RFC 9768 3.2.1)."""
    told: EcnCounters | None = NO_ECN_BYTES
    """What our last AccECN option said of them; None while a first one is owed."""
    owes_on_text: bool = False
    """Our first text bears the option too."""
    sent: EcnCounters = NO_ECN_BYTES
    """s.e0b, s.ceb, s.e1b: octets of ours that the peer's options have told of."""
    ignores_option: bool = False
    """Something on the path clears its fields."""
    has_heard_option: bool = False
    """The peer's half of the handshake bore one."""
    repeated: Seq | None = None
    """Where text began that came again, and was answered with the option."""
    option_is_lost: bool = False
    """It came once more: something on the path drops what bears the option."""


class Block(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A run of octets received out of order."""

    left: Seq
    right: Seq
    chunks: tuple[bytes, ...]


class Reassembly(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What came out of order; absent while nothing has."""

    blocks: tuple[Block, ...]
    """Ascending, never touching, at most REASSEMBLY_BLOCKS_MAX, all inside the receive window."""
    recent: tuple[Seq, ...] = ()
    """A sequence number in each of the latest blocks, latest first: the order of SACK blocks (RFC 2018 4)."""
    fin_seq: Seq | None = None
    """Where a FIN stood that came out of order."""
    duplicate: tuple[Seq, Seq] | None = None
    """Octets that came twice, to be reported with the next ACK (RFC 2883)."""


class Path(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What is known of the path's MTU, in sizes of Eff.snd.MSS. Source: RFC 4821 7, RFC 8899."""

    smss_max: int = 0
    """What was agreed: the largest size to return to; 0 before the first is chosen."""
    high: int = 0
    """The largest size that may still pass; `Agreed.smss` is known to (search_high, search_low)."""
    raise_at_us: int = 0
    """Larger sizes are tried from then on."""
    probe_end: Seq | None = None
    """Where the probe ends that is in flight."""
    probe_smss: int = 0
    failures: int = 0
    """Probes of this size lost in a row."""
    claimed_seq: Seq | None = None
    """The segment that an ICMP report quoted which waits to be confirmed by a timeout (RFC 5927 7.2)."""
    claimed_smss: int = 0


class SoftError(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the last ICMP error reported; it counts until something is heard from the peer. Source: RFC 9293
    3.9.2.2."""

    failure: Failure
    at_us: int


class UserTimeout(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where the user timeout is not that of the parameters. Source: RFC 5482 3.1."""

    adopted_us: int = 0
    """What both ends have agreed on; 0 when nothing was heard."""
    is_fixed: bool = False
    """The user has set one: CHANGEABLE is false."""


class RoundTrip(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Round-trip time and what follows from it. Source: RFC 6298 2."""

    srtt_us: int = 0
    """Smoothed round-trip time; 0 before the first measurement."""
    rttvar_us: int = 0
    rto_us: int = RTO_INITIAL_US
    """Before any backing off."""
    pto_us: int = RTO_INITIAL_US
    """PTO of a tail loss probe (RFC 8985 7.2), RTO where there are none: the first wait for an ACK."""
    pto_one_us: int = RTO_INITIAL_US
    """The same when one segment is in flight, whose ACK the peer may delay."""
    min_us: int = 0
    """RACK.min_RTT: the smallest of MIN_RTT_WINDOW_US; 0 before the first measurement."""
    min_next_us: int = 0
    """The smallest since `min_since_us`, which follows it."""
    min_since_us: int = 0


class SendLimit(IntEnum):
    """What keeps a sender that has something to do from sending more. Source: RFC 4898 4,
    tcpEStatsPerfSndLim."""

    NETWORK = 0
    """cwnd, or that all there is is on its way."""
    RECEIVER = 1
    """The peer's window."""
    SENDER = 2
    """All is sent, and the user, who has more, found no room in the send buffer."""


class SendLimits(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """For how long a sender was held back (`core.tcp.send_limits`); absent while one segment at a time is
    sent, and where nothing ever held back."""

    busy_at_us: int = NEVER_US
    """Since when something is in flight or waits; NEVER_US when nothing is."""
    limit: SendLimit = SendLimit.NETWORK
    limited_at_us: int = 0
    """Since when."""
    receiver_us: int = 0
    """How long the peer's window did, before that."""
    sender_us: int = 0
    """How long the send buffer did."""
    waits_for_room: bool = False
    """Whether a SEND found no room, or too little, and nothing has said since that there is some."""


class FastOpen(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A Fast Open under way (`core.tcp.fast_open`); absent once the handshake is over. Source: RFC 7413."""

    cookie: bytes | None = None
    """In our SYN or SYN-ACK; b"" asks for one, None is no option."""
    syn_bytes: int = 0
    """Octets of the send buffer that our SYN carried."""
    is_early: bool = False
    """The user of a passive connection has it already."""
    closes: bool = False
    """That user has closed it: a FIN follows once the handshake is over."""
    is_experimental: bool = False
    """Whether that option is of the experimental kind."""
    is_bare: bool = False
    """Our SYN carries text without a cookie."""


class Tcb(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """A connection (transmission control block). Source: RFC 9293 3.3.1.

    What every segment changes stands first: `msgspec.structs.replace` finds a field by walking them.
    """

    rcv_nxt: Seq = Seq(0)
    """Next sequence number expected."""
    snd_una: Seq
    """Oldest unacknowledged sequence number."""
    snd_nxt: Seq
    """Next sequence number to send; it never goes back."""
    snd_buf: tuple[bytes | Extent, ...] = ()
    """What was sent by the user and is not acknowledged: octets from SND.UNA on, or where in a file they
    stand."""
    snd_buf_bytes: int = 0
    rtx_at_us: int = NEVER_US
    """Retransmission timer, or persist timer while SND.WND is 0."""
    ack_at_us: int = NEVER_US
    """Delayed ACK timer; a time that is past means that an ACK is due now."""
    rcv_at_us: int = 0
    """When the last acceptable segment came."""
    snd_wl1: Seq = Seq(0)
    """Segment sequence number used for the last window update."""
    ts_recent: int = 0
    """TS.Recent (RFC 7323 4.3)."""
    last_ack_sent: Seq = Seq(0)
    """Last.ACK.sent (RFC 7323 4.3); RCV.NXT less this is what waits for an ACK."""
    snd_at_us: int = 0
    """When data was last sent for the first time (RFC 5681 4.1)."""
    snd_wnd: int = 0
    """Send window in bytes, scaled."""
    round_trip: RoundTrip = RoundTrip()
    snd_buf_offset: int = 0
    """Bytes of the first chunk of snd_buf that are acknowledged already."""
    rcv_wnd: int = 0
    """Receive window in bytes: RCV.NXT + RCV.WND is the right edge promised, and never moves left."""
    rcv_buf: tuple[bytes, ...] = ()
    """What is in order and not yet received by the user."""
    rcv_buf_bytes: int = 0
    rcv_buf_offset: int = 0
    congestion: Congestion = Congestion(0)
    state: State
    agreed: Agreed
    max_snd_wnd: int = 0
    """Largest window the peer has offered (RFC 9293 3.8.6.2.1, RFC 5961 5)."""
    recovery: Recovery | None = None
    reassembly: Reassembly | None = None
    rtt_seq: Seq | None = None
    """Without timestamps: the segment being timed ends here (Karn)."""
    rtt_at_us: int = 0
    """When that segment was sent; with timestamps, when the round trip was last measured."""
    slow_at_us: int = NEVER_US
    """Keepalive or FIN-WAIT-2 timer; looked at when it fires, not moved with each segment."""
    challenge_at_us: int = 0
    """When the last challenge ACK went out (RFC 5961 7)."""
    backoff: int = 0
    """Retransmissions, persist or keepalive probes in a row without an answer."""
    receive_closed: bool = False
    """The user has closed both ways: data that still comes is answered with a RST (RFC 9293 3.6.1,
    SHLD-3)."""
    transmissions: tuple[Run, ...] = ()
    """When what is in flight was sent; empty while all of it was at `snd_at_us`, for the first time."""
    rack: Rack | None = None
    undo: Undo | None = None
    retransmits_total: int = 0
    """Segments sent again."""
    ecn: Ecn | None = None
    """Congestion marks that wait for an answer."""
    pace_at_us: int = NEVER_US
    """Pacing timer: when more may leave; NEVER_US when it may at once (`pacing`)."""
    delivery: Delivery | None = None
    """Kept only when `Congestion.every_ack`."""
    rcv_up: Seq | None = None
    """Receive urgent pointer: the octet behind urgent data that the user has not received whole; None while
    there is none."""
    fast_open: FastOpen | None = None
    path: Path | None = None
    """Absent while the size of segments that was agreed was never in question."""
    soft_error: SoftError | None = None
    user_timeout: UserTimeout | None = None
    rcv_text_at_us: int = 0
    """When text last came in order, unless the last segment bore it (`core.tcp.arrival`)."""
    busy_us: int = 0
    """How long something was in flight or waited, but for what left as one segment alone, before now."""
    send_limits: SendLimits | None = None
    record_ends: tuple[Seq, ...] = ()
    """Behind SND.UNA, ascending: no segment spans one (`core.tcp.record_ends`)."""


class TimeWait(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What remains of a connection in TIME-WAIT. Source: RFC 9293 3.3.2, RFC 6191."""

    snd_nxt: Seq
    rcv_nxt: Seq
    rcv_wnd_field: int
    """Window field of our ACKs."""
    expires_at_us: int
    ts_recent: int = 0
    ts_offset: int = 0
    timestamps: bool = False
    time_wait_us: int = DEFAULT_PARAMETERS.time_wait_us
    challenge_interval_us: int = DEFAULT_PARAMETERS.challenge_interval_us
    answered_at_us: int = 0
    deviations: Deviations = NO_DEVIATIONS


class Listener(msgspec.Struct, frozen=True, gc=False):
    """A socket in LISTEN. Source: RFC 9293 3.10.1."""

    parameters: TcpParameters = DEFAULT_PARAMETERS
