"""What a process uses, asked for again and again."""

import os
import time

from gossamer.core.clock import monotonic_us
from gossamer.shards.machine.usage import ProcessUsage


def test_figures__a_process_that_works__its_share_since_it_was_asked_last() -> None:
    usage = ProcessUsage(os.getpid(), started_us=monotonic_us())
    usage.figures(monotonic_us())
    until = time.process_time() + 0.1  # of its own, however many others there are
    while time.process_time() < until:
        pass
    share, resident_bytes = usage.figures(monotonic_us())
    assert 0 < share < 250
    assert resident_bytes > 1 << 20


def test_figures__a_process_that_is_gone__none() -> None:
    assert ProcessUsage(2**22 - 1, started_us=0).figures(1_000_000) == (0.0, 0)
