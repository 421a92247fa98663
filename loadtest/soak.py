"""`make soak`: faults done to a running server, one after another, under requests all the while.

    python -m gossamer.loadtest.soak --seed 1 --stack nfqueue

After each fault the service must go on by itself, and at the end nothing may be left: no descriptor, no
process, no rule too many. Prints a table in Markdown; ends with 1 where something did not come back.

Owns the faults and what is said of them. All of it happens in two namespaces of its own (root), in an order
that the seed decides. Bounds: each fault has RECOVERY_S to be over.
"""

import argparse
import contextlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.loadtest import namespaces
from gossamer.loadtest.namespaces import RIGHT_V4, Namespace
from gossamer.loadtest.servers import Gossamer, ServerError, gossamer_command, start_gossamer

RECOVERY_S: Final = 30.0
CALM_S: Final = 1.0
"""So long every request must be answered for a fault to be over."""
PAUSED_S: Final = 4.0
"""Twice as long as a heart may take to beat."""
REQUEST_S: Final = 1.0
PAUSE_S: Final = 0.02
CLIENTS: Final = 4
PORT: Final = 8080
IDLE: Final = 700
"""Connections at once, with which descriptors run out on kernel sockets."""
LOG_BYTES: Final = 64 * 1024
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
    connection = http.client.HTTPConnection(RIGHT_V4, PORT, timeout=REQUEST_S)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read() == b"hello\n"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Soak:
    """A server, its clients, and what can be done to it. Each fault returns when it is done, not when it is
    over."""

    def __init__(self, client: Namespace, host: Namespace, server: Gossamer, log: Path, stack: str) -> None:
        self.client = client
        self.host = host
        self.server = server
        self.log = log
        self.faults: dict[str, Callable[[], None]] = {
            "a worker is killed (SIGKILL)": self.kill,
            "a worker is stopped (SIGSTOP)": self.stop,
            "the link is down for 2 s": self.cut_link,
            "the disk of the access log is full": self.fill_disk,
            f"{IDLE} connections at once": self.exhaust,
            "a second server on the same port": self.start_second,
            "a reload": self.reload,
            f"everything stands still for {PAUSED_S:g} s": self.pause,
        }
        if stack == "nfqueue":
            self.faults["somebody removes all rules"] = self.remove_rules

    def kill(self) -> None:
        """One worker."""
        os.kill(self.server.pids()[0], signal.SIGKILL)

    def stop(self) -> None:
        """One worker, which the supervisor kills for it."""
        os.kill(self.server.pids()[0], signal.SIGSTOP)

    def pause(self) -> None:
        """All processes of the server, as when its machine is suspended: for them the clock jumps ahead."""
        pids = self.host.pids()
        for number, wait_s in ((signal.SIGSTOP, PAUSED_S), (signal.SIGCONT, 0.0)):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(wait_s)

    def cut_link(self) -> None:
        """Down, and up again."""
        self.host.run(["ip", "link", "set", "eth0", "down"])
        time.sleep(2)
        self.host.run(["ip", "link", "set", "eth0", "up"])

    def fill_disk(self) -> None:
        """Until nothing is left, for a second."""
        filler = self.log.parent / "filler"
        with contextlib.suppress(OSError):
            filler.write_bytes(bytes(2 * LOG_BYTES))
        time.sleep(1)
        filler.unlink()
        os.truncate(self.log, 0)

    def exhaust(self) -> None:
        """More connections than there are descriptors, for a second."""
        with self.client.entered(), contextlib.ExitStack() as held:
            for _ in range(IDLE):
                with contextlib.suppress(OSError):
                    held.enter_context(socket.create_connection((RIGHT_V4, PORT), REQUEST_S))
            time.sleep(1)

    def start_second(self) -> None:
        """It must be refused. Raises: ServerError."""
        argv = [*gossamer_command(), "serve", str(self.log.parent), "--host", "0.0.0.0", "--port", str(PORT)]
        argv += ["--run-dir", str(self.server.run_dir) + "-second"]
        done = subprocess.run(self.host.command(argv), capture_output=True, timeout=RECOVERY_S, check=False)
        if done.returncode != 3:
            raise ServerError(f"a second server ended with {done.returncode}: {done.stderr.decode()}")

    def reload(self) -> None:
        """All workers are replaced."""
        self.server.control("reload")

    def remove_rules(self) -> None:
        """As whoever sets a firewall up anew does."""
        self.host.run(["iptables", "-w", "-t", "security", "-F"])

    def held(self) -> dict[str, int]:
        """What must not grow."""
        rules = self.host.run(["iptables-save"]).count("-A GSMR")
        descriptors = len(os.listdir(f"/proc/{self.server.process.pid}/fd"))
        return {"descriptors": descriptors, "processes": len(self.host.pids()), "rules": rules}


def settle(soak: Soak, asking: Asking, until_s: float) -> None:
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


def play(soak: Soak, asking: Asking, seed: int) -> list[PlayedFault]:
    """Every fault once. Raises: ServerError."""
    names = list(soak.faults)
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


def soak(seed: int, stack: str) -> tuple[list[PlayedFault], list[str]]:
    """Every fault, and what has leaked. Raises: ServerError, NamespaceError."""
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
        server = start_gossamer(host, site, folder / "run", *options, stack=stack, workers=2, port=PORT)
        held.callback(server.close)
        played = Soak(client, host, server, log, stack)
        asking = Asking(client)
        held.callback(asking.close)
        time.sleep(CALM_S)
        settle(played, asking, time.monotonic() + RECOVERY_S)
        before = played.held()
        outcomes = play(played, asking, seed)
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
    options = parser.parse_args()
    if reason := namespaces.missing_requirement():
        raise SystemExit(f"soak: {reason}")
    outcomes, leaks = soak(options.seed, options.stack)
    left = ", ".join(leaks) or "nothing"
    print(f"{table_of(outcomes)}\n\nseed {options.seed}, {options.stack}; left: {left}")
    raise SystemExit(1 if leaks or any(each.recovery_s is None for each in outcomes) else 0)


if __name__ == "__main__":
    main()
