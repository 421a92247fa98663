"""poll and epoll.

Source: poll(2), epoll(7).
"""

from typing import Final

from gossamer.core.clock import NEVER_US
from gossamer.core.packetdrill.calls.opening import new_fd
from gossamer.core.packetdrill.epoll import Epoll, Interest
from gossamer.core.packetdrill.errors import Mismatch
from gossamer.core.packetdrill.script import Array, Braces, Call, Expression, Whatever
from gossamer.core.packetdrill.sockets import POLLERR, POLLHUP
from gossamer.core.packetdrill.symbols import EPOLL_EVENTS
from gossamer.core.packetdrill.world import OK, BlockedCall, CallResult, ScriptWorld, failed
from gossamer.core.tcp.constants import MILLISECOND_US

ALWAYS: Final = POLLERR | POLLHUP
POLLNVAL: Final = 0x20
ADD, DELETE = EPOLL_EVENTS["EPOLL_CTL_ADD"], EPOLL_EVENTS["EPOLL_CTL_DEL"]


def _deadline_us(world: ScriptWorld, expression: Expression) -> int:
    """A timeout in milliseconds; a negative one is none."""
    timeout = world.reader.number(expression)
    return world.host.now_us + timeout * MILLISECOND_US if timeout >= 0 else NEVER_US


def poll(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """poll(2)."""
    entries = [item for item in world.reader.items(call.arguments[0]) if isinstance(item, Braces)]
    deadline_us = _deadline_us(world, call.arguments[2])

    def attempt() -> CallResult | None:
        """How many are ready; None before the timeout while none is. Raises: Mismatch."""
        got = [_revents(world, entry) for entry in entries]
        count = sum(1 for events in got if events)
        if not count and world.host.now_us < deadline_us:
            return None
        for entry, events in zip(entries, got, strict=True):
            expected = world.reader.number(entry.field("revents") or Whatever(), events)
            if expected != events:
                raise Mismatch(f"revents: expected {expected:#x}, got {events:#x}")
        return CallResult(count)

    return attempt() or BlockedCall(attempt, deadline_us)


def _revents(world: ScriptWorld, entry: Braces) -> int:
    fd = world.reader.number(entry.field("fd") or Whatever(), -1)
    if fd < 0:
        return 0
    if fd not in world.sockets:
        return POLLNVAL
    wanted = world.reader.number(entry.field("events") or Whatever(), 0)
    return world.sockets[fd].events() & (wanted | ALWAYS)


def epoll_create(world: ScriptWorld, call: Call) -> CallResult:
    """epoll_create(2)."""
    fd = new_fd(call.result)
    world.epolls[fd] = Epoll()
    return CallResult(fd)


def _epoll(world: ScriptWorld, call: Call) -> Epoll:
    fd = world.reader.number(call.arguments[0])
    if fd not in world.epolls:
        raise Mismatch(f"fd {fd}: expected an epoll descriptor of the script, got none")
    return world.epolls[fd]


def epoll_ctl(world: ScriptWorld, call: Call) -> CallResult:
    """epoll_ctl(2)."""
    epoll, operation = _epoll(world, call), world.reader.number(call.arguments[1])
    fd = world.reader.number(call.arguments[2])
    if operation == DELETE:
        return OK if epoll.interests.pop(fd, None) is not None else failed("ENOENT")
    if (fd in epoll.interests) == (operation == ADD):
        return failed("EEXIST" if operation == ADD else "ENOENT")
    events, data = _event(world, call.arguments[3])
    epoll.interests[fd] = Interest(world.socket(fd), events, data)
    return OK


def _event(world: ScriptWorld, expression: Expression) -> tuple[int, int]:
    """events and data of {events=..., fd=...}, or u32, u64, ptr in the place of fd."""
    if not isinstance(expression, Braces):
        raise Mismatch("expected {events=..., fd=...}")
    events = world.reader.number(expression.field("events") or Whatever(), 0)
    for name in ("fd", "u32", "u64", "ptr"):
        data = expression.field(name)
        if data is not None:
            return events, world.reader.number(data, 0)
    return events, 0


def epoll_wait(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """epoll_wait(2)."""
    epoll, most = _epoll(world, call), world.reader.number(call.arguments[2])
    deadline_us = _deadline_us(world, call.arguments[3])

    def attempt() -> CallResult | None:
        """How many are due; None before the timeout while none is. Raises: Mismatch."""
        due = epoll.due(most)
        if not due and world.host.now_us < deadline_us:
            return None
        _check(world, call.arguments[1], due)
        for interest, _ in due:
            interest.reported()
        return CallResult(len(due))

    return attempt() or BlockedCall(attempt, deadline_us)


def _check(world: ScriptWorld, expression: Expression, due: list[tuple[Interest, int]]) -> None:
    """Raises: Mismatch when other events came than the script says."""
    if isinstance(expression, Whatever) or not due:
        return
    items = expression.items if isinstance(expression, Array) else (expression,)
    for item, (interest, events) in zip(items, due, strict=False):
        expected, data = _event(world, item)
        if (expected, data) != (events, interest.data):
            raise Mismatch(
                f"epoll event: expected {expected:#x} of {data}, got {events:#x} of {interest.data}"
            )
