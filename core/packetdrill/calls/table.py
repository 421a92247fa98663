"""Which handler performs which call."""

from collections.abc import Callable
from typing import Final

from gossamer.core.packetdrill.calls.closing import close, shutdown
from gossamer.core.packetdrill.calls.control import fcntl, ioctl
from gossamer.core.packetdrill.calls.messages import readv, recvmsg, sendmsg, writev
from gossamer.core.packetdrill.calls.opening import accept, bind, connect, listen, socket
from gossamer.core.packetdrill.calls.options import getsockopt, setsockopt
from gossamer.core.packetdrill.calls.readiness import epoll_create, epoll_ctl, epoll_wait, poll
from gossamer.core.packetdrill.calls.transfer import read, recv, send, sendfile, write
from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.script import Call
from gossamer.core.packetdrill.world import BlockedCall, CallResult, ScriptWorld

Handler = Callable[[ScriptWorld, Call], CallResult | BlockedCall]

CALLS: Final[dict[str, tuple[Handler, int]]] = {
    "socket": (socket, 3),
    "bind": (bind, 3),
    "listen": (listen, 2),
    "accept": (accept, 3),
    "accept4": (accept, 4),
    "connect": (connect, 3),
    "read": (read, 3),
    "recv": (recv, 4),
    "recvfrom": (recv, 6),
    "readv": (readv, 3),
    "recvmsg": (recvmsg, 3),
    "write": (write, 3),
    "send": (send, 4),
    "sendto": (send, 6),
    "writev": (writev, 3),
    "sendmsg": (sendmsg, 3),
    "sendfile": (sendfile, 4),
    "close": (close, 1),
    "shutdown": (shutdown, 2),
    "poll": (poll, 3),
    "epoll_create": (epoll_create, 1),
    "epoll_create1": (epoll_create, 1),
    "epoll_ctl": (epoll_ctl, 4),
    "epoll_wait": (epoll_wait, 4),
    "fcntl": (fcntl, 2),
    "ioctl": (ioctl, 3),
    "setsockopt": (setsockopt, 5),
    "getsockopt": (getsockopt, 5),
}
"""By name: the handler, and how many arguments there are at least."""


def perform(world: ScriptWorld, call: Call) -> CallResult | BlockedCall:
    """Make a call. Raises: Unsupported, Mismatch."""
    if call.name not in CALLS:
        raise Unsupported(f"call {call.name}")
    handler, least = CALLS[call.name]
    if len(call.arguments) < least:
        raise Mismatch(f"{call.name}: expected {least} arguments, got {len(call.arguments)}")
    return handler(world, call)
