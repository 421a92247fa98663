"""Checkpoints: connections as another process goes on with them, should this one be killed.

    a turn's steps -> what has come to rest is written, what is not true any more is taken out -> the batch

What can be written is what could move (`core.loop.tcp.saving`) and is accepted or about to be. What a
connection that rested is asked stands in its row until the answer begins: should the process be killed, it is
asked again. So only the handler of a connection that rests, which says so itself (`Idle`), hears anything
twice. Where a thread waits in a SEND, or has waited and not gone on since, its handler may say what is left
(`Continuing`). While one that says nothing is at an answer that is not whole in the send buffer nothing can
be said: if what the row said before is not true any more it says nothing, and the connection is lost if the
process is killed just then.

A batch is sent between two steps where it can be, and accounted for by what is whole then.

A connection that was restored is not restored again before it has gone on: what killed one process, and is
sent again, kills no more than two.

Owns the rows of this loop, and which connection has which; what one says is `core.loop.tcp.checkpoint_entry`.

Bounds: as many as there are rows; CONTENT_BYTES_MAX of `core.checkpoint_rows` each.
"""

from collections.abc import Container, Iterable, Sized
from typing import Final

import msgspec

from gossamer.core.checkpoint_rows import (
    CONTENT_BYTES_MAX,
    NO_STEM,
    CheckpointRows,
    stem_of,
)
from gossamer.core.clock import NEVER_US
from gossamer.core.loop.tcp.call import Connection
from gossamer.core.loop.tcp.checkpoint_entry import KEPT, KEPT_WHOLE, RESTORED, WHOLE, Entry
from gossamer.core.loop.tcp.moved import MovedConnection, Standing
from gossamer.core.loop.tcp.saving import Saving
from gossamer.core.records import replace
from gossamer.core.seq import MASK, seq_add
from gossamer.core.tcp.actions import Actions, Deliver
from gossamer.core.tcp.buffer import octets_at
from gossamer.core.tcp.checkpoint import (
    can_be_written,
    end,
    numbers,
    unsettled,
)
from gossamer.core.tcp.checkpoint_stem import is_stem_of, stem_octets
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.threads.thread import BLOCKED
from gossamer.core.wire.flow import Flow

STEM_BYTES_MAX: Final = 4096
"""More than any has."""
OCTETS_MAX: Final = CONTENT_BYTES_MAX - STEM_BYTES_MAX
HALF_OPEN_MAX: Final = 256
"""While more are half open none is written: in a flood of SYNs hardly any is anybody's."""
ESTABLISHED: Final = State.ESTABLISHED
RESTING: Final = Standing.RESTING
UNASKED: Final = frozenset({Standing.HALF_OPEN, Standing.RESTING, Standing.ACCEPTABLE})
"""Where one stands that may be asked something."""

_encoder = msgspec.msgpack.Encoder()


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
        saving: Saving,
        parked: Container[Flow],
        half_open: Sized,
    ) -> None:
        self.stepped: list[Connection] = []
        """What was stepped since the last batch; others append to it. Bounds: the steps of a turn."""
        self.performed: list[Actions] = []
        """What each of these steps asked for. A list of its own: a pair for each step would cost more."""
        self._rows = rows
        self._saving = saving
        self._sent = saving.note_sent()
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
        entries, others = self._entries, []
        for connection in self.stepped:
            entry, tcb = entries.get(connection.flow), connection.tcb
            if entry is not None and tcb is not None and connection.recv_thread is not None:
                if entry.said is tcb and entry.place is RESTING:
                    continue  # One of several steps of its.
                if (
                    entry.said.rcv_nxt != tcb.rcv_nxt
                    and self._saving.is_resting(connection)
                    and self._write(entry, connection.flow, tcb, RESTING, connection.recv_deadline_us)
                ):
                    continue
            others.append(connection)
        for connection in dict.fromkeys(others):
            self._see(connection, entries.get(connection.flow))
        if self._sent:
            for connection in [each for each, thread in self._sent.items() if thread.inbox is BLOCKED]:
                del self._sent[connection]
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
        the midst of a call: what its row says stays where it is true. The steps of which none says anything
        stay noted."""
        unsaid = {self.stepped[-1]}
        for connection in dict.fromkeys(self.stepped):
            entry, tcb = self._entries.get(connection.flow), connection.tcb
            if connection is not at_hand or tcb is None or self._is_as_it_was(connection):
                is_said = self._see(connection, entry)
            else:
                is_said = not self._is_on_its_way(connection) and self._is_asked(connection, entry, tcb)
                if not is_said:
                    self._doubt(connection, tcb)
            if not is_said:
                unsaid.add(connection)
        kept = [index for index, connection in enumerate(self.stepped) if connection in unsaid]
        self.performed[:] = [self.performed[index] for index in kept]
        self.stepped[:] = [self.stepped[index] for index in kept]
        self._asked_for = None

    def _is_as_it_was(self, connection: Connection) -> bool:
        return not self._is_on_its_way(connection) and self._saving.is_waiting(connection)

    def _is_on_its_way(self, connection: Connection) -> bool:
        """Whether the last step was this connection's, and may be about to hand octets to its user: they are
        nowhere until then."""
        return connection is self.stepped[-1] and Deliver in map(type, self.performed[-1])

    def _actions_of(self, connection: Connection) -> Actions:
        """What all steps of a connection asked for, in this batch."""
        if self._asked_for is None:
            self._asked_for = _together(zip(self.stepped, self.performed, strict=True))
        return self._asked_for[connection]

    def _see(self, connection: Connection, entry: Entry | None) -> bool:
        """Have the row of a connection say where it stands, if that can be said; whether it does."""
        tcb, flow = connection.tcb, connection.flow
        if tcb is None:
            if entry is not None and flow not in self._parked:
                self.forget(flow)
            return True
        if entry is not None and entry.says(tcb) and not self._has_come_to_rest(connection, entry):
            if entry.said.snd_buf and not tcb.snd_buf:
                # An idle connection keeps nothing of the last answer alive.
                entry.said = replace(entry.said, snd_buf=())
                entry.row.let_go()
            return True
        if self._is_taken_in(connection, tcb) or self._is_asked(connection, entry, tcb):
            return True
        self._doubt(connection, tcb)
        return False

    def _has_come_to_rest(self, connection: Connection, entry: Entry) -> bool:
        """Whether what was under way is over: what it is asked next can be said from rest alone."""
        return entry.place is Standing.BUSY and self._saving.is_resting(connection)

    def _is_taken_in(self, connection: Connection, tcb: Tcb) -> bool:
        """Whether a row says where a connection stands."""
        place = self._saving.place_of(connection)
        if place is not None and self._is_kept(place, tcb):
            return self._take_in(connection.flow, tcb, place, connection.recv_deadline_us)
        moved = self._saving.save_open(connection) if place in KEPT_WHOLE else None
        return moved is not None and self._take_in_whole(moved, tcb)

    def _is_kept(self, place: Standing, tcb: Tcb) -> bool:
        """Whether numbers and octets say all of a connection that stands there."""
        if place is Standing.HALF_OPEN and len(self._half_open) > HALF_OPEN_MAX:
            return False
        return place in KEPT and can_be_written(tcb)

    def _is_asked(self, connection: Connection, entry: Entry | None, tcb: Tcb) -> bool:
        """Whether a connection that rested, or is new, was just asked something of which nothing is answered
        yet: then it goes on by hearing that again."""
        if self._saving.idle is None or tcb.state is not ESTABLISHED:
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
        entry.said, entry.place, entry.is_restored, entry.asked = tcb, moved.place, is_restored, b""
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
