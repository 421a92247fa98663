"""What can happen next in a world, and the world after it.

    deliver  a segment comes out of the network, whichever: the network keeps no order
    copy     the same, and it stays under way: a duplicate
    drop     a segment is lost
    fire     a timer runs out
    call     a user makes the next call of its plan
    read     a user that does not always read makes a RECEIVE
    forget   TIME-WAIT ends

Owns what a doer owns: it performs the actions of a step on the value that is the world. It decides nothing
about TCP.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final

import msgspec

from gossamer.core.records import replace
from gossamer.core.sim.model.abstraction import LONG_TIMERS, abstracted, aged, timers_running
from gossamer.core.sim.model.world import OPENINGS, ModelScenario, ModelSide, World
from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp import listen
from gossamer.core.tcp.actions import Accepted, Actions, Deliver, Failed, Remains, Signal
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.events import Event, Receive, SegmentArrives, Timeout
from gossamer.core.tcp.step import Connection, Outcome
from gossamer.core.tcp.tcb import Listener, State, Tcb, TimeWait
from gossamer.core.wire.segment import Segment

Step = Callable[[Connection, Event], Outcome]
Stepped = tuple[Connection, Event, Connection | None, Actions]
"""What an oracle is shown: the connection before, the event, the connection after, the actions."""

READ_BYTES: Final = 1 << 16
RETRIES_PATIENT: Final = 1000
"""So many retries mean that nobody ever gives up."""

PEER_HAS_CLOSED: Final = frozenset({State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK})


class MoveKind(IntEnum):
    """What happens. The order is that in which a fair network and willing users let things happen."""

    DELIVER = 0
    CALL = 1
    READ = 2
    FIRE = 3
    FIRE_LONG = 4
    FORGET = 5
    COPY = 6
    DROP = 7


UNFAIR: Final = MoveKind.COPY
"""From here on a move is a fault of the network."""


class Move(msgspec.Struct, frozen=True, array_like=True):
    """One thing that can happen."""

    kind: MoveKind
    side: int
    segment: Segment | None = None
    timer: str = ""


def begun(scenario: ModelScenario) -> World:
    """The world at the start: side 0 has opened, side 1 has too, or listens."""
    sides, sent = [], []
    for number in (0, 1):
        if number == 0 or scenario.both_open:
            tcb, actions = open_active(scenario.parameters[number], OPENINGS[number])
            sides.append(ModelSide(abstracted(tcb, True), is_open=scenario.calls_early))
            sent += [(1 - number, action) for action in actions if isinstance(action, Segment)]
        else:
            sides.append(ModelSide(is_listening=True))
    return World((sides[0], sides[1]), _sorted(sent))


def _sorted(under_way: list[tuple[int, Segment]]) -> tuple[tuple[int, Segment], ...]:
    return tuple(sorted(set(under_way), key=_order))


def _order(item: tuple[int, Segment]) -> tuple[object, ...]:
    side, segment = item
    fields = (segment.seq, segment.ack, segment.flags, segment.window, segment.ts_val, segment.ts_ecr)
    return (side, *fields, segment.payload, segment.sack)


def enabled(world: World, scenario: ModelScenario) -> list[Move]:
    """All that can happen in this world."""
    moves = [
        Move(kind, side, segment)
        for side, segment in world.under_way
        for kind in (MoveKind.DELIVER, MoveKind.COPY, MoveKind.DROP)
    ]
    slow: list[Move] = []
    for number, side in enumerate(world.sides):
        moves += _calls(scenario, number, side)
        for move in _timers(number, side):
            (slow if move.kind in (MoveKind.FIRE_LONG, MoveKind.FORGET) else moves).append(move)
    return moves + slow if scenario.is_hasty or not moves else moves


def _calls(scenario: ModelScenario, number: int, side: ModelSide) -> Iterator[Move]:
    if not side.is_open or not isinstance(side.connection, Tcb):
        return
    if side.calls_made < len(scenario.plans[number]):
        yield Move(MoveKind.CALL, number)
    if not scenario.is_reading[number] and not side.has_ended and _is_readable(side.connection):
        yield Move(MoveKind.READ, number)


def _is_readable(tcb: Tcb) -> bool:
    """Whether a RECEIVE is answered: another would change nothing."""
    return tcb.rcv_buf_bytes > 0 or tcb.state in PEER_HAS_CLOSED


def _timers(number: int, side: ModelSide) -> Iterator[Move]:
    if isinstance(side.connection, TimeWait):
        yield Move(MoveKind.FORGET, number)
    elif isinstance(side.connection, Tcb):
        for name in timers_running(side.connection):
            yield Move(MoveKind.FIRE_LONG if name in LONG_TIMERS else MoveKind.FIRE, number, timer=name)


class Transition(msgspec.Struct, frozen=True):
    """What a move leads to."""

    world: World
    stepped: Stepped | None


def after(world: World, move: Move, scenario: ModelScenario, step: Step) -> Transition:
    """The world after a move that is enabled."""
    under_way = world.under_way
    if move.segment is not None and move.kind is not MoveKind.COPY:
        under_way = tuple(item for item in under_way if item != (move.side, move.segment))
    world = replace(world, under_way=under_way)
    if move.kind is MoveKind.DROP:
        return Transition(world, None)
    if move.kind is MoveKind.FORGET:
        return Transition(_with(world, move.side, replace(world.sides[move.side], connection=None)), None)
    if move.kind in (MoveKind.FIRE, MoveKind.FIRE_LONG):
        world = replace(world, sides=tuple(replace(s, connection=aged(s.connection)) for s in world.sides))
    side = world.sides[move.side]
    if side.connection is None:
        assert move.segment is not None
        return _at_nobody(world, move.side, move.segment, scenario)
    event, connection = _event(side, move, scenario)
    following, actions = step(connection, event)
    made = side.calls_made + (move.kind is MoveKind.CALL)
    side = performed(replace(side, connection=following, calls_made=made), actions, scenario)
    world = _sent(_with(world, move.side, side), move.side, actions, scenario)
    return Transition(world, (connection, event, following, actions))


def _event(side: ModelSide, move: Move, scenario: ModelScenario) -> tuple[Event, Connection]:
    connection = side.connection
    assert connection is not None
    if move.segment is not None:
        queued = READ_BYTES if scenario.is_reading[move.side] else 0
        return SegmentArrives(move.segment, NOW_US, queued), connection
    if move.kind is MoveKind.CALL:
        return scenario.plans[move.side][side.calls_made], connection
    if move.kind is MoveKind.READ:
        return Receive(READ_BYTES, NOW_US), connection
    return Timeout(NOW_US), replace(connection, **{move.timer: NOW_US})


def _with(world: World, number: int, side: ModelSide) -> World:
    sides = (side, world.sides[1]) if number == 0 else (world.sides[0], side)
    return replace(world, sides=sides)


def _at_nobody(world: World, number: int, segment: Segment, scenario: ModelScenario) -> Transition:
    """A segment for a listener, or for an end that is gone."""
    side = world.sides[number]
    if not side.is_listening:
        reply = reset_reply(segment)
        return Transition(_sent(world, number, () if reply is None else (reply,), scenario), None)
    tcb, actions = listen.segment_arrives(Listener(scenario.parameters[number]), segment, OPENINGS[number])
    if tcb is not None:
        side = ModelSide(abstracted(tcb, True))
    return Transition(_sent(_with(world, number, side), number, actions, scenario), None)


def performed(side: ModelSide, actions: Actions, scenario: ModelScenario) -> ModelSide:
    """The end after the actions of a step, as far as they concern its user."""
    following = abstracted(side.connection, _is_patient(scenario))
    side = replace(side, connection=following)
    for action in actions:
        if isinstance(action, Deliver | Remains):
            side = replace(side, received=side.received + action.data)
        elif isinstance(action, Failed):
            side = replace(side, failure=action.failure)
        elif action is Signal.ESTABLISHED:
            side = replace(side, is_open=True)
        elif action is Signal.END_OF_STREAM:
            side = replace(side, has_ended=True)
        elif action is Signal.HALF_OPEN_GONE:
            side = ModelSide(is_listening=True)
        assert not isinstance(action, Accepted), "the send buffer of a model takes all of a plan"
    return side


def _is_patient(scenario: ModelScenario) -> bool:
    return all(parameters.retries >= RETRIES_PATIENT for parameters in scenario.parameters)


def _sent(world: World, number: int, actions: Actions, scenario: ModelScenario) -> World:
    """What an end has emitted goes on the wire; there is room for only so much."""
    news = [(1 - number, action) for action in actions if isinstance(action, Segment)]
    if not news:
        return world
    room = scenario.under_way_max - len(world.under_way)
    fresh = [item for item in dict.fromkeys(news) if item not in world.under_way]
    return replace(world, under_way=_sorted([*world.under_way, *fresh[: max(room, 0)]]))
