"""What happens to our server while `gossamer bench restart` counts what clients lose: commands, and kills.

    EVENTS[name](server, number)    returns when it is over; `number`: how many came before

Owns how each is done, how long it may take, and how often it happens beside the others.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Final

from gossamer.loadtest.servers import Gossamer, ServerError

PAUSE_S: Final = 0.1
SETTLE_S: Final = 1.0
EVENT_WAIT_S: Final = 120.0
WORKERS: Final = 2

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
SHARES: Final = {"scale": 2, "upgrade": 10, "orphan": 10}
"""One of these for so many reloads: they are as rare."""


def times_of(event: str, reloads: int) -> int:
    """How often it happens, where a reload happens so often; once at least."""
    return -(-reloads // SHARES.get(event, 1))
