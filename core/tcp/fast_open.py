"""TCP Fast Open: data in the SYN, for a peer whose address a cookie has proven.

    client, no cookie:  SYN + an empty option        -> SYN-ACK + a cookie; data follows the handshake
    client, a cookie:   SYN + cookie + data          -> SYN-ACK of SYN and data, or of the SYN alone
    server, a valid cookie: SYN-RECEIVED, but the user has the connection at once, reads and sends
    server, any other:      a SYN-ACK with a good cookie; the data of the SYN is left to be sent again

The option is of the kind that RFC 7413 has, or of the experimental one of before it, for peers that know no
other: a server answers in the kind that it was asked in, a client asks in the other once one brought nothing.

Owns the form of cookies, and how the Tcb of such an opening differs. While a server's connection is "early"
(the user has it, the handshake is not over), SND.UNA stands behind our SYN, so that buffer and flight count
as they do ever after; the retransmission timer is the SYN-ACK's, and what the user closes waits for the
handshake. A client's SND.NXT stands behind its SYN until the SYN-ACK shows how much data was taken. The doer
knows how many connections may be early, and keeps what a client knows of servers.

Source: RFC 7413, RFC 6994 3.
"""

from hashlib import blake2s
from typing import Final

import msgspec

from gossamer.core.seq import MASK, seq_add
from gossamer.core.tcp.actions import Granted
from gossamer.core.tcp.buffer import text_at, without_front
from gossamer.core.tcp.constants import FAST_OPEN_COOKIE_BYTES, FAST_OPEN_PERIOD_US, MSS_DEFAULT_IPV4
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.handshake import NO_OPTIONS
from gossamer.core.tcp.reassembly import EMPTY, inserted
from gossamer.core.tcp.tcb import FastOpen, State, Tcb
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.options import OPTIONS_BYTES_MAX
from gossamer.core.wire.segment import Segment
from gossamer.core.wire.text import octets_of

replace = msgspec.structs.replace

ASK: Final = b""
"""The option of a client that has no cookie yet."""


# Cookies.


def cookie_of(secret: bytes, flow: Flow, period: int) -> bytes:
    """A cookie says that its bearer has received something at its address (RFC 7413 4.1.2): a MAC of that."""
    hashed = flow[:16] + period.to_bytes(8, "big", signed=True)
    return blake2s(hashed, digest_size=FAST_OPEN_COOKIE_BYTES, key=secret).digest()


def judged(secret: bytes, flow: Flow, cookie: bytes, now_us: int) -> tuple[bool, bytes | None]:
    """Whether a SYN's cookie is valid, and the one to send back: None when its own is the latest.

    RFC 7413 4.1.2 wants cookies to expire: each holds for one to two periods.
    """
    period = now_us // FAST_OPEN_PERIOD_US
    latest = cookie_of(secret, flow, period)
    if cookie == latest:
        return True, None
    return cookie == cookie_of(secret, flow, period - 1), latest


# The server.


def is_early(tcb: Tcb) -> bool:
    """Whether the user has a connection whose handshake is not over."""
    return tcb.fast_open is not None and tcb.fast_open.is_early


def answering(cookie: bytes, syn: Segment) -> FastOpen:
    """What gives a cookie to the peer, in the kind of option that its SYN has."""
    return FastOpen(cookie, is_experimental=(syn.syn_options or NO_OPTIONS).is_cookie_experimental)


def taken(tcb: Tcb, syn: Segment) -> Tcb:
    """A passive connection whose SYN had a valid cookie: its data is received, and the user may answer it.

    Source: RFC 7413 4.2.2.
    """
    opens = replace(tcb.fast_open or FastOpen(), is_early=True)
    return with_syn_text(replace(tcb, snd_una=tcb.snd_nxt, fast_open=opens), syn)


def with_syn_text(tcb: Tcb, syn: Segment) -> Tcb:
    """A connection that has taken in the text of the peer's SYN."""
    text = octets_of(syn.payload)[: tcb.rcv_wnd]
    rcv_nxt = seq_add(tcb.rcv_nxt, len(text))
    return replace(
        tcb,
        rcv_nxt=rcv_nxt,
        last_ack_sent=rcv_nxt,
        rcv_buf=(text,) if text else (),
        rcv_buf_bytes=len(text),
        rcv_wnd=tcb.rcv_wnd - len(text),
    )


def with_held_syn_text(tcb: Tcb, syn: Segment) -> Tcb:
    """A connection that holds the text of the peer's SYN like what came out of order, and has it once the
    handshake is over (`with_text_at_last`)."""
    held = inserted(EMPTY, tcb.rcv_nxt, octets_of(syn.payload)[: tcb.rcv_wnd], tcb.rcv_nxt)
    return replace(tcb, reassembly=held)


def with_text_at_last(tcb: Tcb, now_us: int) -> Tcb:
    """The connection whose handshake is over, with the text that a SYN brought before."""
    if tcb.reassembly is None or not tcb.reassembly.blocks or tcb.reassembly.blocks[0].left != tcb.rcv_nxt:
        return tcb
    first, *rest = tcb.reassembly.blocks
    taken = (first.right - first.left) & MASK
    held = replace(tcb.reassembly, blocks=tuple(rest), recent=()) if rest else None
    return replace(
        tcb,
        rcv_nxt=first.right,
        rcv_buf=first.chunks,
        rcv_buf_bytes=taken,
        rcv_wnd=tcb.rcv_wnd - taken,
        reassembly=held,
        ack_at_us=now_us + tcb.agreed.parameters.delayed_ack_us,
    )


def closed_early(tcb: Tcb, receives: bool) -> Tcb:
    """The user closes: the FIN waits for the end of the handshake."""
    assert tcb.fast_open is not None
    closed = not receives or tcb.receive_closed
    return replace(tcb, fast_open=replace(tcb.fast_open, closes=True), receive_closed=closed)


def ended(tcb: Tcb) -> tuple[Tcb, State]:
    """The handshake is over: nothing of it is left, and a CLOSE that waited for this takes place."""
    closes = tcb.fast_open is not None and tcb.fast_open.closes
    return replace(tcb, fast_open=None), State.FIN_WAIT_1 if closes else State.ESTABLISHED


# The client.


class FastOpenServer(msgspec.Struct, frozen=True, gc=False):
    """What a client knows of one."""

    cookie: bytes = ASK
    is_experimental: bool = False
    """The kind of option that the cookie came in, or is to be asked for in."""
    has_refused_experiment: bool = False
    """Whether it was asked in the experimental kind, and gave none."""
    mss: int = 0
    rests_until_us: int = 0
    """No option before this: SYNs with it were lost."""
    losses: int = 0
    """In a row."""


def after_answer(server: FastOpenServer, granted: Granted) -> FastOpenServer:
    """What is known once a SYN with the option was answered.

    Where a request brought nothing, the next one is of the other kind, since implementations of before RFC
    7413 know the experimental one alone (its section 9); where that brings nothing either, of kind 34 for
    good.
    """
    if not granted.was_asked:
        return replace(server, mss=granted.mss)
    cookie, is_experimental = granted.cookie or server.cookie, server.is_experimental
    has_refused = server.has_refused_experiment
    if granted.cookie:
        is_experimental = granted.is_experimental
    elif not server.cookie:
        has_refused = has_refused or granted.is_experimental
        is_experimental = not has_refused
    return FastOpenServer(cookie, is_experimental, has_refused, granted.mss)


def with_known(opening: Opening, server: FastOpenServer, needs_cookie: bool = True) -> Opening:
    """An active opening that has data to send, by what is known of its server. A cookie that it has given is
    sent in any case."""
    if not server.cookie and not needs_cookie:
        return replace(opening, is_bare=True, peer_mss=server.mss or opening.mss)
    return replace(
        opening,
        cookie=server.cookie,
        is_cookie_experimental=server.is_experimental,
        peer_mss=server.mss,
    )


def room_bytes(peer_mss: int, our_mss: int) -> int:
    """How much data a SYN may carry.

    RFC 7413 4.1.3: that is what the MSS of the last connection is remembered for; options take from it.
    """
    return max(min(peer_mss or MSS_DEFAULT_IPV4, our_mss) - OPTIONS_BYTES_MAX, 0)


def syn_text(tcb: Tcb) -> bytes:
    """The data of our SYN."""
    if tcb.fast_open is None or not (tcb.fast_open.cookie or tcb.fast_open.is_bare):
        return b""
    return octets_of(text_at(tcb.snd_buf, 0, 0, tcb.fast_open.syn_bytes))


def without_option(fast_open: FastOpen) -> FastOpen:
    """The opening after a lost SYN.

    It is repeated without data and option: what dropped the first may drop all of its kind (RFC 7413 4.2.1).
    The SYN-ACK may still answer the first one.
    """
    return replace(fast_open, cookie=None, is_bare=False)


def acked_bytes(tcb: Tcb, ack: int) -> int | None:
    """How much of our SYN's data a SYN-ACK or RST acknowledges; None when it does not even take the SYN.

    Source: RFC 7413 4.2.1; a server may take all, a part, or only the SYN.
    """
    beyond = (ack - tcb.snd_nxt) & MASK
    limit = tcb.fast_open.syn_bytes if tcb.fast_open is not None else 0
    return beyond if beyond <= limit else None


def with_acked(tcb: Tcb, octets: int) -> Tcb:
    """SND.UNA and SND.NXT behind SYN and data that were taken. The rest is sent like any data."""
    snd_una = seq_add(tcb.snd_nxt, octets)
    chunks, offset = without_front(tcb.snd_buf, tcb.snd_buf_offset, octets)
    carried = tcb.fast_open.syn_bytes if tcb.fast_open is not None else 0
    return replace(
        tcb,
        snd_una=snd_una,
        snd_nxt=snd_una,
        snd_buf=chunks,
        snd_buf_offset=offset,
        snd_buf_bytes=tcb.snd_buf_bytes - octets,
        agreed=replace(tcb.agreed, syn_text_bytes=carried, syn_taken_bytes=octets) if carried else tcb.agreed,
        fast_open=None,
    )


def granted(tcb: Tcb, syn_ack: Segment) -> Granted | None:
    """What a SYN-ACK grants; `tcb` is the connection whose SYN it answers. None when there is no cookie, and
    the SYN that it answers may have had no option."""
    options, opens = syn_ack.syn_options or NO_OPTIONS, tcb.fast_open
    if opens is not None and opens.is_bare:
        return Granted(b"", options.mss, was_asked=False)
    if options.cookie:
        return Granted(options.cookie, options.mss, options.is_cookie_experimental)
    if opens is None or opens.cookie is None:
        return None
    has_taken = bool(acked_bytes(tcb, syn_ack.ack))
    return Granted(b"", options.mss, opens.is_experimental, brings_nothing=not has_taken)
