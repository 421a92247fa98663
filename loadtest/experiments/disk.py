"""Random reads of 4 KB from a file, by 1 to 65,536 threads over a depth of 128, beside fio and OS threads.

    gossamer bench disk --directory /var/tmp

The file has no name, so that nothing of it stays however the run ends. It is opened with O_DIRECT, so that no
page cache holds any of it; every thread reads one block after another, each at a random place. fio reads the
same file with the same engine of the kernel at several depths, and ours is compared with the best of them.
Once that depth is known, the two are measured again, one right after the other: the best of many measurements
was partly luck, and a shared disk changes its speed. The figures, taken after a time of warming up, are reads
a second of wall-clock time, and CPU time a read, user and system.

Source: Li and Zdancewic, PLDI 2007, section 5.2 (disk head scheduling; NPTL beside it).
"""

import contextlib
import json
import mmap
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from gossamer.core.loop.disk.call import sys_aio_read
from gossamer.core.loop.disk.engine import choose_engine
from gossamer.core.loop.disk.loop import DEPTH, DiskLoop
from gossamer.core.loop.disk.names import POOL
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.scheduler import Scheduler
from gossamer.loadtest.experiments.child import MeasurementFailed, measure_in_child
from gossamer.loadtest.experiments.experiment import Axes, Column, Goal, Point, Result, Values, goal
from gossamer.loadtest.experiments.rounds import Key, Pace, Round, interleaved, points_of, ratios
from gossamer.shards.exitcode import CannotStartError

BLOCK_BYTES: Final = 4096
WRITE_BYTES: Final = 1024 * 1024
KEPT_FREE_BYTES: Final = 512 * 1024 * 1024
WARM_UP_SECONDS: Final = 0.5
THREAD_STEPS: Final = (1, 16, 64, 1_024, 16_384, 65_536)
OS_THREAD_STEPS: Final = (1, 16, 64, 1_024)
FIO_DEPTHS: Final = (1, 16, 64, 256)
FIO_LEAST: Final = 0.9
OS_THREADS_LEAST: Final = 1.0
FLAT_LEAST: Final = 0.9
PAIRS_A_ROUND: Final = 3
"""How often what the goals compare is measured again for each round of all."""
AXES: Final = Axes(
    "Random reads of 4 KB, O_DIRECT",
    "threads (fio: depth)",
    (Column("reads/s", "reads a second", more_is_better=True), Column("CPU us a read", "CPU us a read")),
)


class ReadMeter:
    """Counts reads, and what they cost between `begin` and `answer`."""

    def __init__(self) -> None:
        self.reads = 0

    def begin(self) -> None:
        """The warming up is over."""
        self.reads = 0
        self._wall_ns, self._cpu_ns = time.perf_counter_ns(), time.process_time_ns()

    def answer(self) -> dict[str, float]:
        """What was found."""
        wall_ns, cpu_ns = time.perf_counter_ns() - self._wall_ns, time.process_time_ns() - self._cpu_ns
        reads = max(1, self.reads)
        return {
            "reads/s": round(reads / (wall_ns / 1e9), 1),
            "CPU us a read": round(cpu_ns / 1000 / reads, 2),
        }


def gossamer(path: str, count: int, seconds: float) -> dict[str, float]:
    """Threads of ours."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    blocks, draw, meter = os.fstat(fd).st_size // BLOCK_BYTES, Random().random, ReadMeter()
    pool = PoolLoop()
    disk = DiskLoop(pool)
    scheduler = Scheduler(EpollWaiter(), [pool, disk, SleepLoop()])
    found: dict[str, float] = {}

    async def reads() -> None:
        while True:
            await sys_aio_read(fd, int(draw() * blocks) * BLOCK_BYTES, BLOCK_BYTES)
            meter.reads += 1

    async def measures() -> None:
        await sys_sleep(int(WARM_UP_SECONDS * 1e6))
        meter.begin()
        await sys_sleep(int(seconds * 1e6))
        found.update(meter.answer())
        scheduler.stop()

    for _ in range(count):
        scheduler.spawn(reads())
    scheduler.spawn(measures())
    scheduler.run()
    scheduler.close()
    return found


def os_threads(path: str, count: int, seconds: float) -> dict[str, float]:
    """A pool of threads of the operating system, each reading on its own."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    blocks, draw = os.fstat(fd).st_size // BLOCK_BYTES, Random().random
    meter, stopping = ReadMeter(), threading.Event()

    def reads() -> None:
        buffer = [mmap.mmap(-1, BLOCK_BYTES)]
        while not stopping.is_set():
            os.preadv(fd, buffer, int(draw() * blocks) * BLOCK_BYTES)
            meter.reads += 1

    threads = [threading.Thread(target=reads, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    time.sleep(WARM_UP_SECONDS)
    meter.begin()
    time.sleep(seconds)
    found = meter.answer()
    stopping.set()
    return found


def fio(path: str, count: int, seconds: float) -> dict[str, float]:
    """fio at a depth, with the engine that ours has here. Raises: MeasurementFailed."""
    engine, _ = choose_engine(1, BLOCK_BYTES)
    options = {
        "name": "random-reads",
        "filename": path,
        "direct": 1,
        "rw": "randread",
        "bs": BLOCK_BYTES,
        "runtime": f"{seconds:g}",
        "ramp_time": f"{WARM_UP_SECONDS:g}",
        "output-format": "json",
        **fio_engine(POOL if engine is None else engine.name, count),
    }
    if engine is not None:
        engine.close()
    words = ["fio", "--time_based", "--norandommap", "--randrepeat=0", "--group_reporting"]
    words += [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60 + seconds, check=False)
    if done.returncode != 0:
        raise MeasurementFailed(f"fio: {(done.stderr or done.stdout).strip()[-200:]}")
    return fio_answer(done.stdout)


def fio_engine(engine: str, depth: int) -> dict[str, Any]:
    """The options that make fio read as ours does; instead of our pool it has as many threads."""
    if engine == POOL:
        return {"ioengine": "psync", "numjobs": depth, "thread": 1}
    return {"ioengine": engine, "iodepth": depth}


def fio_answer(output: str) -> dict[str, float]:
    """The figures in fio's JSON."""
    job = json.loads(output[output.index("{") :])["jobs"][0]
    rate, busy = job["read"]["iops"], (job["usr_cpu"] + job["sys_cpu"]) / 100
    return {"reads/s": round(rate, 1), "CPU us a read": round(busy * 1e6 / max(rate, 1e-9), 2)}


Subject = tuple[Callable[[str, int, float], dict[str, float]], tuple[int, ...]]
SUBJECTS: Final[dict[str, Subject]] = {
    "gossamer": (gossamer, THREAD_STEPS),
    "fio": (fio, FIO_DEPTHS),
    "os threads": (os_threads, OS_THREAD_STEPS),
}


def can_be_read_directly(folder: Path) -> bool:
    """Whether files there can be opened with O_DIRECT: not on every file system in memory."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            os.close(os.open(file.name, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


def a_directory(wanted: Path | None) -> Path:
    """Where the files of an experiment are put. Raises: CannotStartError."""
    folders = [wanted] if wanted is not None else [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd()]
    for folder in folders:
        if can_be_read_directly(folder):
            return folder
    raise CannotStartError(
        f"--directory: no file can be made and opened with O_DIRECT in {', '.join(map(str, folders))}; "
        "name a folder on a disk"
    )


def check_room(folder: Path, size_bytes: int) -> None:
    """Raises: CannotStartError when the disk has not the room."""
    free = shutil.disk_usage(folder).free
    if free < size_bytes + KEPT_FREE_BYTES:
        raise CannotStartError(
            f"--size: found {size_bytes:,} bytes; {folder} has {free:,} free, of which {KEPT_FREE_BYTES:,} "
            "are left alone; name a smaller size or another --directory"
        )


@contextlib.contextmanager
def data_file(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A file full of bytes that no disk can compress, which only its descriptor holds. Raises: OSError."""
    fd, name = tempfile.mkstemp(prefix="gossamer-bench-", dir=folder)
    try:
        os.unlink(name)
        path = Path(f"/proc/{os.getpid()}/fd/{fd}")
        write_blocks(path, size_bytes)
        yield path
    finally:
        os.close(fd)


def write_blocks(path: Path, size_bytes: int) -> None:
    """Write it past the page cache: the machine's memory is none of this experiment's business."""
    buffer = mmap.mmap(-1, WRITE_BYTES)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_DIRECT, 0o600)
    try:
        for _ in range(max(1, size_bytes // WRITE_BYTES)):
            buffer[:] = os.urandom(WRITE_BYTES)
            os.writev(fd, [buffer])
        os.fsync(fd)
    finally:
        os.close(fd)


def run(pace: Pace, folder: Path, size_bytes: int, threads_max: int) -> Result:
    """Interleaved rounds of all subjects at all counts; then pairs of those that the goals compare.

    Raises: CannotStartError, MeasurementFailed.
    """
    check_room(folder, size_bytes)
    taking_part = dict(SUBJECTS)
    if shutil.which("fio") is None:
        del taking_part["fio"]
        pace.note("fio: not run, it is not installed (scripts/system-packages test installs it)")
    keys: list[Key] = [
        (name, step) for name, (_, steps) in taking_part.items() for step in steps if step <= threads_max
    ]
    pace.say(f"writing {size_bytes / 2**20:,.0f} MiB")
    with data_file(folder, size_bytes) as path:

        def take(key: Key) -> Values:
            subject, _ = SUBJECTS[key[0]]
            arguments = {"path": str(path), "count": key[1], "seconds": pace.seconds}
            found: Values = measure_in_child("disk", subject.__name__, **arguments)
            return found

        points = points_of(interleaved(pace, keys, take))
        compared = compared_of(points)
        pairs = interleaved(pace, list(compared), take, pace.rounds * PAIRS_A_ROUND, "pair")
    return Result("disk", AXES, points, goals_of(compared, pairs), [*pace.notes, *engine_notes()])


def count_of(point: Point) -> int:
    """How many threads read."""
    assert isinstance(point.x, int)
    return point.x


def compared_of(points: list[Point]) -> dict[Key, str]:
    """What the goals compare: ours with the most threads first, then ours at its best with fewer, and the
    others at theirs; and what each is called.
    """
    most = max((count_of(point) for point in points if point.series == "gossamer"), default=0)
    if most == 0:
        return {}
    names: dict[Key, str] = {("gossamer", most): f"{most:,} threads"}
    for name in SUBJECTS:
        theirs = [point for point in points if point.series == name and (name, point.x) not in names]
        if theirs:
            best = count_of(max(theirs, key=lambda point: point.figures["reads/s"].median))
            names[name, best] = f"{'ours' if name == 'gossamer' else name} at its best ({best:,})"
    return names


def engine_notes() -> list[str]:
    """What moves the bytes here."""
    engine, why = choose_engine(1, BLOCK_BYTES)
    name = POOL if engine is None else engine.name
    if engine is not None:
        engine.close()
    return [f"engine: {name}, depth {DEPTH}{f' ({why})' if why else ''}"]


def goals_of(compared: dict[Key, str], pairs: list[Round]) -> list[Goal]:
    """Ours with the most threads against each of the others: the ratios of pairs."""
    if not compared:
        return []
    most, *others = compared
    least = {"gossamer": FLAT_LEAST, "fio": FIO_LEAST, "os threads": OS_THREADS_LEAST}
    found = {other: ratios(pairs, most, other, "reads/s") for other in others}
    return [
        goal(f"{compared[most]} / {compared[other]}", samples, least[other[0]], "x", is_least=True)
        for other, samples in found.items()
        if samples
    ]
