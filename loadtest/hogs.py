"""Processes that keep the processors busy, so that a measurement or a test meets what a quiet machine hides.

Owns how they are started and ended. Each ends by itself once whoever started it is no more.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Final

SPIN: Final = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))\n"


@contextlib.contextmanager
def hogs(count: int) -> Iterator[None]:
    """While it lasts, so many processes do nothing but use a processor."""
    with contextlib.ExitStack() as started:
        for _ in range(count):
            hog = started.enter_context(subprocess.Popen([sys.executable, "-I", "-c", SPIN]))
            started.callback(hog.kill)
        yield
