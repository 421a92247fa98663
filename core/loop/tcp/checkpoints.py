"""Checkpoints: connections as another process goes on with them, should this one be killed.

    a turn's steps -> what has come to rest is written, what is not true any more is taken out -> the batch
    the rows of one that was killed -> each connection of a flow that is wanted, restored

What can be written is what could move (`core.loop.tcp.moving`) and is accepted or about to be. What a
connection that rested is asked stands in its row until the answer begins: should the process be killed, it is
asked again. So only the handler of a connection that rests, which says so itself (`Idle`), hears anything
twice. While an answer is under way that is not whole in the send buffer nothing can be said: if what the row
said before is not true any more it says nothing, and the connection is lost if the process is killed just
then.

A connection that was restored is not restored again before it has gone on: what killed one process, and is
sent again, kills no more than two.

Owns the rows of this loop, and which connection has which.

Bounds: as many as there are rows; CONTENT_BYTES_MAX of `core.checkpoint_rows` each.
"""

from collections.abc import Callable, Container, Iterable, Sized
from typing import Final

import msgspec

from gossamer.core.checkpoint_rows import (
    CONTENT_BYTES_MAX,
    NO_STEM,
    Checkpoint,
    CheckpointRow,
    CheckpointRows,
    rows_in,
    stem_of,
)
from gossamer.core.clock import NEVER_US
from gossamer.core.loop.continuing import NamedFile
from gossamer.core.loop.tcp.call import Connection
from gossamer.core.loop.tcp.moving import MovedConnection, Moving, Standing
from gossamer.core.records import replace
from gossamer.core.seq import MASK, seq_add
from gossamer.core.tcp.actions import Actions, Deliver
from gossamer.core.tcp.buffer import octets_at
from gossamer.core.tcp.checkpoint import (
    can_be_written,
    end,
    numbers,
    reach,
    read,
    standing_in,
    unsettled,
)
from gossamer.core.tcp.checkpoint_stem import is_stem_of, stem_octets
from gossamer.core.tcp.codec import UndecodableConnection, decode
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.flow import FLOW_BYTES, Flow
from gossamer.core.wire.segment import Segment

STEM_BYTES_MAX: Final = 4096
"""More than any has."""
OCTETS_MAX: Final = CONTENT_BYTES_MAX - STEM_BYTES_MAX
HALF_OPEN_MAX: Final = 256
"""While more are half open none is written: in a flood of SYNs hardly any is anybody's."""
ESTABLISHED: Final = State.ESTABLISHED
RESTING: Final = Standing.RESTING
KEPT: Final = frozenset({Standing.HALF_OPEN, Standing.RESTING, Standing.ACCEPTABLE, Standing.CLOSED})
"""Where a connection stands of which numbers and octets say all."""
UNASKED: Final = frozenset({Standing.HALF_OPEN, Standing.RESTING, Standing.ACCEPTABLE})
"""Where one stands that may be asked something."""
KEPT_WHOLE: Final = frozenset({Standing.RESTING, Standing.ACCEPTABLE, Standing.CLOSED, Standing.BUSY})
"""Where one may stand that is written as it would move."""
WHOLE: Final = 0x80
"""Beside where it stands: it is written so."""
RESTORED: Final = 0x40
"""The same: it was restored, and has not gone on since."""


# No record of its own: in the native build msgspec would know nothing of one from here.
Moves = tuple[bytes, int, bytes, tuple[tuple[int, NamedFile], ...]]
"""A connection as it would move: record, until when it waits, what its thread is about, files."""

_encoder = msgspec.msgpack.Encoder()
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


def _is_blocked(connection: Connection) -> bool:
    """Whether its thread is in no call but one that waits: it goes on from there, whatever a step has still
    to ask for."""
    return not connection.is_closed and (connection.send_thread or connection.recv_thread) is not None


def _just_established(tcb: Tcb) -> Tcb:
    """A connection as it was when nothing had come nor gone."""
    iss = seq_add(tcb.agreed.iss, 1)
    return replace(
        tcb,
        rcv_nxt=seq_add(tcb.agreed.irs, 1),
        snd_una=iss,
        snd_nxt=iss,
        snd_buf=(),
        snd_buf_bytes=0,
    )


class Checkpoints:
    """Writes and reads the rows."""

    def __init__(
        self,
        rows: CheckpointRows,
        moving: Moving,
        parked: Container[Flow],
        half_open: Sized,
    ) -> None:
        self.stepped: list[Connection] = []
        """What was stepped since the last batch; others append to it. Bounds: the steps of a turn."""
        self.performed: list[Actions] = []
        """What each of these steps asked for. A list of its own: a pair for each step would cost more."""
        self._rows = rows
        self._moving = moving
        self._parked = parked
        self._half_open = half_open
        self._entries: dict[Flow, Entry] = {}
        self._asked_for: dict[Connection, Actions] | None = None
        """What the steps of each connection asked for, once somebody wants to know it of this batch."""
        self._written_total = 0
        self._refused_total = 0

    def statistics(self) -> dict[str, int]:
        """How many connections would live on, how often one was written, how often there was no room."""
        return {
            "checkpoints": len(self._entries),
            "checkpoints_total": self._written_total,
            "checkpoints_refused_total": self._refused_total,
        }

    def before_sending(self) -> None:
        """Have the rows account for all that the batch says. The hot path: what has come to rest."""
        entries = self._entries
        for connection in dict.fromkeys(self.stepped):
            entry, tcb = entries.get(connection.flow), connection.tcb
            if (
                entry is not None
                and tcb is not None
                and connection.recv_thread is not None
                and entry.said.rcv_nxt != tcb.rcv_nxt
                and self._moving.is_resting(connection)
                and self._write(entry, connection.flow, tcb, RESTING, connection.recv_deadline_us)
            ):
                continue
            self._see(connection, entry)
        self.stepped.clear()
        self.performed.clear()
        self._asked_for = None

    def before_sending_early(self, at_hand: Connection | None) -> None:
        """The same for a batch that is sent between two steps of a turn, the next one of the connection that
        is at hand."""
        self._account_but_for(at_hand)

    def before_sending_amid(self) -> None:
        """The same for one that is sent in the midst of a step, which asks for more than it has room for."""
        if self.stepped:
            self._account_but_for(self.stepped[-1])

    def _account_but_for(self, at_hand: Connection | None) -> None:
        """Have the rows account for what the batch says. Of a connection that is at hand, somebody may be in
        the midst of a call: what its row says stays where it is true."""
        for connection in dict.fromkeys(self.stepped):
            entry, tcb = self._entries.get(connection.flow), connection.tcb
            if connection is not at_hand or tcb is None:
                self._see(connection, entry)
            elif self._is_on_its_way(connection):
                self._doubt(connection, tcb)
            elif _is_blocked(connection):
                self._see(connection, entry)
            elif not self._is_asked(connection, entry, tcb):
                self._doubt(connection, tcb)
        del self.stepped[:-1], self.performed[:-1]
        self._asked_for = None

    def _is_on_its_way(self, connection: Connection) -> bool:
        """Whether the last step was this connection's, and may be about to hand octets to its user: they are
        nowhere until then."""
        return connection is self.stepped[-1] and Deliver in map(type, self.performed[-1])

    def _actions_of(self, connection: Connection) -> Actions:
        """What all steps of a connection asked for, in this batch."""
        if self._asked_for is None:
            self._asked_for = _together(zip(self.stepped, self.performed, strict=True))
        return self._asked_for[connection]

    def _see(self, connection: Connection, entry: Entry | None) -> None:
        tcb, flow = connection.tcb, connection.flow
        if tcb is None:
            if entry is not None and flow not in self._parked:
                self.forget(flow)
        elif entry is not None and entry.says(tcb):
            if entry.said.snd_buf and not tcb.snd_buf:
                # An idle connection keeps nothing of the last answer alive.
                entry.said = replace(entry.said, snd_buf=())
                entry.row.let_go()
        elif not (self._is_taken_in(connection, tcb) or self._is_asked(connection, entry, tcb)):
            self._doubt(connection, tcb)

    def _is_taken_in(self, connection: Connection, tcb: Tcb) -> bool:
        """Whether a row says where a connection stands."""
        place = self._moving.place_of(connection)
        if place is not None and self._is_kept(place, tcb):
            return self._take_in(connection.flow, tcb, place, connection.recv_deadline_us)
        moved = self._moving.save_open(connection) if place in KEPT_WHOLE else None
        return moved is not None and self._take_in_whole(moved, tcb)

    def _is_kept(self, place: Standing, tcb: Tcb) -> bool:
        """Whether numbers and octets say all of a connection that stands there."""
        if place is Standing.HALF_OPEN and len(self._half_open) > HALF_OPEN_MAX:
            return False
        return place in KEPT and can_be_written(tcb)

    def _is_asked(self, connection: Connection, entry: Entry | None, tcb: Tcb) -> bool:
        """Whether a connection that rested, or is new, was just asked something of which nothing is answered
        yet: then it goes on by hearing that again."""
        if self._moving.idle is None or tcb.state is not ESTABLISHED:
            return False
        if not tcb.agreed.passive if entry is None else entry.place not in UNASKED:
            return False
        is_new = entry is None or entry.place is Standing.HALF_OPEN
        said = _just_established(tcb) if entry is None or is_new else entry.said
        count = (tcb.rcv_nxt - said.rcv_nxt) & MASK
        if not count or end(said) != end(tcb):
            return False
        actions, flow = self._actions_of(connection), connection.flow
        heard = b"".join([action.data for action in actions if isinstance(action, Deliver)])
        if tcb.rcv_buf_bytes:
            heard += octets_at(tcb.rcv_buf, tcb.rcv_buf_offset, 0, tcb.rcv_buf_bytes)
        if count > len(heard):
            return False
        before = b"" if entry is None else entry.asked
        asked = before + heard[-count:]
        tcb = replace(tcb, rcv_buf=(asked,), rcv_buf_bytes=len(asked), rcv_buf_offset=0)
        if not self._take_in(flow, tcb, RESTING, NEVER_US, entry is not None and entry.is_restored):
            return False
        self._entries[flow].asked = asked
        return True

    def _doubt(self, connection: Connection, tcb: Tcb) -> None:
        """Nothing can be said of a connection now: what was said before stays if it is true."""
        entry = self._entries.get(connection.flow)
        if entry is not None and not entry.is_true(tcb, self._actions_of(connection)):
            self.forget(connection.flow)

    def take_in_moved(self, moved: MovedConnection, tcb: Tcb, *, is_restored: bool = False) -> None:
        """A connection has come, and is this by now: have a row say so, where that can be said."""
        if self._is_kept(moved.place, tcb):
            self._take_in(Flow(moved.flow), tcb, moved.place, moved.until_us, is_restored)
        elif moved.place in KEPT_WHOLE:
            self._take_in_whole(moved, tcb, is_restored)

    def _take_in(
        self, flow: Flow, tcb: Tcb, place: Standing, until_us: int, is_restored: bool = False
    ) -> bool:
        """Have a row say where a connection stands; whether there is room for that."""
        entry = self._entry(flow, tcb)
        return entry is not None and self._write(entry, flow, tcb, place, until_us, is_restored)

    def _entry(self, flow: Flow, tcb: Tcb) -> Entry | None:
        """What the row of a connection says; of one that has none, a new one that says nothing. None where
        there is no room."""
        entry = self._entries.get(flow)
        if entry is None:
            row = self._rows.take()
            if row is None:
                self._refused_total += 1
                return None
            self._entries[flow] = entry = Entry(row, tcb)
        return entry

    def _write(
        self, entry: Entry, flow: Flow, tcb: Tcb, place: Standing, until_us: int, is_restored: bool = False
    ) -> bool:
        """Have a row say this; whether there is room for it."""
        octets = unsettled(tcb)
        if octets is None:
            return False
        if len(octets) > OCTETS_MAX:
            return self._refuse(entry, flow)
        if entry.stem is NO_STEM or not is_stem_of(entry.said, tcb):
            entry.stem = stem_of(flow + stem_octets(tcb))
        standing = place | RESTORED if is_restored else place
        entry.row.write(numbers(tcb, until_us, standing), entry.stem, octets)
        self._written_total += 1
        entry.said, entry.place, entry.is_restored, entry.asked = tcb, place, is_restored, b""
        return True

    def _take_in_whole(self, moved: MovedConnection, tcb: Tcb, is_restored: bool = False) -> bool:
        """Have a row say all that moves of a connection, with what its thread is about."""
        flow = Flow(moved.flow)
        entry = self._entry(flow, tcb)
        if entry is None:
            return False
        octets = _encoder.encode((moved.record, moved.until_us, moved.state, moved.files))
        if len(octets) > OCTETS_MAX:
            return self._refuse(entry, flow)
        standing = moved.place | WHOLE | (RESTORED if is_restored else 0)
        entry.row.write(numbers(tcb, moved.until_us, standing), stem_of(flow), octets)
        self._written_total += 1
        entry.said, entry.place, entry.is_restored, entry.asked = tcb, Standing.BUSY, is_restored, b""
        entry.stem = NO_STEM
        return True

    def _refuse(self, entry: Entry, flow: Flow) -> bool:
        """What there is to say is too much. What was said before may be true still."""
        self._refused_total += 1
        if entry.place is None:
            self.forget(flow)
        return False

    def forget(self, flow: Flow) -> None:
        """A connection is over or elsewhere, or nothing true can be said of it."""
        entry = self._entries.pop(flow, None)
        if entry is not None:
            self._rows.give_back(entry.row)

    def clear(self) -> None:
        """No connection lives on."""
        for flow in tuple(self._entries):
            self.forget(flow)


def _together(steps: Iterable[tuple[Connection, Actions]]) -> dict[Connection, Actions]:
    """The actions of each connection's steps."""
    found: dict[Connection, Actions] = {}
    for connection, actions in steps:
        before = found.get(connection)
        found[connection] = actions if before is None else before + actions
    return found


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
