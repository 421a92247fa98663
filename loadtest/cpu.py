"""CPU time and memory of processes, of trees of them, and of the whole machine, read from /proc.

Owns the reading of /proc/PID and /proc/stat; it decides nothing. Units: nano- and microseconds, bytes.

Source: proc(5).
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
import psutil

TICK_US: Final = 1_000_000 // os.sysconf("SC_CLK_TCK")
IDLE_FIELDS: Final = (3, 4)
"""`idle` and `iowait` of the cpu line."""
UTIME: Final = 11
STIME: Final = 12
NANOSECONDS: Final = 1_000
"""In a microsecond."""
PEAK_ALONE: Final = "5"
"""What /proc/PID/clear_refs takes for "VmHWM begins anew"."""


class MachineCpu(msgspec.Struct, frozen=True):
    """CPU time of the whole machine since it started."""

    busy_us: int
    softirq_us: int


def tree(pid: int) -> list[int]:
    """A process and all that it started, and they. Raises: psutil.NoSuchProcess."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def process_ns(pid: int) -> int:
    """CPU time that a process, all its threads together, has used. Raises: ProcessLookupError,
    FileNotFoundError.

    The scheduler's own sum where the kernel keeps it, else ticks of utime + stime. A thread that has ended
    counts in the latter alone.
    """
    threads = Path(f"/proc/{pid}/task")
    try:
        spent = [int(Path(thread, "schedstat").read_text().split()[0]) for thread in threads.iterdir()]
    except (FileNotFoundError, IndexError):
        spent = []
    return sum(spent) if any(spent) else process_ticks_us(pid) * NANOSECONDS


def process_ticks_us(pid: int) -> int:
    """utime + stime of a process, in the kernel's ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[UTIME]) + int(fields[STIME])) * TICK_US


def processes_ns(pids: Iterable[int]) -> int:
    """CPU time of several processes."""
    return sum(map(process_ns, pids))


def machine_cpu() -> MachineCpu:
    """CPU time of all processors together, softirq and steal included."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    busy = sum(ticks) - sum(ticks[field] for field in IDLE_FIELDS)
    return MachineCpu(busy * TICK_US, ticks[6] * TICK_US)


def rss_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def forget_peak(pid: int) -> None:
    """Let `peak_rss_bytes` count from now on. Raises: PermissionError, ProcessLookupError."""
    Path(f"/proc/{pid}/clear_refs").write_text(PEAK_ALONE)


def peak_rss_bytes(pid: int) -> int:
    """The largest resident memory of a process so far; 0 for one that is ending."""
    words = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(words.get("VmHWM", "0 kB").split()[0]) * 1024


def keep_on(pids: list[int], processor: int) -> None:
    """Keep every task of these processes on one processor; what they start later stays there, too."""
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(task.name), {processor})
