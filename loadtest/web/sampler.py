"""Where a process spends its CPU time: a sample a tick of it, each the stack that runs. It is started within
a server that is measured (`where.py` puts it into its way), and its samples go into a file.

Owns the timer, and what a sample is. The innermost function of ours counts, so that what C and the kernel do
on behalf of a line stands under the function of that line. faulthandler writes the stack from within the
signal's handler: Python's own would come a call later, and wake the event loop. The kernel looks at the timer
when its clock ticks, every 1 to 10 ms of CPU time; a sample costs some tens of microseconds.

Source: setitimer(2), ITIMER_PROF.
"""

import atexit
import faulthandler
import os
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any, Final

FOLDER_VARIABLE: Final = "GOSSAMER_BENCH_SAMPLES"
EVERY_S: Final = 0.001
"""Sooner than any tick."""
SAMPLE: Final = "most recent call first):\n"
OURS_FIRST: Final = re.compile(r'File "[^"]*/gossamer/([\w/]+)\.py", line \d+ in (\S+)')
ELSEWHERE: Final = "elsewhere:"
PROGRAM: Final = (
    "from os import environ\n"
    f"if '{FOLDER_VARIABLE}' in environ:\n"
    "    from gossamer.loadtest.web.sampler import start\n"
    f"    start(environ['{FOLDER_VARIABLE}'])\n"
)
"""What stands in a sitecustomize.py on the path of the server."""


def start(folder: str) -> None:
    """Sample this process from now on, whoever takes over all signals later. Raises: OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    fd = os.open(f"{folder}/{os.getpid()}.samples", flags, 0o600)
    faulthandler.register(signal.SIGPROF, file=fd, all_threads=False)
    take_over = signal.signal

    def leave_sampling(number: int, handler: Any) -> Any:
        return None if number == signal.SIGPROF else take_over(number, handler)

    vars(signal)["signal"] = leave_sampling
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    atexit.register(signal.setitimer, signal.ITIMER_PROF, 0)  # Or it would end who has no handler any more.


def counts_of(folder: Path, pid: int) -> Counter[str]:
    """The samples of a process so far, by function."""
    return counted((folder / f"{pid}.samples").read_text(errors="replace"))


def counted(text: str) -> Counter[str]:
    """The samples of a file, by `module:function`."""
    return Counter(place_of(stack) for stack in text.split(SAMPLE)[1:])


def place_of(stack: str) -> str:
    """The innermost function of ours."""
    found = OURS_FIRST.search(stack)
    return f"{found[1].replace('/', '.')}:{found[2]}" if found else ELSEWHERE
