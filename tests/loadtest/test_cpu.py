"""CPU time as /proc reports it."""

import os
import time

from gossamer.loadtest.cpu import TICK_US, machine_cpu, process_ticks_us, process_us, rss_bytes


def burn(us: int) -> None:
    """Use CPU time."""
    end = time.process_time() + us / 1e6
    while time.process_time() < end:
        pass


def test_process__busy_for_100_ms__says_so() -> None:
    before, ticks = process_us(os.getpid()), process_ticks_us(os.getpid())
    burn(100_000)
    assert 95_000 <= process_us(os.getpid()) - before <= 200_000
    assert 100_000 - 2 * TICK_US <= process_ticks_us(os.getpid()) - ticks <= 200_000


def test_machine__busy_for_100_ms__says_at_least_that() -> None:
    before = machine_cpu()
    burn(100_000)
    after = machine_cpu()
    assert after.busy_us - before.busy_us >= 100_000 - 4 * TICK_US
    assert after.softirq_us >= before.softirq_us


def test_rss__of_ourselves__is_between_a_mebibyte_and_the_machine() -> None:
    assert 1 << 20 < rss_bytes(os.getpid()) < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
