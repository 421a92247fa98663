"""`make soak`: faults done to a running server, one after another, under requests all the while.

    python -m gossamer.loadtest.soak --seed 1 --stack nfqueue

After each fault the service must go on by itself, and at the end nothing may be left: no descriptor, no
process, no rule too many. Prints a table in Markdown; ends with 1 where something did not come back.

Owns what is said of the faults; how each is done stands in `soak_faults`. All of it happens in two namespaces
of its own (root), in an order that the seed decides. Bounds: each fault has RECOVERY_S to be over.
"""

import argparse
import contextlib
import http.client
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.loadtest import namespaces
from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.servers import ServerError, start_gossamer
from gossamer.loadtest.soak_faults import LOG_BYTES, OVERRUN, PORT, Soaked, new_connection
from gossamer.loadtest.wallclock import WallClock, missing_compiler

RECOVERY_S: Final = 30.0
CALM_S: Final = 1.0
"""So long every request must be answered for a fault to be over."""
PAUSE_S: Final = 0.02
CLIENTS: Final = 4
LEAK_MAX: Final = 2
"""More descriptors than before are no leak yet: a command may be under way."""


class Sample(msgspec.Struct, frozen=True):
    """One request."""

    at_s: float
    """When it was sent."""
    over_s: float
    is_answered: bool


class PlayedFault(msgspec.Struct, frozen=True):
    """What became of one fault."""

    fault: str
    recovery_s: float | None
    """From its beginning until the last request that was lost was given up; None where they went on being
    lost."""
    asked: int
    lost: int


def outcome_of(fault: str, begun_s: float, ended_s: float, samples: Sequence[Sample]) -> PlayedFault:
    """What the requests say of a fault."""
    during = [each for each in samples if begun_s <= each.at_s <= ended_s]
    lost = [each.over_s for each in during if not each.is_answered]
    has_recovered = bool(during) and not any(over_s > ended_s - CALM_S for over_s in lost)
    recovery_s = (max(lost) - begun_s if lost else 0.0) if has_recovered else None
    return PlayedFault(fault, recovery_s, len(during), len(lost))


def table_of(outcomes: Sequence[PlayedFault]) -> str:
    """The table in Markdown."""
    lines = ["| fault | recovered after | requests | lost |", "|---|---|---|---|"]
    for each in outcomes:
        after = "never" if each.recovery_s is None else f"{each.recovery_s:.2f} s"
        lines.append(f"| {each.fault} | {after} | {each.asked:,} | {each.lost:,} |")
    return "\n".join(lines)


class Asking:
    """Threads that ask all the while, each time over a connection of its own."""

    def __init__(self, place: Namespace) -> None:
        self.samples: list[Sample] = []
        self._place = place
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End them."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with self._place.entered():
            while not self._is_over.wait(PAUSE_S):
                at_s = time.monotonic()
                answered = is_answered()
                self.samples.append(Sample(at_s, time.monotonic(), answered))


def is_answered() -> bool:
    """Whether one request was."""
    connection = new_connection()
    try:
        connection.request("GET", "/")
        return connection.getresponse().read() == b"hello\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def settle(soak: Soaked, asking: Asking, until_s: float) -> None:
    """Wait until all hearts beat and every request of a while was answered, or time is over."""
    while time.monotonic() < until_s:
        time.sleep(CALM_S / 4)
        recent = [each for each in asking.samples if each.over_s > time.monotonic() - 1.2 * CALM_S]
        with contextlib.suppress(ServerError):
            workers = soak.server.status()["workers"]
            is_serving = all(
                each["state"] == "serving" and each["heartbeat_age_us"] < SECOND_US for each in workers
            )
            if is_serving and len(recent) > 2 and all(each.is_answered for each in recent):
                return


def play(soak: Soaked, asking: Asking, seed: int, only: Sequence[str]) -> list[PlayedFault]:
    """Every fault once, or each in whose name one of these stands. Raises: ServerError."""
    names = [name for name in soak.faults if not only or any(part in name for part in only)]
    random.Random(seed).shuffle(names)
    outcomes = []
    for name in names:
        begun_s = time.monotonic()
        soak.faults[name]()
        time.sleep(CALM_S)
        settle(soak, asking, begun_s + RECOVERY_S)
        outcomes.append(outcome_of(name, begun_s, time.monotonic(), asking.samples))
        print(table_of(outcomes[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    return outcomes


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A folder on a disk of LOG_BYTES."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={LOG_BYTES}"]
    namespaces.run(["mount", *options, "gossamer-soak", str(folder)])
    try:
        yield folder
    finally:
        namespaces.run(["umount", "-l", str(folder)])


def soak(seed: int, stack: str, only: Sequence[str] = ()) -> tuple[list[PlayedFault], list[str]]:
    """Every fault, or `only` some, and what has leaked. Raises: ServerError, NamespaceError."""
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="gossamer-soak-")))
        folder.chmod(0o755)
        site = folder / "site"
        site.mkdir()
        (site / "index.html").write_bytes(b"hello\n")
        log = held.enter_context(small_disk(folder / "log")) / "access.log"
        client, host = held.enter_context(namespaces.pair())
        namespaces.join_by_veth(client, host)
        options = ["--access-log", "--access-log-file", str(log), "--set", "server.limit_descriptors=300"]
        options += ["--set", "supervisor.heartbeat_timeout=2s", "--set", "supervisor.restart_intensity=100"]
        # Its default would be full before the socket is.
        options += ["--set", f"nfqueue.queue_length_max={2 * OVERRUN}"]
        clock = None if missing_compiler() else WallClock(folder)
        environment = clock.environment if clock is not None else {}
        folders = host, site, folder / "run"
        server = start_gossamer(
            *folders, *options, stack=stack, workers=2, port=PORT, environment=environment
        )
        held.callback(server.close)
        played = Soaked(client, host, server, log, stack, clock)
        asking = Asking(client)
        held.callback(asking.close)
        time.sleep(CALM_S)
        settle(played, asking, time.monotonic() + RECOVERY_S)
        before = played.held()
        outcomes = play(played, asking, seed, only)
        return outcomes, leaks_of(before, played.held())


def leaks_of(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """What there is more of than before, and rules that are missing, in words."""
    found = []
    for name, count in before.items():
        allowed = LEAK_MAX if name == "descriptors" else 0
        if after[name] > count + allowed or (name == "rules" and after[name] < count):
            found.append(f"{name}: {count}, then {after[name]}")
    return found


def main() -> None:
    """The table of one run."""
    parser = argparse.ArgumentParser(description="Faults done to a running server, one after another.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stack", choices=("nfqueue", "kernel"), default="nfqueue")
    parser.add_argument("--only", action="append", default=[], help="those in whose name this stands")
    options = parser.parse_args()
    if reason := namespaces.missing_requirement():
        raise SystemExit(f"soak: {reason}")
    outcomes, leaks = soak(options.seed, options.stack, options.only)
    left = ", ".join(leaks) or "nothing"
    print(f"{table_of(outcomes)}\n\nseed {options.seed}, {options.stack}; left: {left}")
    raise SystemExit(1 if leaks or any(each.recovery_s is None for each in outcomes) else 0)


if __name__ == "__main__":
    main()
