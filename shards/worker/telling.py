"""What a worker tells while it serves, to whoever has sent it a socket: packets, points, connections.

Owns who observes the functional TCP (several at once, OBSERVERS_MAX; the oldest goes for one more), and how
the rows of connections are gathered: a slice in each turn, so that a hundred thousand of them stop nobody.
"""

import errno
import select
import socket
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gossamer.core.clock import monotonic_us, wall_us
from gossamer.core.loop.tcp.door import Observer
from gossamer.core.tcp.actions import Actions
from gossamer.core.threads.calls import EpollWait, Yield
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.wire.flow import Flow
from gossamer.shards.seen.connectionrows import Rows
from gossamer.shards.seen.connectiontable import ConnectionsWanted, Picked, pages_of
from gossamer.shards.seen.tap import Tap
from gossamer.shards.seen.tapping import CAPTURE, ROWS, TRACE
from gossamer.shards.seen.trace import Trace
from gossamer.shards.worker.stack import Stack

OBSERVERS_MAX: Final = 4
SLICE_ROWS: Final = 64
"""Rows that are made in a turn: about a millisecond."""
LOOKED_MAX: Final = 200_000
PATIENCE_SECONDS: Final = 5.0
"""How long a reader may let a page wait."""

Observe = Callable[[Observer | None], None]


class Observers:
    """Those who see each step, in place of the one that the door has. Bounds: OBSERVERS_MAX."""

    def __init__(self, observe: Observe) -> None:
        self._observe = observe
        self._each: list[Tap | Trace] = []

    def join(self, observer: Tap | Trace) -> None:
        """See each step from now on."""
        if len(self._each) >= OBSERVERS_MAX:
            self._each[0].close()
        self._each.append(observer)
        self._observe(self._show)

    def leave(self, observer: Observer) -> None:
        """See no more."""
        self._each = [each for each in self._each if each is not observer]
        if not self._each:
            self._observe(None)

    def _show(self, flow: Flow, before: Any, event: Any, after: Any, actions: Actions) -> None:
        for observer in self._each:
            observer(flow, before, event, after, actions)


class Telling:
    """Begins what a worker is asked to tell."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._stack: Stack | None = None
        self._observers: Observers | None = None

    def begin(self, stack: Stack) -> None:
        """This is what there is to be told of."""
        self._stack = stack
        self._observers = Observers(stack.observe) if stack.observe is not None else None

    def take(self, name: str, fd: int) -> None:
        """Tell over that socket what its name says; what has another name is of no use."""
        kind, *about = name.split(" ")
        channel, observers = socket.socket(fileno=fd), self._observers
        channel.setblocking(False)
        if kind == ROWS and self._stack is not None:
            self._scheduler.spawn(
                self._tell_rows(channel, int(about[0]), about[1:], self._stack.rows), "rows"
            )
        elif kind == CAPTURE and observers is not None:
            worker, peer = int(about[0]), "".join(about[1:])
            observers.join(Tap(channel, worker, peer, wall_us, observers.leave))
        elif kind == TRACE and observers is not None:
            peer_named = about[1], int(about[2])
            observers.join(Trace(channel, int(about[0]), peer_named, monotonic_us, observers.leave))
        else:
            channel.close()

    async def _tell_rows(self, channel: socket.socket, worker: int, about: list[str], rows: Rows) -> None:
        """Gather, and tell."""
        with channel:
            wanted = ConnectionsWanted.decode(about)
            picked, looked = Picked(wanted), 0
            for row in rows():
                looked += 1
                if looked > LOOKED_MAX:
                    break
                if row is not None and is_wanted(row.peer, row.client, wanted.peer):
                    picked.add(row)
                if looked % SLICE_ROWS == 0:
                    await Yield()
            for page in pages_of(worker, picked, is_whole=looked <= LOOKED_MAX):
                if not await _send(channel, msgspec.msgpack.encode(page)):
                    return


def is_wanted(peer: str, client: str, address: str) -> bool:
    """Whether an end with its port has that address; "" is every one."""
    return not address or address in (
        peer.rpartition(":")[0].strip("[]"),
        client.rpartition(":")[0].strip("[]"),
    )


async def _send(channel: socket.socket, message: bytes) -> bool:
    """Send a message, waiting for its reader for a while; whether it went."""
    with move_on_after(PATIENCE_SECONDS):
        while True:
            try:
                channel.send(message)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                    return False  # Nobody reads.
            else:
                return True
            await EpollWait(channel.fileno(), select.EPOLLOUT)
    return False
