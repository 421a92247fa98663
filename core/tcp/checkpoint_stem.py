"""What of a connection changes seldom, as the stem of its checkpoints: in few octets, made in little time.

    layout | what the handshake settled | rare records, if there are any | parameters that are not the default

A stem is made for each connection, and most live for one request: so what nearly all have in common is made
of a record once, and the rest are numbers. What is not in it is learned anew, or begins anew.

Owns that layout. Source: none; `core.tcp.codec` is how all of a connection is written.
"""

import struct
from functools import lru_cache
from typing import Final

import msgspec

from gossamer.core.layout import CONNECTION_LAYOUT
from gossamer.core.records import decoded, encoded
from gossamer.core.seq import Seq
from gossamer.core.tcp.codec import UndecodableConnection
from gossamer.core.tcp.congestion.initial_window import initial_congestion
from gossamer.core.tcp.congestion.named import UnknownCongestionControl
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.parked import ECN, ECT_BITS_AT, IPV6, PASSIVE, SACK, TIMESTAMPS, bits
from gossamer.core.tcp.tcb import Agreed, Ecn, Path, State, Tcb, UserTimeout

STEM_LAYOUT: Final = 2
"""No record that `core.tcp.codec` writes begins with it."""
SETTLED: Final = struct.Struct("=2B3I4H5BH")
"""Both layouts, the numbers of `Agreed`, and how many octets the rare records take."""
KNOWN: Final = {name: getattr(DEFAULT_PARAMETERS, name) for name in TcpParameters.__struct_fields__}

_encoder = msgspec.msgpack.Encoder(enc_hook=encoded)
_rare_decoder = msgspec.msgpack.Decoder(
    tuple[Ecn | None, Path | None, UserTimeout | None, int | None], dec_hook=decoded
)
_parameters_decoder = msgspec.msgpack.Decoder(TcpParameters)


def is_stem_of(before: Tcb, tcb: Tcb) -> bool:
    """Whether the stem that was made of `before` is one of this connection too."""
    return (
        before.agreed is tcb.agreed
        and before.ecn is tcb.ecn
        and before.path is tcb.path
        and before.user_timeout is tcb.user_timeout
        and before.rcv_up is tcb.rcv_up
    )


def stem_octets(tcb: Tcb) -> bytes:
    """What of a connection changes seldom."""
    agreed, rare = tcb.agreed, b""
    ecn, path, user_timeout, rcv_up = tcb.ecn, tcb.path, tcb.user_timeout, tcb.rcv_up
    if ecn is not None or path is not None or user_timeout is not None or rcv_up is not None:
        rare = _encoder.encode((ecn, path, user_timeout, rcv_up))
    settled = SETTLED.pack(
        STEM_LAYOUT,
        CONNECTION_LAYOUT,
        agreed.iss,
        agreed.irs,
        agreed.ts_offset,
        agreed.smss,
        agreed.rmss,
        agreed.syn_text_bytes,
        agreed.syn_taken_bytes,
        agreed.snd_wind_shift,
        agreed.rcv_wind_shift,
        agreed.traffic_class,
        agreed.accurate_ecn,
        bits(agreed),
        len(rare),
    )
    return settled + rare + _parameters_octets(agreed.parameters)


@lru_cache(maxsize=256)
def _parameters_octets(parameters: TcpParameters) -> bytes:
    """Those that are not the default, by name. Most connections share a record of them."""
    others = {name: getattr(parameters, name) for name, known in KNOWN.items()}
    return _encoder.encode({name: value for name, value in others.items() if value != KNOWN[name]})


@lru_cache(maxsize=256)
def _parameters_of(octets: bytes) -> TcpParameters:
    return _parameters_decoder.decode(octets)


def of_stem(stem: bytes) -> Tcb:
    """A connection of this stem, in which nothing was sent or received yet. Raises: UndecodableConnection."""
    if len(stem) < SETTLED.size or stem[0] != STEM_LAYOUT or stem[1] != CONNECTION_LAYOUT:
        raise UndecodableConnection(
            f"a checkpoint of another layout, or cut short: it begins with {stem[:2]!r}"
        )
    found = SETTLED.unpack_from(stem)
    iss, irs, ts_offset, smss, rmss, syn_text_bytes, syn_taken_bytes = found[2:9]
    snd_wind_shift, rcv_wind_shift, traffic_class, accurate_ecn, settled, rare_bytes = found[9:]
    end = SETTLED.size + rare_bytes
    try:
        ecn, path, user_timeout, rcv_up = (
            _rare_decoder.decode(stem[SETTLED.size : end]) if rare_bytes else (None, None, None, None)
        )
        agreed = Agreed(
            _parameters_of(stem[end:]),
            iss,
            irs,
            smss,
            rmss,
            snd_wind_shift,
            rcv_wind_shift,
            settled & TIMESTAMPS > 0,
            settled & SACK > 0,
            ts_offset,
            settled & PASSIVE > 0,
            settled & ECN > 0,
            settled >> ECT_BITS_AT,
            settled & IPV6 > 0,
            traffic_class,
            accurate_ecn,
            syn_text_bytes,
            syn_taken_bytes,
        )
        congestion = initial_congestion(agreed)
    except (msgspec.MsgspecError, UnknownCongestionControl) as error:
        raise UndecodableConnection(str(error)) from error
    return Tcb(
        snd_una=iss,
        snd_nxt=iss,
        state=State.ESTABLISHED,
        agreed=agreed,
        congestion=congestion,
        ecn=ecn,
        path=path,
        user_timeout=user_timeout,
        rcv_up=None if rcv_up is None else Seq(rcv_up),
    )
