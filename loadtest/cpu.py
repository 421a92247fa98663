"""CPU time and memory of processes and of the whole machine, read from /proc.

Owns the reading of /proc/PID/stat and /proc/stat; it decides nothing. Units: microseconds, bytes.

Source: proc(5).
"""

import os
from pathlib import Path
from typing import Final

import msgspec

TICK_US: Final = 1_000_000 // os.sysconf("SC_CLK_TCK")
IDLE_FIELDS: Final = (3, 4)
"""`idle` and `iowait` of the cpu line."""
UTIME: Final = 11
STIME: Final = 12
NANOSECONDS: Final = 1_000


class MachineCpu(msgspec.Struct, frozen=True):
    """CPU time of the whole machine since it started."""

    busy_us: int
    softirq_us: int


def process_us(pid: int) -> int:
    """CPU time that a process, all its threads together, has used. Raises: ProcessLookupError,
    FileNotFoundError.

    The scheduler's own sum (nanoseconds) where the kernel keeps it, else ticks of utime + stime.
    """
    threads = Path(f"/proc/{pid}/task")
    try:
        spent = [int(Path(thread, "schedstat").read_text().split()[0]) for thread in threads.iterdir()]
    except (FileNotFoundError, IndexError):
        spent = []
    return sum(spent) // NANOSECONDS if any(spent) else process_ticks_us(pid)


def process_ticks_us(pid: int) -> int:
    """utime + stime of a process, in the kernel's ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[UTIME]) + int(fields[STIME])) * TICK_US


def processes_us(pids: list[int]) -> int:
    """CPU time of several processes."""
    return sum(map(process_us, pids))


def machine_cpu() -> MachineCpu:
    """CPU time of all processors together, softirq and steal included."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    busy = sum(ticks) - sum(ticks[field] for field in IDLE_FIELDS)
    return MachineCpu(busy * TICK_US, ticks[6] * TICK_US)


def rss_bytes(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
