"""Keys of a terminal, one by one: what is pressed is read at once and not shown.

Source: termios(3), non-canonical mode.
"""

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from typing import Final

QUIT: Final = b"qQ\x04"
"""q and Ctrl-D; no Escape, as keys with arrows begin with it."""


@contextlib.contextmanager
def keys_at_once() -> Iterator[int | None]:
    """The descriptor that keys come from, as long as the block lasts; None where there is no keyboard."""
    fd = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
    if fd is None:
        yield None
        return
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield fd
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def is_quit_pressed(fd: int | None, seconds: float) -> bool:
    """Whether a key that ends is pressed, or the terminal goes, before the time is over."""
    if fd is None:
        time.sleep(seconds)
        return False
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and select.select([fd], [], [], left)[0]:
        pressed = os.read(fd, 64)
        if not pressed or pressed[0] in QUIT:
            return True
    return False
