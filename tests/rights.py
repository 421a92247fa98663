"""The rights that a test may need: each is tried once, where the tests run, never guessed from who runs them.

    @pytest.mark.needs("namespaces", "nginx")

A test names what it needs by this mark, or by a fixture that carries it (`RIGHTS_OF_FIXTURES`). Without it
the test is skipped with the reason, and the last lines say how many were not run for which right, and what
runs them. Owns the table of rights; what is done with them stands in conftest.py.
"""

import contextlib
import functools
import os
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from gossamer.core.loop.disk.engine import LibaioEngine, UringEngine
from gossamer.core.loop.disk.names import ENGINES, LIBAIO, URING
from gossamer.ffi.openat2 import open_beneath
from gossamer.ffi.privileges import CAP_NET_ADMIN, become_user
from gossamer.ffi.silence import drop_all_received
from gossamer.loadtest import namespaces

NOBODY: Final = 65534
BLOCK_BYTES: Final = 4096
SOURCES: Final = Path(__file__).resolve().parent.parent / "core"


class MissingRight(Exception):
    """A right that is not to be had here; the message says what was tried and what came of it."""


class Right(NamedTuple):
    """One right."""

    what: str
    """What it allows, to be read after "needs to"."""
    attempt: Callable[[], None]
    """Does it once, and leaves nothing behind. Raises: OSError, NamespaceError, MissingRight."""
    way: str
    """What runs the tests that need it."""


def make_namespace() -> None:
    """Make a network namespace, and enter it."""
    if shutil.which("ip") is None:
        raise MissingRight("there is no command ip (Debian package iproute2)")
    with namespaces.namespace() as made, made.entered():
        return


def be_process_1() -> None:
    """Start a command as the first process of a namespace that sees its own processes."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "true"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise MissingRight("unshare(1) is refused")


def bind_queue() -> None:
    """Have the firewall of a namespace hand packets to a queue."""
    if shutil.which("iptables") is None:
        raise MissingRight("there is no command iptables (Debian package iptables)")
    rule = ["-t", "security", "-A", "INPUT", "-p", "tcp", "--dport", "1", "-j", "NFQUEUE", "--queue-num", "1"]
    with namespaces.namespace() as made:
        made.run(["iptables", "-w", *rule])


def map_lent_users() -> None:
    """Have newuidmap(1) map users, which it may as a program of the machine's root."""
    for command in ("newuidmap", "newgidmap"):
        path = shutil.which(command)
        if path is None:
            raise MissingRight(f"there is no command {command} (Debian package uidmap)")
        if os.stat(path).st_uid != 0:
            raise MissingRight(f"{command} belongs to a root who is not the one of this user namespace")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        raise MissingRight("unshare(1) is refused")  # where /etc/subuid is to be another


def open_tun() -> None:
    """Open the device of tunnels."""
    make_namespace()
    os.close(os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC))


def open_raw_socket() -> None:
    """Open a raw socket."""
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW).close()


def become(capabilities: frozenset[int]) -> None:
    """Become another user in a child, with these capabilities."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        message = b""
        try:
            become_user(NOBODY, NOBODY, capabilities)
        except OSError as error:
            message = str(error).encode()
        finally:
            os.write(write, message)
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        message = answer.read()
    os.waitpid(pid, 0)
    if message:
        raise MissingRight(message.decode())


def read_io_of_another() -> None:
    """See what a process of another user has read (which takes CAP_SYS_PTRACE)."""
    child = subprocess.Popen(["sleep", "10"], user=NOBODY, group=NOBODY, extra_groups=[])
    try:
        Path(f"/proc/{child.pid}/io").read_text()
    finally:
        child.kill()
        child.wait()


def be_read_by_others() -> None:
    """Have a user of no rights walk down to the sources, and to what Python has of its own."""
    library = Path(os.__file__).resolve().parent
    ways = [part for end in (SOURCES, library) for part in (end, *end.parents)]
    closed = [str(part) for part in ways if not part.stat().st_mode & stat.S_IXOTH]
    if os.geteuid() == 0 and closed:
        raise MissingRight(f"{closed[-1]} is closed to them")


def give_away() -> None:
    """Give a folder to another user."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)


def be_refused_a_file() -> None:
    """Be held to what a file's permissions say."""
    with tempfile.NamedTemporaryFile() as file:
        os.chmod(file.name, 0)
        with contextlib.suppress(PermissionError), open(file.name, "rb"):
            raise MissingRight("root may read everything")


def be_refused_another_user() -> None:
    """Not be allowed to become somebody else."""
    if not obstacle("another-user"):
        raise MissingRight("root may become anybody")


@contextlib.contextmanager
def trial_file(flags: int) -> Iterator[int]:
    """A file of one block where temporary files stand, in the page cache."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(BLOCK_BYTES))
        file.flush()
        os.fsync(file.fileno())
        fd = os.open(file.name, flags)
        try:
            yield fd
        finally:
            os.close(fd)


def attach_socket_filter() -> None:
    """Have the kernel drop what comes for a socket of ours."""
    with socket.socket() as deaf:
        drop_all_received(deaf)


def write_past_page_cache() -> None:
    """Open with O_DIRECT, which refuses what is not aligned. (A tmpfs takes the flag and ignores it.)"""
    with trial_file(os.O_RDWR | os.O_DIRECT) as fd, contextlib.suppress(OSError):
        os.pwrite(fd, b"x", 1)
        raise MissingRight("O_DIRECT takes what is not aligned: it is ignored here")


def forget_file() -> None:
    """Have the page cache forget a file, which asking it for no more than it holds then shows."""
    with trial_file(os.O_RDONLY) as fd:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        with contextlib.suppress(BlockingIOError):
            os.preadv(fd, [bytearray(BLOCK_BYTES)], 0, os.RWF_NOWAIT)
            raise MissingRight("it keeps them here")


def ask_page_cache() -> None:
    """Read what the page cache holds, and only that."""
    with trial_file(os.O_RDONLY) as fd:
        os.preadv(fd, [bytearray(BLOCK_BYTES)], 0, os.RWF_NOWAIT)
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/a")
        Path(folder, "a", "file").touch()
        directory_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.close(open_beneath(directory_fd, "a/file", is_cached_only=True))
        finally:
            os.close(directory_fd)


AS_ROOT: Final = "sudo make test, outside of a container, or in one with --privileged"
OUTSIDE: Final = "make test, outside of a container"
AS_USER: Final = "make test, as an ordinary user"
ON_DISK: Final = "TMPDIR=a folder on ext4 or xfs make test"

RIGHTS: Final[dict[str, Right]] = {
    "namespaces": Right("make a network namespace", make_namespace, AS_ROOT),
    "pid-namespaces": Right("make a namespace of processes", be_process_1, AS_ROOT),
    "nfqueue": Right("divert packets to an NFQUEUE queue", bind_queue, AS_ROOT),
    "lent-users": Right("map users that are lent", map_lent_users, AS_ROOT),
    "tun": Right("open a TUN device in a network namespace", open_tun, AS_ROOT),
    "socket-filters": Right("attach a filter to a socket (SO_ATTACH_FILTER)", attach_socket_filter, AS_ROOT),
    "raw-sockets": Right("open a raw socket (CAP_NET_RAW)", open_raw_socket, AS_ROOT),
    "another-user": Right("become another user", lambda: become(frozenset()), "sudo make test"),
    "net-admin": Right(
        "become another user with CAP_NET_ADMIN", lambda: become(frozenset({CAP_NET_ADMIN})), AS_ROOT
    ),
    "others-io": Right("see what another user's process reads (CAP_SYS_PTRACE)", read_io_of_another, AS_ROOT),
    "open-checkout": Right(
        "let other users read this checkout and its Python",
        be_read_by_others,
        "make test, in a clone, and of a Python, that others may read",
    ),
    "chown": Right("give files away", give_away, "sudo make test"),
    "file-permissions": Right("be refused what permissions forbid", be_refused_a_file, AS_USER),
    "refused-users": Right("be refused another user", be_refused_another_user, AS_USER),
    URING: Right("use io_uring", lambda: UringEngine(1, BLOCK_BYTES).close(), OUTSIDE),
    LIBAIO: Right("use the kernel's AIO", lambda: LibaioEngine(1, BLOCK_BYTES).close(), OUTSIDE),
    "direct-io": Right("write files past the page cache (O_DIRECT)", write_past_page_cache, ON_DISK),
    "cold-files": Right("have the page cache forget a file", forget_file, ON_DISK),
    "page-cache": Right(
        "ask what the page cache holds (RWF_NOWAIT, RESOLVE_CACHED)", ask_page_cache, ON_DISK
    ),
}

PACKAGES: Final = {
    "cc": "gcc",
    "chromium": "chromium",
    "curl": "curl",
    "ethtool": "ethtool",
    "haproxy": "haproxy",
    "nginx": "nginx-light",
    "promtool": "prometheus",
    "redis-server": "redis-server",
    "runc": "runc",
    "setcap": "libcap2-bin",
    "setpriv": "util-linux",
    "systemd-analyze": "systemd",
    "tmux": "tmux",
    "tshark": "tshark",
    "wrk": "wrk",
}
"""Commands that a test may need, with the Debian package of each."""

EACH_ENGINE: Final = [
    pytest.param(engine, marks=[pytest.mark.needs(engine)] if engine in RIGHTS else []) for engine in ENGINES
]
"""The engines of the disk, for a test that is run with each that is to be had."""

RIGHTS_OF_FIXTURES: Final = {
    "namespace": "namespaces",
    "namespace_pair": "namespaces",
    "joined_namespaces": "namespaces",
    "diverted": "nfqueue",
    "stack": "nfqueue",
    "direct_fd": "direct-io",
}


def right_to_run(command: str) -> Right:
    """The right to run a command: that it is installed."""

    def find() -> None:
        if shutil.which(command, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is None:
            raise MissingRight("it is not installed")

    return Right(f"run {command}", find, f"apt-get install {PACKAGES[command]}")


def right(name: str) -> Right:
    """The right of that name. Raises: KeyError for one that is in no table."""
    return RIGHTS[name] if name in RIGHTS else right_to_run(name)


@functools.cache
def obstacle(name: str) -> str:
    """Why the right is not to be had here; "" when it is. Tried once."""
    try:
        right(name).attempt()
    except (OSError, namespaces.NamespaceError, MissingRight) as error:
        return " ".join(str(error).split())
    return ""


def reason(name: str) -> str:
    """The line with which a test is skipped; "" when the right is to be had."""
    why = obstacle(name)
    return f"needs to {right(name).what}: {why}" if why else ""


def summary(reasons: list[str]) -> list[str]:
    """Lines that say how many tests were not run for want of which right, and what runs them."""
    lines = []
    for name in (*RIGHTS, *PACKAGES):
        reason = f"needs to {right(name).what}: "
        mine = [each for each in reasons if each.startswith(reason)]
        if mine:
            lines.append(f"{len(mine)} not run: {mine[0]}. To run them: {right(name).way}")
    return lines
