"""Children that nobody waits for: the orphans of a container whose first process is the supervisor.

A process whose parent has ended becomes a child of process 1, which must reap it, or it stays a zombie. So
does a supervisor that has replaced a shell (`exec`) inherit that shell's children.

Owns that nobody's exit status but theirs is taken: who it is is looked at before it is reaped, and a worker's
is left to the supervisor. Children of a worker are its own; they come here when it has ended.

Source: waitid(2), WNOWAIT; pid_namespaces(7), "The namespace init process".
"""

import os
from collections.abc import Container
from typing import Final

AT_ONCE_MAX: Final = 256
"""Reaped in one call, so that workers are looked after in between."""


def reap_orphans(workers: Container[int]) -> int:
    """Reap all that have ended and are not of `workers`, as far as no ended worker stands before them; how
    many there were. Where a sandbox refuses waitid(2), none.
    """
    for reaped in range(AT_ONCE_MAX):
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except OSError:  # there is no child at all, or it is refused
            return reaped
        if ended is None or ended.si_pid in workers:
            return reaped
        os.waitpid(ended.si_pid, 0)
    return AT_ONCE_MAX
