"""Every state against every kind of segment in every place, as `segment_table` has it from the RFC."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, PEER_OPTIONS, PEER_TS, PEER_WINDOW
from gossamer.core.tcp import listen
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import Connection, step
from gossamer.core.tcp.tcb import Listener, State, Tcb, TimeWait
from gossamer.core.wire.segment import ACK, FIN, RST, SYN, Segment

from .segment_table import PLACES, TABLES

KINDS = {
    "syn": SYN,
    "synack": SYN | ACK,
    "ack": ACK,
    "finack": FIN | ACK,
    "rst": RST,
    "rstack": RST | ACK,
    "fin": FIN,
    "none": 0,
}
TEXT = b"t" * 100
OFFSETS = {"left": -200, "exact": 0, "inside": 500, "right": TcpParameters().receive_buffer_bytes + 10}


class Case(NamedTuple):
    """One cell."""

    state: str
    kind: str
    text: bytes
    place: str
    answer: str
    following: str

    def __str__(self) -> str:
        return f"{self.state.lower()}-{self.kind}{'-text' if self.text else ''}-{self.place}"


def cases() -> list[Case]:
    found = []
    for state, table in TABLES.items():
        kind = ""
        for line in table.split("\n")[1:-1]:
            head, *cells = line.split()
            kind = kind if head == "+text" else head
            for place, cell in zip(PLACES, cells, strict=True):
                answer, _, following = cell.replace("*", "").partition("/")
                text = TEXT if head == "+text" else b""
                found.append(Case(state, kind, text, place, answer, following or state))
    return found


CASES = cases()


def test_table__whole() -> None:
    """Eleven states, eight kinds, with and without text, four places."""
    assert len(CASES) == 11 * 8 * 2 * 4
    assert {case.kind for case in CASES} == set(KINDS)
    assert {case.state for case in CASES} == {
        *(state.name for state in State),
        "CLOSED",
        "LISTEN",
        "TIME_WAIT",
    }


def brought_to(name: str) -> Connection | None:
    """A connection in that state, where there is one."""
    if name == "TIME_WAIT":
        return states.time_wait()
    return states.IN_STATE[State[name]](TcpParameters()) if name in State.__members__ else None


def arriving(case: Case, before: Connection | None) -> Segment:
    """The segment: relative to what is expected, or where nothing is yet, relative to the peer's first."""
    flags, offset = KINDS[case.kind], OFFSETS[case.place]
    if before is not None and case.state != "SYN_SENT":
        return states.from_peer(before, flags, case.text, seq=offset)
    ack = (before.snd_nxt if before is not None else states.OPENING.iss) if flags & ACK else 0
    options = PEER_OPTIONS if flags & SYN else None
    seq = seq_add(states.PEER_ISS, offset)
    return Segment(seq, ack, flags, PEER_WINDOW, PEER_TS, 0, case.text, syn_options=options)


def outcome(case: Case, before: Connection | None, segment: Segment) -> tuple[Connection | None, Actions]:
    if case.state == "CLOSED":
        reply = reset_reply(segment)
        return None, () if reply is None else (reply,)
    if case.state == "LISTEN":
        return listen.segment_arrives(Listener(), segment, states.OPENING)
    assert before is not None
    return step(before, SegmentArrives(segment, NOW_US))


def state_of(case: Case, after: Connection | None) -> str:
    if after is None:
        return "LISTEN" if case.state == "LISTEN" else "CLOSED"
    return "TIME_WAIT" if isinstance(after, TimeWait) else after.state.name


def moved(case: Case, segment: Segment) -> int:
    """What RCV.NXT moves over when all of the segment is taken."""
    return len(case.text) + bool(segment.flags & FIN)


def expected_segment(case: Case, before: Connection | None, segment: Segment) -> tuple[int, int, int] | None:
    """(SEQ, ACK, CTL) of the answer that the table asks for."""
    if case.answer in ("-", "taken"):
        return None
    if case.answer == "reset":
        if segment.flags & ACK:
            return segment.ack, 0, RST
        length = len(segment.payload) + bool(segment.flags & SYN) + bool(segment.flags & FIN)
        return 0, seq_add(Seq(segment.seq), length), RST | ACK
    if case.answer == "synack":
        kept = len(case.text) if case.state == "SYN_SENT" else 0
        return states.OPENING.iss, seq_add(Seq(segment.seq), 1 + kept), SYN | ACK
    assert before is not None
    if case.state == "SYN_SENT":
        return before.snd_nxt, seq_add(Seq(segment.seq), 1 + len(case.text)), ACK
    over = moved(case, segment) if case.answer == "acked" else 0
    return before.snd_nxt, seq_add(before.rcv_nxt, over), ACK


@pytest.mark.parametrize("state", TABLES)
def test_segment_arrives__as_the_table_has_it(state: str) -> None:
    """Every cell of a state, by its name."""
    wrong = {str(case): differing(case) for case in CASES if case.state == state}
    assert {name: pairs for name, pairs in wrong.items() if pairs} == {}


def differing(case: Case) -> list[tuple[object, object]]:
    """What came of a cell, beside what should have come of it, where that is not the same."""
    before = brought_to(case.state)
    segment = arriving(case, before)
    after, actions = outcome(case, before, segment)
    answers = [(answer.seq, answer.ack, answer.flags) for answer in actions if isinstance(answer, Segment)]
    expected = expected_segment(case, before, segment)
    pairs: list[tuple[object, object]] = [
        (answers, [] if expected is None else [expected]),
        (state_of(case, after), case.following),
        *taken(case, before, after),
    ]
    return [pair for pair in pairs if pair[0] != pair[1]]


def taken(case: Case, before: Connection | None, after: Connection | None) -> Iterator[tuple[object, object]]:
    """What is not taken leaves RCV.NXT and the buffer as they were; what is held stands in reassembly."""
    if case.state in ("CLOSED", "LISTEN", "SYN_SENT") or before is None or after is None:
        return
    is_taken = case.answer in ("taken", "acked")
    over = moved(case, arriving(case, before)) if is_taken else 0
    yield after.rcv_nxt, (before.rcv_nxt + over) & MASK
    if isinstance(after, Tcb):
        yield b"".join(after.rcv_buf), case.text if is_taken else b""
        yield after.reassembly is not None, case.answer == "held"
