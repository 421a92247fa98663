"""close and shutdown.

Source: RFC 9293 3.10.4, 3.6; SO_LINGER of socket(7).
"""

from typing import Final

from gossamer.core.clock import SECOND_US
from gossamer.core.packetdrill.script import Call
from gossamer.core.packetdrill.sockets import Socket
from gossamer.core.packetdrill.world import OK, BlockedCall, CallResult, ScriptWorld, failed
from gossamer.core.tcp.events import Abort, Close
from gossamer.core.tcp.tcb import State, Tcb

SHUT_RD: Final = 0
SHUT_RDWR: Final = 2
UNFINISHED: Final = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})
"""States in which what was sent, or the FIN behind it, is not acknowledged."""


def close(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """The descriptor goes; the connection ends in order, or at once with SO_LINGER 0."""
    fd = world.reader.number(call.arguments[0])
    if world.epolls.pop(fd, None) is not None:
        return OK
    made = world.sockets.pop(fd, None)
    if made is None:
        return failed("EBADF")
    for epoll in world.epolls.values():
        epoll.interests.pop(fd, None)
    if made.queue is not None:
        _close_queue(world, made)
        return OK
    if made.endpoint is None:
        return OK
    now_us = world.host.now_us
    if made.linger_s == 0:
        world.host.step(made.endpoint, Abort(now_us))
        return OK
    world.uncork(made)
    world.host.step(made.endpoint, Close(now_us))
    if made.linger_s is None:
        return OK
    deadline_us = now_us + made.linger_s * SECOND_US

    def attempt() -> CallResult | None:
        tcb = made.tcb
        waits = isinstance(tcb, Tcb) and tcb.state in UNFINISHED
        return None if waits and world.host.now_us < deadline_us else OK

    return attempt() or BlockedCall(attempt, deadline_us)


def _close_queue(world: ScriptWorld, made: Socket) -> None:
    """Whoever was not accepted is reset; a handshake that is not over is forgotten, as by the server."""
    queue = made.queue
    assert queue is not None
    world.host.queues.pop(queue.port, None)
    for endpoint in queue.ready:
        world.host.step(endpoint, Abort(world.host.now_us))
    for endpoint in queue.half_open:
        endpoint.connection = None


def shutdown(world: ScriptWorld, call: Call) -> CallResult:
    """A half-close; SHUT_RD sends nothing."""
    made = world.socket(world.reader.number(call.arguments[0]))
    how = world.reader.number(call.arguments[1])
    if made.queue is not None:
        _close_queue(world, made)
        made.queue = None
        return OK
    if made.endpoint is None or made.tcb is None:
        return failed("ENOTCONN")
    if made.tcb.state is State.SYN_SENT:
        world.host.step(made.endpoint, Abort(world.host.now_us))
        return OK
    if how in (SHUT_RD, SHUT_RDWR):
        made.is_read_shut = True
    if how != SHUT_RD and not made.is_write_shut:
        world.uncork(made)
        made.is_write_shut = True
        world.host.step(made.endpoint, Close(world.host.now_us, receives=True))
    return OK
