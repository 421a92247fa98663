"""What the row of a connection says: to who has written it, and to who reads it in another process.

    an entry: is what it says still true of the connection?
    the rows of a process that was killed -> each connection of a flow that is wanted

Owns the octet in which a row says where its connection stood, and the two forms of what it says: numbers and
octets (`core.tcp.checkpoint`), or the whole connection as it would move (`core.loop.tcp.saving`).
"""

from collections.abc import Callable
from typing import Final

import msgspec

from gossamer.core.checkpoint_rows import NO_STEM, Checkpoint, CheckpointRow, rows_in
from gossamer.core.loop.continuing import NamedFile
from gossamer.core.loop.tcp.moved import MovedConnection, Standing
from gossamer.core.seq import MASK
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.checkpoint import end, reach, read, standing_in
from gossamer.core.tcp.codec import UndecodableConnection, decode
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.flow import FLOW_BYTES, Flow
from gossamer.core.wire.segment import Segment

KEPT: Final = frozenset({Standing.HALF_OPEN, Standing.RESTING, Standing.ACCEPTABLE, Standing.CLOSED})
"""Where a connection stands of which numbers and octets say all."""
KEPT_WHOLE: Final = frozenset({Standing.RESTING, Standing.ACCEPTABLE, Standing.CLOSED, Standing.BUSY})
"""Where one may stand that is written as it would move."""
WHOLE: Final = 0x80
"""Beside where it stands: it is written so."""
RESTORED: Final = 0x40
"""The same: it was restored, and has not gone on since."""


# No record of its own: in the native build msgspec would know nothing of one from here.
Moves = tuple[bytes, int, bytes, tuple[tuple[int, NamedFile], ...]]
"""A connection as it would move: record, until when it waits, what its thread is about, files."""

_decoder = msgspec.msgpack.Decoder(Moves)


class Entry:
    """What the row of a connection says."""

    __slots__ = ("asked", "is_restored", "place", "row", "said", "stem")

    def __init__(self, row: CheckpointRow, said: Tcb) -> None:
        self.row = row
        self.said = said
        """The connection as it was written, with what it was asked in its receive buffer."""
        self.stem = NO_STEM
        self.place: Standing | None = None
        """None before anything was written."""
        self.is_restored = False
        """Whether it was a killed process's, and has not gone on since."""
        self.asked = b""
        """What of the stream came since the connection rested."""

    def says(self, tcb: Tcb) -> bool:
        """Whether a checkpoint of this connection would say nothing new that matters."""
        said = self.said
        return (
            said.rcv_nxt == tcb.rcv_nxt
            and said.state is tcb.state
            and end(said) == end(tcb)
            and self.accounts_for(tcb)
        )

    def accounts_for(self, tcb: Tcb) -> bool:
        """Whether nothing has been sent beyond what it takes for sent."""
        una = self.said.snd_una
        return (tcb.snd_nxt - una) & MASK <= (reach(self.said) - una) & MASK

    def is_true(self, tcb: Tcb, actions: Actions) -> bool:
        """Whether it still holds once these actions are performed."""
        rcv_nxt = self.said.rcv_nxt
        for action in actions:
            if isinstance(action, Segment) and action.ack != rcv_nxt:
                return False
        return self.accounts_for(tcb)


def killed_connection(checkpoint: Checkpoint) -> tuple[MovedConnection, Tcb] | None:
    """The connection of a checkpoint, but for its record, and that; None where it was restored once and has
    not gone on since. Raises: UndecodableConnection."""
    stem, place = checkpoint.stem, standing_in(checkpoint.note)
    if len(stem) < FLOW_BYTES:
        raise UndecodableConnection("a checkpoint that is cut short")
    if place & RESTORED:
        return None
    flow = stem[:FLOW_BYTES]
    if place in KEPT:
        tcb, until_us = read(checkpoint.note, stem[FLOW_BYTES:], checkpoint.octets)
        return MovedConnection(flow, Standing(place), b"", until_us), tcb
    if place & ~WHOLE not in KEPT_WHOLE:
        raise UndecodableConnection(f"a checkpoint of a connection that stood at {place}")
    try:
        moves: Moves = _decoder.decode(checkpoint.octets)
    except msgspec.DecodeError as error:
        raise UndecodableConnection(str(error)) from error
    record = decode(moves[0])
    if not isinstance(record, Tcb):
        raise UndecodableConnection("a checkpoint of a connection in TIME-WAIT")
    return MovedConnection(flow, Standing(place & ~WHOLE), *moves), record


def left_in(
    memory: memoryview, is_wanted: Callable[[Flow], bool], on_error: Callable[[UndecodableConnection], None]
) -> list[tuple[MovedConnection, Tcb]]:
    """The connections in the rows of a process that is no more, of the flows that are wanted."""
    found = []
    for checkpoint in rows_in(memory):
        try:
            connection = killed_connection(checkpoint)
        except UndecodableConnection as error:
            on_error(error)
            continue
        if connection is not None and is_wanted(Flow(connection[0].flow)):
            found.append(connection)
    return found
