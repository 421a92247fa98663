"""What a process uses of the machine: its share of a processor, and memory.

psutil is loaded when somebody asks for the first time: it is a good part of what a start takes.
"""


class ProcessUsage:
    """Asked again and again about one process."""

    def __init__(self, pid: int, started_us: int) -> None:
        """It counts from its start."""
        self._pid = pid
        self._asked_us = started_us
        self._cpu_seconds = 0.0

    @property
    def cpu_us(self) -> int:
        """CPU time of its whole life, as it was when this was asked last."""
        return round(self._cpu_seconds * 1_000_000)

    def figures(self, now_us: int) -> tuple[float, int]:
        """CPU in percent of one processor since this was asked last, resident bytes; 0 when it is gone."""
        import psutil

        try:
            process = psutil.Process(self._pid)
            with process.oneshot():
                times, resident_bytes = process.cpu_times(), process.memory_info().rss
        except psutil.NoSuchProcess:
            return 0.0, 0
        elapsed_us = max(1, now_us - self._asked_us)
        used_seconds = times.user + times.system - self._cpu_seconds
        self._asked_us = now_us
        self._cpu_seconds += used_seconds
        return used_seconds * 1e8 / elapsed_us, resident_bytes
