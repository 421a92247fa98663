"""The web server with files that no cache holds: 16 KB each, 4 GB of them, beside nginx.

    gossamer bench web-disk --size 4GiB

Both servers read past the page cache (ours with `web.direct_io`, nginx with `directio` and `aio threads`) and
both have a worker for each processor: even one worker of nginx, with its pool of threads, would use all. Ours
may keep a sixty-fourth of the files in its memory. wrk asks for files at random over 1 to 1,024 connections.
The figures are requests a second, the workers' CPU time a request, and how much they read from the disk for
it (/proc/PID/io): 16 KB where nothing was kept.

Source: Li and Zdancewic, PLDI 2007, section 5.3 (web server, disk-intensive load; Apache beside it).
"""

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.disk import a_directory, check_room
from gossamer.loadtest.experiments.experiment import Axes, Column, Goal, Result, Say, Values, goal
from gossamer.loadtest.experiments.rounds import Key, Pace, Round, interleaved, points_of, ratios
from gossamer.loadtest.peers import nginx_binary, start_nginx
from gossamer.loadtest.servers import LocalMachine, Server, ServerError, start_gossamer
from gossamer.loadtest.web.measuring import measure, run_client
from gossamer.loadtest.web.wrk import DONE, parse_wrk
from gossamer.shards.exitcode import CannotStartError

FILE_BYTES: Final = 16 * 1024
FILES_IN_A_FOLDER: Final = 512
CACHED_PART: Final = 64
CONNECTIONS: Final = (1, 16, 64, 256, 1_024)
NGINX_LEAST: Final = 0.8
OURS: Final = "gossamer"
NGINX: Final = "nginx"
NGINX_DIRECT: Final = "aio threads; directio 4k; directio_alignment 4k; output_buffers 2 16k;"
"""nginx reads directly only where its buffer is no larger than the file."""

SCRIPT: Final = """
init = function(args) math.randomseed(os.time()) end
request = function()
  local number = math.random(0, {files} - 1)
  local folder, file = math.floor(number / {in_folder}), number % {in_folder}
  return wrk.format("GET", string.format("/%d/%d.bin", folder, file))
end
"""
"""What wrk asks for; how it tells what came of it, is added."""
AXES: Final = Axes(
    "Files of 16 KB that no cache holds",
    "connections",
    (
        Column("requests/s", "requests a second", more_is_better=True),
        Column("CPU us a request", "CPU us a request"),
        Column("p50 us", "p50 of a request, us"),
        Column("p99 us", "p99 of a request, us"),
        Column("disk KB a request", "KB from the disk a request", is_drawn=False),
    ),
)


def write_site(site: Path, files: int, say: Say) -> None:
    """So many files, on the disk and in no page cache. Raises: OSError."""
    say(f"writing {files:,} files")
    for number in range(files):
        path = file_path(site, number)
        if number % FILES_IN_A_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(FILE_BYTES))
    os.sync()
    for number in range(files):
        fd = os.open(file_path(site, number), os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def file_path(site: Path, number: int) -> Path:
    """Where the file of that number is."""
    return site / str(number // FILES_IN_A_FOLDER) / f"{number % FILES_IN_A_FOLDER}.bin"


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def disk_bytes(pids: list[int]) -> int:
    """What processes have caused to be read from the disk. Source: proc(5), /proc/PID/io."""
    texts = [Path(f"/proc/{pid}/io").read_text() for pid in pids]
    return sum(int(dict(line.split(": ") for line in text.splitlines())["read_bytes"]) for text in texts)


@contextlib.contextmanager
def servers(folder: Path, size_bytes: int) -> Iterator[list[Server]]:
    """Ours and, where it is installed, nginx. Raises: ServerError."""
    config = folder / "config.toml"
    workers = len(os.sched_getaffinity(0))
    kept = size_bytes // CACHED_PART // workers
    config.write_text(f"[web]\ndirect_io = true\ncache_bytes_max = {kept}\nhot_bytes_max = {kept // 4}\n")
    options = ("--config", str(config), "--limit-concurrency", "20000")
    site = folder / "site"
    with contextlib.ExitStack() as stack:
        started: list[Server] = [
            start_gossamer(
                LocalMachine(),
                site,
                folder / "run",
                *options,
                workers=workers,
                port=free_port(),
                host="127.0.0.1",
            )
        ]
        stack.callback(started[0].close)
        if nginx_binary() is not None:
            user = "root" if os.geteuid() == 0 else "nobody"
            started.append(
                start_nginx(
                    LocalMachine(), site, folder / "nginx", workers, free_port(), user, more=NGINX_DIRECT
                )
            )
            stack.callback(started[1].close)
        yield started


def wrk(server: Server, script: Path, connections: int, seconds: int) -> list[str]:
    """The client's command line."""
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(script)]
    return ["wrk", *options, f"http://127.0.0.1:{server.port}"]


def sample(pace: Pace, server: Server, script: Path, connections: int) -> Values:
    """Ask one server for a while. Raises: MeasurementFailed."""
    before = disk_bytes(server.worker_pids())
    used = measure(LocalMachine(), server, wrk(server, script, connections, pace.seconds), pace.seconds)
    read, found = disk_bytes(server.worker_pids()) - before, parse_wrk(used.output)
    if not found.requests:
        raise MeasurementFailed(f"{server.name} answered no request")
    if found.errors:
        pace.note(f"{server.name}, {connections:,}: {found.errors:,} requests not answered as they should")
    values = {
        "requests/s": found.requests / used.seconds,
        "CPU us a request": used.server_ns / 1_000 / found.requests,
        "disk KB a request": read / 1024 / found.requests,
    }
    if found.latency:
        values |= {"p50 us": found.latency.p50, "p99 us": found.latency.p99}
    return {column: round(value, 1) for column, value in values.items()}


def run(pace: Pace, directory: Path | None, size_bytes: int, most: int) -> Result:
    """Interleaved rounds of both. Raises: CannotStartError, MeasurementFailed."""
    if shutil.which("wrk") is None:
        raise CannotStartError("wrk is not installed; scripts/system-packages test installs it")
    parent = a_directory(directory)
    check_room(parent, size_bytes)
    if nginx_binary() is None:
        pace.note("nginx: not run, it is not installed (scripts/system-packages test)")
    with tempfile.TemporaryDirectory(prefix="gossamer-bench-", dir=parent) as name:
        folder = Path(name)
        folder.chmod(0o755)
        files = max(1, size_bytes // FILE_BYTES)
        write_site(folder / "site", files, pace.say)
        script = folder / "random.lua"
        script.write_text(SCRIPT.format(files=files, in_folder=FILES_IN_A_FOLDER) + DONE)
        try:
            with servers(folder, size_bytes) as started:
                rounds = measure_all(pace, started, script, [each for each in CONNECTIONS if each <= most])
        except ServerError as error:
            raise MeasurementFailed(str(error)) from error
    return Result("web-disk", AXES, points_of(rounds), goals_of(rounds), pace.notes)


def measure_all(pace: Pace, started: list[Server], script: Path, steps: list[int]) -> list[Round]:
    """All rounds, after a second in which the caches fill. Raises: ServerError."""
    by_name = {server.name: server for server in started}
    for server in started:
        run_client(LocalMachine(), wrk(server, script, steps[-1], 1), 1)
    keys: list[Key] = [(name, connections) for connections in steps for name in by_name]

    def take(key: Key) -> Values:
        name, connections = key
        assert isinstance(connections, int)
        return sample(pace, by_name[name], script, connections)

    return interleaved(pace, keys, take)


def goals_of(rounds: list[Round]) -> list[Goal]:
    """Ours over nginx at each number of connections: pairs of one round."""
    steps = dict.fromkeys(x for found in rounds for name, x in found if name == NGINX)
    compared = {x: ratios(rounds, (OURS, x), (NGINX, x), "requests/s") for x in steps}
    return [
        goal(f"{x:,} connections: ours / nginx", pairs, NGINX_LEAST, "x", is_least=True)
        for x, pairs in compared.items()
        if pairs
    ]
