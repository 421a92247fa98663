"""The supervisor's end: what the keeper is to hold is compared with what it holds, and the difference sent.

Owns what the keeper has been told. It is never waited for, but at the end of the server.
"""

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterable, Mapping
from typing import Final

from gossamer.shards.keeper.notes import (
    NOTE_BYTES_MAX,
    Await,
    Farewell,
    Forget,
    Keep,
    Said,
    ServerEnding,
    ServerNote,
    say,
)
from gossamer.shards.machine.procfs import ProcessIdentity, is_alive
from gossamer.shards.seen.status import KeeperStatus

log = logging.getLogger("gossamer.supervisor")

IT_DOES: Final = "for the next supervisor, should this one be killed or upgraded"

END_WAIT_SECONDS: Final = 2.0
END_LOOK_SECONDS: Final = 0.01


class Deposit:
    """What a keeper holds of this server."""

    def __init__(self, link: socket.socket, keeper: ProcessIdentity, held: Iterable[str] = ()) -> None:
        """`held` are the names of what it has already. It owns the link from now on."""
        link.settimeout(END_WAIT_SECONDS)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NOTE_BYTES_MAX)
        self._link = link
        self.keeper = keeper
        self._held = set(held)
        self._note: ServerNote | None = None
        self._is_ending = False
        self.is_lost = False
        """Whether the keeper has ended."""

    def update(self, descriptors: Mapping[str, int], note: ServerNote) -> bool:
        """Have it hold these, no others, and know this; whether it does by now: what it has no room for goes
        with the next update.
        """
        if self._is_ending or self.is_lost:
            return False
        with contextlib.suppress(BlockingIOError):
            for name in descriptors.keys() - self._held:
                self._say(Keep(name), descriptors[name])
                self._held.add(name)
            if note != self._note:
                self._say(note)
                self._note = note
            for name in tuple(self._held - descriptors.keys()):
                self._say(Forget(name))
                self._held.remove(name)
            return True
        return False

    def expect_successor(self, wait_us: int) -> None:
        """This process is about to be another program, which claims what is held."""
        self._say(Await(wait_us))

    def status(self) -> KeeperStatus:
        """What `gossamer status` shows of it."""
        return KeeperStatus(self.keeper.pid, len(self._held), IT_DOES)

    def begin_end(self) -> None:
        """Have it let go of all that keeps workers going."""
        if not self._is_ending:
            with contextlib.suppress(BlockingIOError):
                self._say(ServerEnding())
            self._is_ending = True

    def close(self) -> None:
        """Say no more to it."""
        self._link.close()

    def end(self) -> None:
        """Have it end, and wait for that."""
        with contextlib.suppress(OSError):
            say(self._link, Farewell())
            self._link.recv(1)  # Nothing comes but the end, or a timeout.
        self._link.close()
        self._reap()

    def _say(self, said: Said, fd: int | None = None) -> None:
        """Raises: BlockingIOError while it has no room."""
        try:
            say(self._link, said, fd, socket.MSG_DONTWAIT)
        except BlockingIOError:
            raise
        except OSError:
            self.is_lost = True
            raise BlockingIOError from None

    def fileno(self) -> int:
        """Readable once the keeper has ended: it never says anything."""
        return self._link.fileno()

    def _reap(self) -> None:
        """Its exit status is ours where it is our child; one that does not end is killed."""
        if is_alive(self.keeper):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.keeper.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.keeper.pid, 0)
