"""A network of one's own without root: a user namespace in which whoever enters it is root over a network and
mounts that nobody else sees.

Owns how this process enters it; what it runs there is started in its place. Root needs no user namespace, and
keeps all users. Source: user_namespaces(7), mount(2), netdevice(7).
"""

import ctypes
import fcntl
import os
import socket
import struct
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


class RootlessError(Exception):
    """Such a namespace is not to be had here; the message says what was refused."""


def enter() -> None:
    """Make this process the first of a network with `lo` up, an empty /run, and root's rights over both.

    Raises: RootlessError. It must have one thread: the kernel refuses a user namespace to more.
    """
    uid, gid = os.geteuid(), os.getegid()
    own = CLONE_NEWNET | CLONE_NEWNS
    _call("unshare", own if uid == 0 else own | CLONE_NEWUSER)
    try:
        if uid != 0:
            # "deny" first: who cannot leave a group must not become able to (CVE-2014-8989).
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
            Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        _call("mount", b"none", b"/", None, MS_REC_PRIVATE, None)
        _call("mount", b"none", RUN.encode(), b"tmpfs", 0, b"mode=755")
        _set_up("lo")
    except OSError as error:
        raise RootlessError(str(error)) from error


def _call(name: str, *arguments: bytes | int | None) -> None:
    """A call of the C library that the standard library lacks (before Python 3.12)."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise RootlessError(f"{name}: {os.strerror(ctypes.get_errno())}")


def _set_up(device: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = fcntl.ioctl(any_socket, SIOCGIFFLAGS, IFREQ.pack(device.encode(), 0))
        flags: int = IFREQ.unpack(asked)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, IFREQ.pack(device.encode(), flags | IFF_UP))
