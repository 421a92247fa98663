"""What clients lose while workers are replaced, added, removed and killed, and supervisors too.

    gossamer bench restart --connections 500 --hogs 3

Keep-alive clients in a closed loop, downloads of limited rate, and clients in the midst of a request head, in
a namespace; each event happens so many times in a row, beside processes that keep the processors busy where
that is wished for. nginx is reloaded beside ours. Owns the order, and what is counted as lost.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Axes, Column, Goal, Result, Values, goal
from gossamer.loadtest.experiments.rounds import Key, Pace, Round, interleaved, points_of
from gossamer.loadtest.half_heads import HalfHeads
from gossamer.loadtest.hogs import hogs
from gossamer.loadtest.namespaces import Namespace, NamespaceError, namespace
from gossamer.loadtest.peers import nginx_binary, start_nginx
from gossamer.loadtest.servers import Gossamer, ServerError, running, start_gossamer
from gossamer.loadtest.steady import SteadyClients, SteadyOutcome

PORT: Final = 8080
SURVIVING: Final = ("--set", "supervisor.survive_crash=true")
"""Of the functional TCP; kernel sockets have nothing of it."""
WORKERS: Final = 2
BODY: Final = b"hello\n"
PAUSE_S: Final = 0.1
"""Between an answer and a client's next request."""
SETTLE_S: Final = 1.0
EVENT_WAIT_S: Final = 120.0
HALF_HEADS: Final = 6
HEAD_WAITS: Final = ("--set", "web.head_timeout=120s")
"""Longer than any event."""
BULK_BYTES: Final = 8 << 20
BULK_RATE: Final = "2M"
STACKS: Final = ("nfqueue", "kernel")
AXES: Final = Axes(
    "Keep-alive clients while workers come and go",
    "event",
    (
        Column("lost", "requests lost"),
        Column("halves", "of these in the midst of a head", is_drawn=False),
        Column("cut", "downloads cut off", is_drawn=False),
        Column("reopened", "connections opened anew", is_drawn=False),
        Column("longest ms", "the longest answer, ms"),
        Column("answered", "requests answered", more_is_better=True, is_drawn=False),
    ),
    is_log_x=False,
)

Event = Callable[[Gossamer, int], None]


def reload(server: Gossamer, _number: int) -> None:
    """All workers are replaced. Raises: ServerError."""
    _told(server, "reload")


def scale(server: Gossamer, number: int) -> None:
    """One worker more, then one less. Raises: ServerError."""
    _told(server, "worker", "remove" if number % 2 else "add")


def upgrade(server: Gossamer, _number: int) -> None:
    """Supervisor and workers become another version, which is the same. Raises: ServerError."""
    _told(server, "upgrade")


def orphan(server: Gossamer, _number: int) -> None:
    """The supervisor is killed, and a while later another one takes its workers over. Raises: ServerError."""
    server.process.kill()
    server.process.wait(EVENT_WAIT_S)
    time.sleep(SETTLE_S)
    with server.log.open("ab") as log:
        server.process = subprocess.Popen(server.process.args, stdout=log, stderr=subprocess.STDOUT)
    until = time.monotonic() + EVENT_WAIT_S
    while time.monotonic() < until and server.process.poll() is None:
        time.sleep(PAUSE_S)
        with contextlib.suppress(ServerError):  # Until it has taken over, the keeper answers for it.
            status = server.status()
            if status["pid"] == server.process.pid and not status["reloading"]:
                return
    raise ServerError("no supervisor has taken over from the killed one")


def kill(server: Gossamer, number: int) -> None:
    """A worker is killed. Raises: ServerError when none takes its place."""
    os.kill(server.pids()[number % WORKERS], signal.SIGKILL)
    time.sleep(PAUSE_S)
    wait_until_all_serve(server)


def wait_until_all_serve(server: Gossamer) -> None:
    """Else an event would meet a server that has not come up yet. Raises: ServerError."""
    until = time.monotonic() + EVENT_WAIT_S
    while time.monotonic() < until:
        status = server.status()
        if all(worker["state"] == "serving" for worker in status["workers"]) and not status["reloading"]:
            return
        time.sleep(PAUSE_S)
    raise ServerError("not every worker serves")


def _told(server: Gossamer, *words: str) -> None:
    done = server.control(*words, "--timeout", f"{EVENT_WAIT_S:.0f}s", wait_s=EVENT_WAIT_S + 10)
    if done.returncode:
        raise ServerError(f"{' '.join(words)}: {done.stderr.strip()}")


EVENTS: Final[dict[str, Event]] = {
    "reload": reload,
    "scale": scale,
    "upgrade": upgrade,
    "orphan": orphan,
    "kill": kill,
}
NGINX: Final = "nginx"


def run(pace: Pace, connections: int, times: int, busy: int = 0) -> Result:
    """Each event so many times on each stack, a round, beside so many processes that spin. Raises:
    CannotStartError, MeasurementFailed."""
    keys: list[Key] = [(stack, event) for stack in STACKS for event in EVENTS]
    if nginx_binary() is not None:
        keys.append((NGINX, "reload"))
    try:
        with tempfile.TemporaryDirectory(prefix="gossamer-bench-") as name, namespace() as place:
            folder = _site(Path(name))

            def take(key: Key) -> Values:
                return _nginx(place, folder, connections, times) if key[0] == NGINX else ours(key)

            def ours(key: Key) -> Values:
                return _ours(place, folder, key[0], str(key[1]), connections, times)

            with hogs(busy):
                rounds = interleaved(pace, keys, take)
    except (ServerError, NamespaceError, OSError, RuntimeError) as error:
        raise MeasurementFailed(f"restart: {error}") from error
    return Result("restart", AXES, points_of(rounds), goals_of(rounds), pace.notes)


def goals_of(rounds: list[Round]) -> list[Goal]:
    """What neither stack must lose while connections move."""
    goals = []
    for wanted in STACKS:
        lost = [
            sum(values[column] for column in ("lost", "cut", "reopened"))
            for found in rounds
            for (stack, event), values in found.items()
            if stack == wanted and event != "kill"
        ]
        name = f"lost or reopened on {wanted}, but by a kill"
        goals += [goal(name, lost, 0, "", is_count=True)] if lost else []
    return goals


def _site(folder: Path) -> Path:
    folder.chmod(0o755)
    site = folder / "site"
    site.mkdir()
    (site / "index.html").write_bytes(BODY)
    (site / "bulk").write_bytes(os.urandom(BULK_BYTES))
    return folder


def _ours(place: Namespace, folder: Path, stack: str, event: str, connections: int, times: int) -> Values:
    run_dir = folder / f"run-{stack}-{event}"
    started = start_gossamer(
        *(place, folder / "site", run_dir, *SURVIVING, *HEAD_WAITS), stack=stack, workers=WORKERS, port=PORT
    )
    with contextlib.closing(started) as server, _clients(place, connections) as clients:
        wait_until_all_serve(server)
        downloads = _downloads(place, folder)
        halves: Counter[str] = Counter()
        for number in range(times):
            asking = HalfHeads(("127.0.0.1", PORT), HALF_HEADS, BODY, place.entered())
            asking.begin()
            EVENTS[event](server, number)
            halves += asking.finish()
            time.sleep(SETTLE_S)
        cut = sum(not _is_whole(each, folder) for each in downloads)
        return _values(clients.end(), cut, halves.total())


def _nginx(place: Namespace, folder: Path, connections: int, times: int) -> Values:
    started = start_nginx(place, folder / "site", folder / "nginx", WORKERS, PORT)
    with running(started) as server, _clients(place, connections) as clients:
        downloads = _downloads(place, folder)
        halves: Counter[str] = Counter()
        for _ in range(times):
            asking = HalfHeads(("127.0.0.1", PORT), HALF_HEADS, BODY, place.entered())
            asking.begin()
            server.process.send_signal(signal.SIGHUP)
            time.sleep(SETTLE_S)
            halves += asking.finish()
            time.sleep(SETTLE_S)
        cut = sum(not _is_whole(each, folder) for each in downloads)
        return _values(clients.end(), cut, halves.total())


def _values(outcome: SteadyOutcome, cut: int, halves: int) -> Values:
    return {
        "answered": float(outcome.answered),
        "lost": float(outcome.lost.total() + halves),
        "halves": float(halves),
        "cut": float(cut),
        "reopened": float(outcome.reopened),
        "longest ms": round(outcome.longest_s * 1000, 1),
    }


@contextlib.contextmanager
def _clients(place: Namespace, count: int) -> Iterator[SteadyClients]:
    clients = SteadyClients(("127.0.0.1", PORT), count, PAUSE_S, BODY, place.entered())
    clients.start()
    try:
        yield clients
    finally:
        clients.end()


def _downloads(place: Namespace, folder: Path, count: int = 2) -> list["subprocess.Popen[bytes]"]:
    """Downloads of limited rate, each into a file of its own."""
    url = f"http://127.0.0.1:{PORT}/bulk"
    argv = ["curl", "-s", "--limit-rate", BULK_RATE, "--max-time", f"{EVENT_WAIT_S:.0f}", "-o"]
    files = [str(folder / f"got-{number}") for number in range(count)]
    return [subprocess.Popen(place.command([*argv, file, url])) for file in files]


def _is_whole(download: "subprocess.Popen[bytes]", folder: Path) -> bool:
    """Whether it ended well, and has brought every octet."""
    target = Path(str(download.args[-2]))  # type: ignore[index]
    return download.wait(EVENT_WAIT_S) == 0 and target.read_bytes() == (folder / "site" / "bulk").read_bytes()
