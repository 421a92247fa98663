"""Breadth first over every world that can be reached, and what must hold of each.

    every step       the oracle of `core.sim.oracle`; no exception
    every world      what a user has received is what the other has sent, as far as it has come; its end is
                     seen only behind all of it; nothing fails without a reason
                     somebody can do something, or all is over (no deadlock)
                     when the network is fair from here on, both connections come to an end (no livelock)

To show the last, only fair moves are made, until a world that is over, or one from which an end was reached
before.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from gossamer.core.seq import Seq, seq_add, seq_diff
from gossamer.core.sim import oracle
from gossamer.core.sim.model.moves import UNFAIR, Move, Step, after, begun, enabled
from gossamer.core.sim.model.world import OPENINGS, ModelScenario, World, key_of, sent_by
from gossamer.core.tcp.step import Connection
from gossamer.core.tcp.step import step as real_step
from gossamer.core.tcp.tcb import TimeWait
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, Segment

FAIR_MOVES_MAX: Final = 400
"""Moves within which a fair network brings two such small ends to a close."""

LINES_MAX: Final = 40
"""Moves of a counterexample that are printed: by then, one that goes on and on is recognized."""

Way = tuple[Move, ...]


class Counterexample(Exception):
    """A world that must not be; its message describes the way there."""

    def __init__(self, scenario: ModelScenario, complaint: str, way: Way, step: Step) -> None:
        super().__init__(f"{scenario.name}: {complaint}\n" + counterexample(scenario, way, step))
        self.complaint = complaint
        self.way = way


class Explored(msgspec.Struct, frozen=True):
    """What was gone through."""

    scenario: str
    depth: int
    """Moves of the longest way tried."""
    worlds: int
    transitions: int
    is_whole: bool
    """Whether nothing lies deeper."""


class Explorer:
    """Goes through the worlds of one scenario.

    Bounds: `depth_max` moves from the start, `worlds_max` worlds.
    """

    def __init__(self, scenario: ModelScenario, step: Step = real_step) -> None:
        self._scenario = scenario
        self._step = step
        self._came_from: dict[bytes, tuple[bytes, Move] | None] = {}
        self._ends: set[bytes] = set()
        """Worlds from which a fair network leads to the end."""
        self._transitions = 0

    def explore(self, depth_max: int, worlds_max: int = 1_000_000) -> Explored:
        """Raises: Counterexample."""
        start = begun(self._scenario)
        key = key_of(start)
        self._came_from[key] = None
        frontier = deque([(0, key, start)])
        depth, is_whole = 0, True
        while frontier:
            depth, key, world = frontier.popleft()
            if depth >= depth_max or len(self._came_from) >= worlds_max:
                is_whole = False
                break
            self._visit(depth, key, world, frontier)
        return Explored(self._scenario.name, depth, len(self._came_from), self._transitions, is_whole)

    def _visit(self, depth: int, key: bytes, world: World, frontier: deque[tuple[int, bytes, World]]) -> None:
        moves = enabled(world, self._scenario)
        if not moves and not world.is_over:
            self._complain("deadlock: nothing can happen any more", self._way(key))
        self._assert_ends(key, world)
        for move in moves:
            following = self._moved(world, move, lambda: (*self._way(key), move))  # noqa: B023  (called at once)
            self._transitions += 1
            there = key_of(following)
            if there not in self._came_from:
                self._came_from[there] = (key, move)
                frontier.append((depth + 1, there, following))

    def _moved(self, world: World, move: Move, way: Callable[[], Way]) -> World:
        """The world after a move that breaks nothing."""
        try:
            transition = after(world, move, self._scenario, self._step)
            if transition.stepped is not None:
                oracle.check(*transition.stepped)
        except Exception as error:  # noqa: BLE001  (whatever goes wrong in a step is what is sought)
            self._complain(f"{type(error).__name__}: {error}", way())
        complaint = self._wrong(transition.world)
        if complaint is not None:
            self._complain(complaint, way())
        return transition.world

    def _wrong(self, world: World) -> str | None:
        """What a user has seen that it must not."""
        scenario = self._scenario
        for number, side in enumerate(world.sides):
            sent = sent_by(scenario.plans[1 - number])
            if not sent.startswith(side.received):
                return f"side {number} received {side.received!r} of {sent!r}"
            if side.has_ended and side.received != sent and not scenario.may_fail:
                return f"side {number} saw the end after {side.received!r} of {sent!r}"
            if side.failure is not None and not scenario.may_fail:
                return f"side {number} failed: {side.failure.value}"
        return next(
            (f"never said: {_shown(s)}" for to, s in world.under_way if not self._is_said(1 - to, s)), None
        )

    def _is_said(self, number: int, segment: Segment) -> bool:
        """Whether the octets of a segment, and its FIN, are those of its user, each at its own number."""
        sent = sent_by(self._scenario.plans[number])
        start = seq_diff(
            Seq(segment.seq), seq_add(Seq(OPENINGS[number].iss), 0 if segment.flags & SYN else 1)
        )
        end = start + len(segment.payload)
        is_text = not segment.payload or sent[start:end] == segment.payload
        return is_text and (not segment.flags & FIN or end == len(sent))

    def _assert_ends(self, key: bytes, world: World) -> None:
        """From here a fair network leads to the end of both connections."""
        passed: dict[bytes, None] = {}
        moves: list[Move] = []
        done: Counter[Move] = Counter()
        while key not in self._ends and not world.is_over:
            passed[key] = None
            move = _fairest(enabled(world, self._scenario), done)
            if move is None or len(moves) > FAIR_MOVES_MAX:
                self._complain("no close within a fair network's reach", self._way_on(passed, moves))
            moves.append(move)
            done[move] += 1
            world = self._moved(world, move, lambda: self._way_on(passed, moves))
            key = key_of(world)
        self._ends.update(passed)
        self._ends.add(key)

    def _way_on(self, passed: dict[bytes, None], moves: list[Move]) -> Way:
        return (*self._way(next(iter(passed))), *moves)

    def _way(self, key: bytes) -> Way:
        """The shortest way to a world."""
        moves: list[Move] = []
        step = self._came_from[key]
        while step is not None:
            key, move = step
            moves.append(move)
            step = self._came_from[key]
        return tuple(reversed(moves))

    def _complain(self, complaint: str, way: Way) -> NoReturn:
        raise Counterexample(self._scenario, complaint, way, self._step)


def _fairest(moves: list[Move], done: Counter[Move]) -> Move | None:
    """What a fair network and willing users let happen next: what is under way comes out, calls are made, and
    timers fire only then; of two moves of a kind the one that was made less often."""
    fair = [move for move in moves if move.kind < UNFAIR]
    return min(fair, key=lambda move: (move.kind, done[move]), default=None)


def counterexample(scenario: ModelScenario, way: Way, step: Step) -> str:
    """A way through the worlds, a line for each move, with the states it leads to."""
    world, lines = begun(scenario), []
    for number, move in enumerate(way[:LINES_MAX], 1):
        try:
            world = after(world, move, scenario, step).world
            states = " ".join(_state(side.connection) for side in world.sides)
        except Exception as error:  # noqa: BLE001  (the last move is the one that went wrong)
            states = f"{type(error).__name__}"
        lines.append(f"{number:4} {_named(move):60} -> {states}")
    if len(way) > LINES_MAX:
        lines.append(f"     and {len(way) - LINES_MAX} moves more")
    return "\n".join(lines)


def _state(connection: Connection | None) -> str:
    if connection is None:
        return "CLOSED"
    return "TIME-WAIT" if isinstance(connection, TimeWait) else connection.state.name.replace("_", "-")


def _named(move: Move) -> str:
    what = move.timer if move.segment is None else _shown(move.segment)
    return f"side {move.side} {move.kind.name.lower().replace('_', ' ')} {what}"


FLAG_NAMES: Final = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "."))


def _shown(segment: Segment) -> str:
    flags = "".join(letter for flag, letter in FLAG_NAMES if segment.flags & flag)
    return f"[{flags}] seq {segment.seq} ack {segment.ack} win {segment.window} {segment.payload!r}"
