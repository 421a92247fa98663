"""CPU time as /proc reports it."""

import os
import subprocess
import sys
import time

from gossamer.loadtest.cpu import (
    TICK_US,
    forget_peak,
    keep_on,
    machine_cpu,
    peak_rss_bytes,
    process_ns,
    process_ticks_us,
    processes_ns,
    rss_bytes,
    tree,
)


def burn(us: int) -> None:
    """Use CPU time."""
    end = time.process_time() + us / 1e6
    while time.process_time() < end:
        pass


def test_process__busy_for_100_ms__says_so() -> None:
    before, ticks = process_ns(os.getpid()), process_ticks_us(os.getpid())
    burn(100_000)
    assert 95_000_000 <= process_ns(os.getpid()) - before <= 200_000_000
    assert 100_000 - 2 * TICK_US <= process_ticks_us(os.getpid()) - ticks <= 200_000


def test_machine__busy_for_100_ms__says_at_least_that() -> None:
    before = machine_cpu()
    burn(100_000)
    after = machine_cpu()
    assert after.busy_us - before.busy_us >= 100_000 - 4 * TICK_US
    assert after.softirq_us >= before.softirq_us


def test_rss__of_ourselves__is_between_a_mebibyte_and_the_machine() -> None:
    assert 1 << 20 < rss_bytes(os.getpid()) < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_tree__a_child_that_works__counts_with_its_parent() -> None:
    program = "import subprocess; subprocess.run(['sleep', '30'])"
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            while len(pids := tree(process.pid)) < 2 or not process_ns(pids[1]):  # It may not have run yet.
                time.sleep(0.01)
            assert pids[0] == process.pid
            assert processes_ns(pids) >= process_ns(pids[1]) > 0
            cpu = min(os.sched_getaffinity(0))
            keep_on(pids, cpu)
            assert {frozenset(os.sched_getaffinity(pid)) for pid in pids} == {frozenset({cpu})}
        finally:
            os.kill(pids[1], 9)


def test_peak__memory_given_back__stays_until_it_is_forgotten() -> None:
    program = "import sys; a = bytes(range(256)) * 200_000; del a; print(flush=True); sys.stdin.read()"
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], **streams) as process:
        assert process.stdout is not None
        process.stdout.readline()
        before = peak_rss_bytes(process.pid)
        forget_peak(process.pid)
        assert peak_rss_bytes(process.pid) < before - 40_000_000
        process.communicate()
