"""Processors that do not rest while something is measured.

Owns one file of the kernel's. A processor at rest takes up to 0.2 ms to wake in a virtual machine, and a
request at a low rate meets three of them at rest: the generator's when it is due, the server's when it
arrives, the generator's when its answer does. That is the machine's time, not the generator's.

Source: Documentation/power/pm_qos_interface.rst of the kernel: /dev/cpu_dma_latency.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

PM_QOS: Final = "/dev/cpu_dma_latency"
NO_LATENCY: Final = bytes(4)
"""The wake-up latency that is allowed, a signed 32-bit number. Unit: microseconds."""


@contextmanager
def processors_awake(path: str = PM_QOS) -> Iterator[str]:
    """Ask the kernel for it until the context ends; why it could not be asked, "" where it was.

    The request ends with the descriptor, so with this process at the latest.
    """
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except OSError as error:
        yield f"{path}: {error.strerror}"
        return
    try:
        refused = _ask(fd)
        yield f"{path}: {refused}" if refused else ""
    finally:
        os.close(fd)


def _ask(fd: int) -> str:
    try:
        os.write(fd, NO_LATENCY)
    except OSError as error:
        return os.strerror(error.errno or 0)
    return ""
