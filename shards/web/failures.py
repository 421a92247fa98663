"""What is said of an application that failed, or hangs: one line, with the place in its own code.

Owns the wording; who logs it decides how often.
"""

import os
import traceback
from collections.abc import Iterable, Sequence
from types import FrameType
from typing import Final

from gossamer.core.errors import what_failed

SHARDS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS: Final = tuple(os.path.join(SHARDS, room) for room in ("asgi", "wsgi"))
"""Where frames say nothing of the application."""
STDLIB: Final = os.path.dirname(os.path.abspath(os.__file__)) + os.sep


def one_line(error: BaseException, ours: Sequence[str] = OURS) -> str:
    """The error's type, what it says, and the file and line where the application was."""
    what = f"{type(error).__name__}: {' '.join(what_failed(error).split())}"
    return f"{what}{place_of(error, ours)}"


def place_of(error: BaseException, ours: Sequence[str] = OURS) -> str:
    """File and line of the innermost frame that is not ours; "" where there is none."""
    if isinstance(error, SyntaxError):
        # Its own text names the file, without the folder, and the line.
        return f" ({error.filename}, line {error.lineno})"
    for entry in reversed(traceback.extract_tb(error.__traceback__)):
        if not entry.filename.startswith((*ours, "<")):
            return f" ({entry.filename}, line {entry.lineno})"
    return ""


def where_it_waits(frames: Iterable[FrameType], ours: Sequence[str] = OURS) -> str:
    """File and line of the innermost frame that is the application's own: neither ours nor the standard
    library's; "" where there is none. `frames` come outermost first."""
    own = [frame for frame in frames if not frame.f_code.co_filename.startswith((*ours, STDLIB, "<"))]
    return f" ({own[-1].f_code.co_filename}, line {own[-1].f_lineno})" if own else ""
