"""Standard input, output and error as a server meets them: closed, or read by somebody who leaves.

Owns that neither ends a server: `gossamer serve | head -1` goes on serving. Decides nothing about content.
"""

import logging
import os
import sys
from typing import Final

log = logging.getLogger("gossamer.output")

OUTPUT_FD: Final = 1
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


def write_standard_output(content: bytes) -> None:
    """Write all of it at once; where the reader has left, say so and write nowhere from then on."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _point_at_nothing(OUTPUT_FD)
        log.warning("standard output: its reader has left; nothing more is written to it")
    except OSError as error:
        log.error("standard output: %s; lines are lost", error.strerror)
