"""Seconds, for people: the system calls count in whole microseconds, as the kernel and the TCP do."""

from typing import Final

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.errors import misuse
from gossamer.core.threads.calls import Sleep, sys_sleep

SECONDS_MAX: Final = NEVER_US / SECOND_US


def sleep(seconds: float) -> Sleep:
    """Sleep for so many seconds; less than none is none, and `math.inf` is for ever.

    >>> from gossamer import run, sleep
    >>> async def main():
    ...     await sleep(0.01)
    ...     return "awake"
    >>> run(main())
    'awake'

    Raises: MisuseError for anything but a number.
    """
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds != seconds:
        raise misuse("sleep: seconds", seconds, "a number of seconds, such as 0.5")
    return sys_sleep(round(seconds * SECOND_US) if abs(seconds) < SECONDS_MAX else NEVER_US)
