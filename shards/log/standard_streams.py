"""Standard input, output and error as a server meets them: closed, or read by somebody who leaves.

Owns that neither ends a server: `gossamer serve | head -1` goes on serving. Decides nothing about content.
"""

import logging
import os
import select
import sys
from typing import Final

log = logging.getLogger("gossamer.output")

OUTPUT_FD: Final = 1
ERROR_FD: Final = 2
NAMES: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
"""The streams of `sys`, by descriptor."""


def hold_standard_descriptors() -> None:
    """Put /dev/null where a standard descriptor is closed: a socket opened next would get its number."""
    for fd, (name, mode) in enumerate(NAMES):
        if getattr(sys, name) is None:
            _point_at_nothing(fd)
            setattr(sys, name, open(fd, mode, closefd=False))  # noqa: SIM115 - it stays open to the end


def _point_at_nothing(fd: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    if nothing == fd:
        os.set_inheritable(fd, True)  # as a standard descriptor is: children would find it closed again
        return
    os.dup2(nothing, fd)
    os.close(nothing)


def write_all(fd: int, content: bytes, name: str) -> None:
    """Write all of it to a descriptor, which a line calls `name`; where the reader has left, say so and
    write nowhere from then on.
    """
    try:
        at = 0
        while at < len(content):
            try:
                at += os.write(fd, content[at:])
            except BlockingIOError:  # somebody who shares it made it non-blocking
                select.select([], [fd], [])
    except BrokenPipeError:
        _point_at_nothing(fd)
        log.warning("%s: its reader has left; nothing more is written to it", name)
    except OSError as error:
        log.error("%s: %s; lines are lost", name, error.strerror)
