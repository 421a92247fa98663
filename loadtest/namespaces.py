"""Network namespaces of our own: made, joined, filled with processes, and removed without a trace.

A namespace isolates addresses, firewall rules and NFQUEUE numbers, so that tests and benchmarks over real
packets can run beside each other and beside the host's own traffic. Their names carry our pid; what a
killed run left behind is removed by `remove_stale`. This file knows `ip netns` and nothing of servers.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from gossamer.core.entropy import system_entropy

PREFIX: Final = "gsm"
END_WAIT_S: Final = 10.0
CLONE_NEWNET: Final = 0x40000000

LEFT_V4: Final = "10.77.0.1"
RIGHT_V4: Final = "10.77.0.2"
LEFT_V6: Final = "fd77::1"
RIGHT_V6: Final = "fd77::2"
LEFT_ADDRESSES: Final = (f"{LEFT_V4}/24", f"{LEFT_V6}/64")
RIGHT_ADDRESSES: Final = (f"{RIGHT_V4}/24", f"{RIGHT_V6}/64")


class NamespaceError(Exception):
    """A namespace could not be made or joined; the message says which command failed and why."""


def run(argv: Sequence[str], timeout_s: float = 20.0, text: str | None = None) -> str:
    """Run a command to its end, with a text on its standard input; its output. Raises: NamespaceError."""
    done = subprocess.run(
        list(argv), capture_output=True, text=True, timeout=timeout_s, check=False, input=text
    )
    if done.returncode != 0:
        raise NamespaceError(f"{' '.join(argv)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def missing_requirement() -> str | None:
    """Why no namespace can be made here, in one line; None when it can."""
    if os.geteuid() != 0:
        return "needs root (network namespaces)"
    if shutil.which("ip") is None:
        return "needs the command ip (Debian package iproute2)"
    return None


def end(process: "subprocess.Popen[Any]", number: int = signal.SIGTERM, wait_s: float = END_WAIT_S) -> int:
    """End one process of ours, by force when it does not listen; its exit status."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait(wait_s)


def set_namespace(fd: int) -> None:
    """Move the calling thread into a network namespace.

    Raises: OSError. (os.setns is only in Python 3.12.)
    """
    if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


class Namespace:
    """One network namespace with `lo` up. End it with `close`, which ends every process inside."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.processes: list[subprocess.Popen[Any]] = []
        try:
            run(["ip", "netns", "add", name])
            self.ip("link set lo up")
        except BaseException:  # Ctrl-C too, at whatever moment.
            with contextlib.suppress(NamespaceError):
                self.close()
            raise

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` inside. `ip netns exec` execs it: the pid stays the same."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, argv: Sequence[str], timeout_s: float = 60.0) -> str:
        """Run a command inside to its end; its output. Raises: NamespaceError."""
        return run(self.command(argv), timeout_s)

    def ip(self, *lines: str, options: Sequence[str] = ()) -> None:
        """Run lines of ip(8) inside, all by one process. Raises: NamespaceError, at the first that fails.

        `ip netns exec` would mount a /sys of the namespace's own for each, which takes longer than the rest.
        """
        with self.entered():
            run(["ip", *options, "-batch", "-"], text="\n".join(lines))

    def start(self, argv: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        """Start a process inside; it is ended with the namespace at the latest."""
        process: subprocess.Popen[Any] = subprocess.Popen(self.command(argv), **options)
        self.processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is inside: sockets it makes and processes it starts stay there for ever."""
        with open("/proc/thread-self/ns/net") as outside, open(f"/run/netns/{self.name}") as inside:
            set_namespace(inside.fileno())
            try:
                yield
            finally:
                set_namespace(outside.fileno())

    def hardware_address(self, device: str) -> bytes:
        """The address of a device inside on its link. Raises: OSError when there is none of that name."""
        with self.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as bound:
            bound.bind((device, 0))
            address: bytes = bound.getsockname()[4]
        return address

    def pids(self) -> list[int]:
        """Every process that lives inside."""
        return pids_in(self.name)

    def close(self) -> None:
        """End the processes inside and remove the namespace, even when one of them resists."""
        for process in reversed(self.processes):
            end(process)
        kill_all(self.pids())
        run(["ip", "netns", "del", self.name])


def pids_in(name: str) -> list[int]:
    """Every process that lives in a namespace; none when there is no such namespace."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        inside = os.stat(f"/run/netns/{name}")
        for process in filter(str.isdigit, os.listdir("/proc")):
            # One that has ended meanwhile lives nowhere, and one that we may not see is none of ours.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if os.path.samestat(os.stat(f"/proc/{process}/ns/net"), inside):
                    found.append(int(process))
    return found


def kill_all(pids: list[int]) -> None:
    """Kill processes, each by its pid; one that is gone already is no error."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def new_name() -> str:
    """A name that no other run uses."""
    return f"{PREFIX}{os.getpid()}-{system_entropy(3).hex()}"


@contextlib.contextmanager
def namespace() -> Iterator[Namespace]:
    """One namespace, removed at the end."""
    made = Namespace(new_name())
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def pair() -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces that nothing joins yet."""
    with namespace() as left, namespace() as right:
        yield left, right


def join_by_veth(left: Namespace, right: Namespace) -> None:
    """Join two namespaces by a veth pair `eth0`-`eth0` with addresses of both families.

    Offloads stay as they are.
    """
    left.ip(f"link add eth0 type veth peer name eth0 netns {right.name}")
    for side, addresses in ((left, LEFT_ADDRESSES), (right, RIGHT_ADDRESSES)):
        added = [f"addr add {each} dev eth0{' nodad' * (':' in each)}" for each in addresses]
        side.ip(*added, "link set eth0 up")


def remove_stale() -> list[str]:
    """Remove the namespaces of runs that were killed; their names."""
    removed = []
    for line in run(["ip", "netns", "list"]).splitlines():
        name = line.split(" ", 1)[0]
        owner = name.removeprefix(PREFIX).split("-", 1)[0]
        if name.startswith(PREFIX) and owner.isdigit() and not Path(f"/proc/{owner}").exists():
            try:
                kill_all(pids_in(name))
                run(["ip", "netns", "del", name])
            except NamespaceError:
                if Path("/run/netns", name).exists():
                    raise
                continue  # Another run has removed it meanwhile.
            removed.append(name)
    return removed
