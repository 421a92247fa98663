"""A network of one's own without root: a user namespace in which whoever enters it is root over a network and
mounts that nobody else sees.

Owns how this process enters it; what it runs there is started in its place. Root needs no user namespace, and
keeps all users. Who else has users there are those that /etc/subuid lends, by newuidmap(1): the only ones who
may be mapped beside oneself. Source: user_namespaces(7), mount(2), netdevice(7), subuid(5).
"""

import ctypes
import fcntl
import os
import pwd
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
MS_REC_PRIVATE: Final = 0x4000 | 0x40000
SIOCGIFFLAGS: Final = 0x8913
SIOCSIFFLAGS: Final = 0x8914
IFF_UP: Final = 0x1
IFREQ: Final = struct.Struct("16sH14x")
RUN: Final = "/run"
LENT: Final = {"uid": ("newuidmap", "/etc/subuid"), "gid": ("newgidmap", "/etc/subgid")}
"""What maps further users and groups, and where it stands which."""
MAPS_WITHIN_S: Final = 20.0
MAP: Final = 'read -r go && exec "$@"'
"""Starts while those commands have the rights of their file still, and goes on once there is whom to map."""


class RootlessError(Exception):
    """Such a namespace is not to be had here; the message says what was refused."""


def enter() -> None:
    """Make this process the first of a network with `lo` up, an empty /run, and root's rights over both.

    Raises: RootlessError. It must have one thread: the kernel refuses a user namespace to more.
    """
    try:
        if os.geteuid() != 0:
            mapping = [_mapper("gid", os.getegid()), _mapper("uid", os.geteuid())]
            _call("unshare", CLONE_NEWUSER)
            for finish in mapping:
                finish()
        # Once there is a root: whose the files of /proc/net are is settled as the network is made.
        _call("unshare", CLONE_NEWNET | CLONE_NEWNS)
        _call("mount", b"none", b"/", None, MS_REC_PRIVATE, None)
        _call("mount", b"none", RUN.encode(), b"tmpfs", 0, b"mode=755")
        _set_up("lo")
    except OSError as error:
        raise RootlessError(str(error)) from error


def _mapper(kind: str, own: int) -> Callable[[], None]:
    """What maps users ("uid") or groups ("gid") of this process, once it is in a namespace of its own: root
    is oneself, the others are those that are lent."""
    command, table = LENT[kind]
    lent = lent_in(Path(table), _names())
    if not lent or shutil.which(command) is None:
        return lambda: _map_one(kind, own)
    argv = ["sh", "-c", MAP, "sh", command, str(os.getpid()), "0", str(own), "1", "1", *map(str, lent)]
    waiting = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )

    def finish() -> None:
        """Have it map, now that there is a namespace; where it cannot, oneself alone is mapped."""
        try:
            waiting.communicate(b"go\n", MAPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            waiting.kill()
            waiting.wait()
        if waiting.returncode != 0:
            # It has no rights of root's here, or may not map these.
            _map_one(kind, own)

    return finish


def _map_one(kind: str, own: int) -> None:
    if kind == "gid":
        # Who cannot leave a group must not become able to (CVE-2014-8989).
        Path("/proc/self/setgroups").write_text("deny")
    Path(f"/proc/self/{kind}_map").write_text(f"0 {own} 1")


def _names() -> tuple[str, ...]:
    """How those tables may call this user."""
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name, str(uid)
    except KeyError:
        return (str(uid),)


def lent_in(table: Path, names: tuple[str, ...]) -> tuple[int, int] | None:
    """The first number and the count of the first range that is lent to one of these names; None where none
    is. Source: subuid(5)."""
    try:
        lines = table.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    for name, _, numbers in (line.partition(":") for line in lines):
        first, _, count = numbers.partition(":")
        if name in names and first.isdecimal() and count.isdecimal():
            return int(first), int(count)
    return None


def _call(name: str, *arguments: bytes | int | None) -> None:
    """A call of the C library that the standard library lacks (before Python 3.12)."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise RootlessError(f"{name}: {os.strerror(ctypes.get_errno())}")


def _set_up(device: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, SIOCGIFFLAGS, IFREQ.pack(device.encode(), 0))
        flags: int = IFREQ.unpack(asked)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, IFREQ.pack(device.encode(), flags | IFF_UP))
