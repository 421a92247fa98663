"""What a process of a server inherits from whoever started it, set to what a server needs.

    masks        no signal is blocked: a blocked SIGTERM would end nothing, and a reload would not come
    ignored      nor ignored, but for what Python ignores: children of handlers would inherit that
    umask        what is created is the owner's to use (never a mask of 0700), and nobody else's to write
    limits       up to what the system grants: descriptors, processes, locked memory, the size of a file
    options      what -X dev and -W told this Python, for those that it starts

Owns these five, for supervisor and workers. The standard descriptors are `shards.log.standard_streams`'.
Other limits stay: whoever sets one of memory or CPU time means the server.

Source: execve(2) and fork(2) on what is inherited; sigprocmask(2), umask(2), getrlimit(2). PYTHONDEVMODE and
PYTHONWARNINGS of the standard library's command line.
"""

import logging
import os
import resource
import signal
import sys
from typing import Final

log = logging.getLogger("gossamer.start")

OF_PYTHON: Final = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
"""Those that Python itself ignores: the call that meets with it raises an error instead."""

OF_OWNER: Final = 0o700
OTHERS_MAY_NOT_WRITE: Final = 0o022

LIMITS: Final = (
    (resource.RLIMIT_NOFILE, "open descriptors"),
    (resource.RLIMIT_NPROC, "processes"),
    (resource.RLIMIT_MEMLOCK, "locked memory"),
    (resource.RLIMIT_FSIZE, "the size of a file"),
)
"""Each connection on kernel sockets takes a descriptor; the counters are a file that has no name."""


def set_what_was_inherited() -> None:
    """All but blocked signals; to be called before any is caught."""
    heed_ignored_signals()
    set_umask()
    raise_limits()


def options_of_python() -> dict[str, str]:
    """The environment in which a Python is to warn and to check as this one does."""
    developing = {"PYTHONDEVMODE": "1"} if sys.flags.dev_mode else {}
    return developing | ({"PYTHONWARNINGS": ",".join(sys.warnoptions)} if sys.warnoptions else {})


def heed_ignored_signals() -> None:
    """Give each ignored signal its default action, but those that Python ignores."""
    for number in signal.valid_signals() - OF_PYTHON:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def unblock_signals() -> None:
    """Let all signals come, those that wait already too; so they are to be caught before this."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def set_umask() -> None:
    """Leave the owner every right, and others no right to write; what else it forbids stays forbidden."""
    try:
        inherited = os.umask(OTHERS_MAY_NOT_WRITE)
        os.umask(inherited & ~OF_OWNER | OTHERS_MAY_NOT_WRITE)
    except OSError as error:
        log.warning("the umask stays as it is: %s", error.strerror)


def raise_limits() -> None:
    """Have all of LIMITS that the system grants."""
    for limit, what in LIMITS:
        try:
            _, hard = resource.getrlimit(limit)
            resource.setrlimit(limit, (hard, hard))
        except OSError as error:
            log.warning("the limit of %s stays as it is (prlimit64): %s", what, error.strerror)
