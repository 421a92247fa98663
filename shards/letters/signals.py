"""What signals mean to a supervisor and to a worker.

Owns that none ends a process by accident: a supervisor that ends without draining leaves firewall rules
behind, which bring packets to nobody. Whatever has no meaning is logged, and that is all. They are caught,
not ignored: programs that a handler starts would inherit that.

Not caught: what nobody can catch, and what says that the process itself is broken (SIGABRT, SIGSEGV and its
like). Workers go on without their supervisor then, as after SIGKILL (`shards.keeper`).

Source: signal(7), "Standard signals".
"""

import signal
from typing import Final

FAULTS: Final = frozenset(
    {
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTRAP,
    }
)
"""Their handler would return to where the fault is."""

STAY_AS_THEY_ARE: Final = frozenset(
    {
        *(signal.SIGKILL, signal.SIGSTOP),
        *(signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH),
        *(signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
        *(signal.SIGPIPE, signal.SIGXFSZ),
    }
)
"""Those that cannot be caught, those that end no process, and those that Python ignores from its start."""

ENDING: Final[frozenset[int]] = frozenset(signal.valid_signals()) - FAULTS - STAY_AS_THEY_ARE
"""All whose default action is to end the process, as far as they are caught; real-time ones among them."""

STOPPING: Final = (signal.SIGTERM, signal.SIGXCPU)
"""The kernel announces a limit of CPU time by the second, and keeps it by SIGKILL."""

RETIRE: Final = signal.SIGRTMIN
"""Has a worker make way for its successor: none that people send to a whole family of processes."""

NO_LOG_FILES: Final = (
    "SIGUSR1: there is no log file to open again: lines go to standard output and standard error, "
    "and whoever reads those rotates them (log.access_log_file names a file)"
)


def signal_name(number: int) -> str:
    """What a signal is called: SIGALRM, SIGRTMIN+3."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def describe_meaningless(number: int, who: str) -> str:
    """The line about a signal that is caught and changes nothing."""
    return f"{signal_name(number)} means nothing to a {who}; it goes on"
