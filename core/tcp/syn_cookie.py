"""SYN cookies: a SYN-ACK that leaves nothing behind, and the connection that its answer makes.

    SYN -> SYN-ACK whose ISS says what must be known later;  ACK -> ISS checked -> the connection

What a half-open connection would remember goes through the peer and comes back:

    ISS    12 bits of a keyed hash of the flow | 17 bits of it, IRS added | 3 bits: the MSS, one of eight
    TSval  26 bits of our clock | ECN | SACK | 4 bits: window scale; nowhere without the peer's timestamps

Somebody who does not see the SYN-ACK must guess all 29 bits of the hash. The 12 say whether a segment is from
a peer that does, the 17 whether it is the first octet after the SYN that comes. Owns that form, and how long
it holds. The doer knows who keeps the secrets, when cookies are sent, and what bounds the connections that
they open; the key of the secrets and the time come from outside (law 1).

Differs: RFC 9293 3.4.1 (MUST-8) wants an ISS from a clock. A cookie is random to all but us, and only the
peer's sequence numbers distinguish its connection from earlier ones of the same flow.

Source: RFC 4987 3.6 and appendix A.
"""

from bisect import bisect_right
from functools import lru_cache
from hashlib import blake2s
from struct import Struct
from typing import Final

import msgspec

from gossamer.core.seq import MASK, Seq
from gossamer.core.tcp.constants import SYN_COOKIE_MSS, SYN_COOKIE_PERIOD_US
from gossamer.core.tcp.ecn import SETUP_FLAGS, SETUP_SYN
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.handshake import NO_OPTIONS, agreement, wanted
from gossamer.core.tcp.listen import open_passive, syn_ack_of
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Agreed, Listener, Tcb
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.segment import AE, NO_TIMESTAMP, NOT_ECT, SYN, Segment, SynOptions

replace = msgspec.structs.replace

MSS_BITS: Final = 3
MSS_MASK: Final = (1 << MSS_BITS) - 1
IRS_MASK: Final = (1 << 17) - 1
IRS_OF_ISS: Final = IRS_MASK << MSS_BITS
FLOW_OF_ISS: Final = MASK & ~IRS_OF_ISS

SCALE_MASK: Final = 0x0F
NO_SCALE: Final = SCALE_MASK
"""Stands for "no window scaling": a shift is 14 at most."""
SACK_BIT: Final = 0x10
ECN_BIT: Final = 0x20
OPTIONS_MASK: Final = SCALE_MASK | SACK_BIT | ECN_BIT

HASHED: Final = Struct("!BB")
PURPOSE: Final = b"cookies"
"""Of what is made of a key that has others."""


class CookieSecrets(msgspec.Struct, frozen=True, gc=False):
    """The secret of this period and that of the one before; None where no cookie was sent. So a cookie holds
    for one to two periods, and a secret is never used longer."""

    period: int = 0
    current: bytes | None = None
    previous: bytes | None = None


def secret_of(period: int, key: bytes) -> bytes:
    """The secret of a period: the same for all who have that key, so that whoever takes over from a process
    that was killed knows its cookies."""
    return blake2s(period.to_bytes(8, "big"), key=key, person=PURPOSE).digest()


def rolled(secrets: CookieSecrets, now_us: int) -> CookieSecrets:
    """The secrets as they stand at `now_us`."""
    period = now_us // SYN_COOKIE_PERIOD_US
    if period == secrets.period:
        return secrets
    return CookieSecrets(period, None, secrets.current if period == secrets.period + 1 else None)


class Returned(msgspec.Struct, frozen=True, gc=False):
    """What a segment says that acknowledges a cookie of ours."""

    mss: int
    is_first: bool
    """Whether it starts right after the SYN, so that what it says of IRS is true."""


def cookie(secret: bytes, flow: Flow, irs: int, mss_index: int, timestamps: bool) -> Seq:
    """The ISS that answers a SYN."""
    digest = blake2s(flow + HASHED.pack(mss_index, timestamps), digest_size=4, key=secret).digest()
    number = int.from_bytes(digest, "big")
    with_irs = ((number >> MSS_BITS) + irs & IRS_MASK) << MSS_BITS
    return Seq(number & FLOW_OF_ISS & ~MSS_MASK | with_irs | mss_index)


class Terms(msgspec.Struct, frozen=True, gc=False):
    """What the SYNs of one kind are answered with: all but numbers and times."""

    agreed: Agreed
    mss_index: int
    syn_ack: Segment


def answer(listener: Listener, flow: Flow, syn: Segment, opening: Opening, secret: bytes) -> Segment:
    """The SYN-ACK with the cookie."""
    options = syn.syn_options or NO_OPTIONS
    if options.cookie is not None:
        options = replace(options, cookie=None)
    has_timestamp, setup = syn.ts_val != NO_TIMESTAMP, syn.flags & (SETUP_FLAGS | AE)
    terms = _terms(listener.parameters, opening.mss, opening.is_ipv6, options, has_timestamp, setup)
    agreed, model = terms.agreed, terms.syn_ack
    iss = cookie(secret, flow, syn.seq, terms.mss_index, agreed.timestamps)
    ts_val, ts_ecr = NO_TIMESTAMP, 0
    if agreed.timestamps:
        ts_val, ts_ecr = _with_options(ts_value(opening.ts_offset, opening.now_us), agreed), syn.ts_val
    return Segment(
        iss,
        (syn.seq + 1) & MASK,
        model.flags,
        model.window,
        ts_val,
        ts_ecr,
        b"",
        (),
        model.syn_options,
        0,
        model.ecn,
        model.user_timeout_s,
    )


@lru_cache(maxsize=1024)
def _terms(
    parameters: TcpParameters,
    mss: int,
    is_ipv6: bool,
    options: SynOptions,
    has_timestamp: bool,
    setup: int,
) -> Terms:
    """In a flood nearly all SYNs have these in common."""
    syn = Segment(0, 0, SYN | setup, 0, 0 if has_timestamp else NO_TIMESTAMP, syn_options=options)
    opening = Opening(now_us=0, iss=0, ts_offset=0, mss=mss, is_ipv6=is_ipv6)
    wish = wanted(parameters, opening, passive=True)
    # There is no room for the code of accurate ECN.
    agreed = replace(agreement(wish, syn), accurate_ecn=0)
    if not agreed.timestamps:
        # What could not come back is not agreed on.
        agreed = replace(agreed, sack=False, snd_wind_shift=0, rcv_wind_shift=0, ecn=False, ect=NOT_ECT)
    index = max(bisect_right(SYN_COOKIE_MSS, options.mss or wish.smss) - 1, 0)
    times = 0 if agreed.timestamps else NO_TIMESTAMP, 0
    return Terms(agreed, index, syn_ack_of(agreed, Seq(0), parameters.receive_buffer_bytes, times))


def _with_options(ts_val: int, agreed: Agreed) -> int:
    """The latest TSval not after `ts_val` whose low bits say what was agreed."""
    is_scaled = agreed.snd_wind_shift or agreed.rcv_wind_shift
    options = (agreed.snd_wind_shift if is_scaled else NO_SCALE) | (SACK_BIT if agreed.sack else 0)
    options |= ECN_BIT if agreed.ecn else 0
    carrying = ts_val & ~OPTIONS_MASK | options
    return (carrying if carrying <= ts_val else carrying - OPTIONS_MASK - 1) & MASK


def returned(secrets: CookieSecrets, flow: Flow, segment: Segment, timestamps: bool) -> Returned | None:
    """What a segment returns; None when that is not a cookie of ours, or an old one.

    `timestamps` says whether we take them; a peer must go on sending them (RFC 7323 3.2).
    """
    irs, iss = (segment.seq - 1) & MASK, (segment.ack - 1) & MASK
    timestamps = timestamps and segment.ts_val != NO_TIMESTAMP
    index = iss & MSS_MASK
    for secret in (secrets.current, secrets.previous):
        if secret is None:
            continue
        wrong = cookie(secret, flow, irs, index, timestamps) ^ iss
        if not wrong & FLOW_OF_ISS:
            return Returned(SYN_COOKIE_MSS[index], not wrong)
    return None


def half_open(listener: Listener, segment: Segment, opening: Opening, mss: int) -> Tcb:
    """The connection as it stood before the ACK with a cookie came: that segment, stepped next, opens it.

    What the SYN said is pieced together from the ACK. Its low bits make TSecr up to 63 ms too old to measure
    a round trip by, so none is measured yet.
    """
    options, flags = SynOptions(mss), SYN
    if segment.ts_val != NO_TIMESTAMP:
        scale = segment.ts_ecr & SCALE_MASK
        options = SynOptions(mss, -1 if scale == NO_SCALE else scale, bool(segment.ts_ecr & SACK_BIT))
        flags |= SETUP_SYN if segment.ts_ecr & ECN_BIT else 0
    syn = Segment((segment.seq - 1) & MASK, 0, flags, segment.window, segment.ts_val, syn_options=options)
    opening = replace(opening, iss=(segment.ack - 1) & MASK)
    agreed = agreement(wanted(listener.parameters, opening, passive=True), syn)
    tcb = open_passive(agreed, syn, opening.now_us)
    return replace(tcb, rtt_seq=None, rtt_at_us=opening.now_us)
