"""What asyncio takes for its selector, and is the scheduler's waiter.

Owns which file objects asyncio watches, for what, and what it wants called. Nothing is selected here: the
waiter calls back within its turn, and what is ready goes straight to asyncio's queue.

Source: selectors (Python's standard library), whose contract this is; epoll(7).
"""

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from select import EPOLLIN, EPOLLOUT
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey
from typing import Any, Final, NoReturn

from gossamer.core.errors import MisuseError
from gossamer.core.threads.eventloop import SchedulerPort

EPOLL_EVENTS: Final = {
    EVENT_READ: EPOLLIN,
    EVENT_WRITE: EPOLLOUT,
    EVENT_READ | EVENT_WRITE: EPOLLIN | EPOLLOUT,
}

NOT_WRITABLE: Final = ~EPOLLOUT
NOT_READABLE: Final = ~EPOLLIN
"""Of epoll's bits, all others: with an error or a hang-up, reading and writing are worth a try."""


class SchedulerSelector(BaseSelector):
    """Hands registrations to a scheduler. The data of each are two handles of asyncio's, for reading and for
    writing, or None; those of what is ready go to `ready`. Closed twice is harmless.

    Raises: as `selectors.EpollSelector`; MisuseError for a descriptor that another loop of the scheduler
    watches.
    """

    def __init__(self, scheduler: SchedulerPort) -> None:
        self._scheduler = scheduler
        self._keys: dict[int, SelectorKey] = {}
        self._map = Registered(self, self._keys)
        self.ready: deque[Any] = deque()
        """asyncio's queue, once it is there."""

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """Watch a file object, an int or what has `fileno()`, level-triggered."""
        wanted = EPOLL_EVENTS.get(events)
        if wanted is None:
            raise ValueError(f"Invalid events: {events!r}")
        fd = self._fd_of(fileobj)
        if fd in self._keys:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        if self._scheduler.is_watched(fd):
            raise MisuseError(f"descriptor {fd} is watched already, as that of a stream, a pipe or a loop")
        self._scheduler.watch(fd, wanted, partial(self._on_events, fd))
        key = self._keys[fd] = SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: Any) -> SelectorKey:
        """Watch it no longer; it may be closed already."""
        key = self.get_key(fileobj)
        del self._keys[key.fd]
        # Not `unwatch`: it may live on, or have a copy in a child.
        self._scheduler.forget(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:
        """Watch it for something else, or with other data."""
        key = self.get_key(fileobj)
        if events != key.events:
            wanted = EPOLL_EVENTS.get(events)
            if wanted is None:
                raise ValueError(f"Invalid events: {events!r}")
            self._scheduler.watch(key.fd, wanted, partial(self._on_events, key.fd))
        key = self._keys[key.fd] = SelectorKey(key.fileobj, key.fd, events, data)
        return key

    def get_key(self, fileobj: Any) -> SelectorKey:
        """Raises: KeyError where it is not watched."""
        key = self._keys.get(self._fd_of(fileobj, is_watched=True))
        if key is None:
            raise KeyError(f"{fileobj!r} is not registered")
        return key

    def get_map(self) -> Mapping[Any, SelectorKey]:
        """All that is watched, by descriptor, and found by file object too."""
        return self._map

    def select(self, timeout: float | None = None) -> NoReturn:
        """The scheduler waits, and nobody else. Raises: MisuseError."""
        del timeout
        raise MisuseError("select: the scheduler waits for what is registered here")

    def close(self) -> None:
        """Watch nothing any more."""
        for fd in self._keys:
            self._scheduler.forget(fd)
        self._keys.clear()

    def _on_events(self, fd: int, events: int) -> None:
        """Queue the handles of who waits; an error or a hang-up is for either."""
        key = self._keys.get(fd)
        if key is None:  # forgotten by a callback before this one
            return
        reader, writer = key.data
        if reader is not None and events & NOT_WRITABLE and not reader._cancelled:
            self.ready.append(reader)
        if writer is not None and events & NOT_READABLE and not writer._cancelled:
            self.ready.append(writer)

    def _fd_of(self, fileobj: Any, *, is_watched: bool = False) -> int:
        """Its descriptor. Raises: ValueError for what has none; `is_watched`: one that was closed meanwhile
        is looked for by itself."""
        if type(fileobj) is int:
            fd = fileobj
        else:
            try:
                fd = int(fileobj.fileno())
            except (AttributeError, TypeError, ValueError):
                fd = -1
        if fd >= 0:
            return fd
        for key in self._keys.values() if is_watched else ():
            if key.fileobj is fileobj:
                return key.fd
        raise ValueError(f"Invalid file object: {fileobj!r}")


class Registered(Mapping[Any, SelectorKey]):
    """The map of a selector: asyncio of Python 3.13 looks there for what it watches."""

    def __init__(self, selector: SchedulerSelector, keys: dict[int, SelectorKey]) -> None:
        self._selector = selector
        self._keys = keys

    def __getitem__(self, fileobj: Any) -> SelectorKey:
        return self._selector.get_key(fileobj)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[int]:
        return iter(self._keys)
