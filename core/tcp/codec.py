"""A connection as bytes and back.

`step(decode(encode(c)), event) == step(c, event)` for every reachable c (law 2): that is what lets a
connection be snapshotted, sent to another process, recorded and replayed. One leading byte is the version of
the layout (`core.layout`), one says which record follows.
"""

import msgspec

from gossamer.core.errors import GossamerError
from gossamer.core.layout import CONNECTION_LAYOUT
from gossamer.core.records import decoded, encoded, replace
from gossamer.core.tcp.congestion.named import UnknownCongestionControl, control_of
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.tcb import Tcb, TimeWait

KINDS: dict[int, type[Tcb] | type[TimeWait]] = {1: Tcb, 2: TimeWait}

_encoder = msgspec.msgpack.Encoder(enc_hook=encoded)
_decoders = {number: msgspec.msgpack.Decoder(kind, dec_hook=decoded) for number, kind in KINDS.items()}


class UndecodableConnection(GossamerError):
    """The bytes are no connection of this version; the message says why."""


def encode(connection: Tcb | TimeWait) -> bytes:
    """All of a connection's state."""
    number = 1 if isinstance(connection, Tcb) else 2
    return bytes((CONNECTION_LAYOUT, number)) + _encoder.encode(connection)


def decode(data: bytes) -> Tcb | TimeWait:
    """The connection that was encoded. Raises: UndecodableConnection."""
    if len(data) < 2 or data[0] != CONNECTION_LAYOUT or data[1] not in KINDS:
        raise UndecodableConnection(
            f"not a connection of layout version {CONNECTION_LAYOUT}: it begins with {data[:2]!r}"
        )
    try:
        connection: Tcb | TimeWait = _decoders[data[1]].decode(data[2:])
        return _with_memory(connection) if isinstance(connection, Tcb) else connection
    except (msgspec.MsgspecError, UnknownCongestionControl) as error:
        raise UndecodableConnection(str(error)) from error


def _with_memory(tcb: Tcb) -> Tcb:
    """The congestion control's own record, which only the algorithm knows the shape of."""
    tcb = replace(tcb, congestion=_remembered(tcb, tcb.congestion))
    if tcb.undo is None:
        return tcb
    return replace(tcb, undo=replace(tcb.undo, before=_remembered(tcb, tcb.undo.before)))


def _remembered(tcb: Tcb, congestion: Congestion) -> Congestion:
    if congestion.memory is None:
        return congestion
    memory = msgspec.convert(congestion.memory, control_of(tcb).memory, dec_hook=decoded)
    return replace(congestion, memory=memory)
