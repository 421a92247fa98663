"""A process that another supervisor has started: how it is signalled, and how its end is heard of.

Owns that no signal reaches a stranger who has got its number since. Of one that is no child of this process
the exit status is nobody's to see.

Source: pidfd_open(2), pidfd_send_signal(2), wait(2).
"""

import contextlib
import os
import signal
import time
from typing import Final

from gossamer.shards.machine.procfs import ProcessIdentity, is_alive, parent_of

UNSEEN: Final = 256
"""The status of a process whose end another one was told of: none of its own, 0 to 255, nor a signal's."""

LOOK_SECONDS: Final = 0.01


def send_signal(process: ProcessIdentity, number: int) -> None:
    """Send a signal to that very process, if it lives."""
    with contextlib.suppress(ProcessLookupError):
        try:
            fd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return
        except OSError:  # An old kernel, or a sandbox.
            if is_alive(process):
                os.kill(process.pid, number)
            return
        try:
            if is_alive(process):
                signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)


class AdoptedProcess:
    """Such a process; it offers what `subprocess.Popen` does."""

    def __init__(self, identity: ProcessIdentity) -> None:
        self.pid = identity.pid
        self._identity = identity
        self._is_child = parent_of(identity.pid) == os.getpid()
        """As after an upgrade, which leaves the supervisor its number."""
        self._status: int | None = None

    def send_signal(self, number: int) -> None:
        """Send a signal, if it lives."""
        send_signal(self._identity, number)

    def poll(self) -> int | None:
        """Its exit status, UNSEEN where that is not ours to see; None while it lives."""
        if self._status is None:
            self._status = self._ask_kernel() if self._is_child else self._look()
        return self._status

    def _ask_kernel(self) -> int | None:
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return UNSEEN
        return os.waitstatus_to_exitcode(status) if pid else None

    def _look(self) -> int | None:
        return None if is_alive(self._identity) else UNSEEN

    def wait(self) -> int:
        """The same, once it has ended."""
        while (status := self.poll()) is None:
            time.sleep(LOOK_SECONDS)
        return status
