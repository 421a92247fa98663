"""Which system calls a server needs, and how each is tried before anything is opened. Pure: a table.

Owns the names, and what is said where the kernel is too old for one or a sandbox refuses it. Not in it: calls
without which Python does not start (openat, mmap, futex, ...), and those whose callers can manage without
them (openat2, pidfd_open, memfd_create, io_uring_setup, ...).

Source: the calls of `gossamer serve` under strace(1); `scripts/denied-calls` tries each of them.
"""

import errno
import os
from collections.abc import Callable
from typing import Final, Literal

import msgspec

WAY_OUT: Final = "allow it in the sandbox's profile (seccomp), or run on a newer kernel: docs/machines.md"

BAD: Final = -1
"""No descriptor, no flags, no number: EBADF or EINVAL from any kernel that has the call."""
NOWHERE: Final = 0
"""No path: EFAULT."""
SIGNAL_SET_BYTES: Final = 8

Stack = Literal["any", "kernel", "nfqueue"]


class Need(msgspec.Struct, frozen=True):
    """One call."""

    names: tuple[str, ...]
    """The first of them that this machine has is the one that the C library makes."""
    arguments: tuple[int, ...] = (BAD,)
    """With which it can do nothing."""
    stack: Stack = "any"
    """Who needs it; the nfqueue stack's are also those of iptables."""


NEEDS: Final = (
    Need(("accept4",)),
    Need(("bind",)),
    Need(("chmod", "fchmodat"), (NOWHERE, NOWHERE)),
    Need(("dup2", "dup3"), (BAD, BAD)),
    Need(("epoll_create1",)),
    Need(("epoll_ctl",), (BAD, 2, BAD)),
    Need(("epoll_wait", "epoll_pwait"), (BAD, NOWHERE, 1)),
    Need(("eventfd2",), (0, BAD)),
    Need(("flock",), (BAD, 8)),
    Need(("ftruncate",)),
    Need(("geteuid",), ()),
    Need(("getpid",), ()),
    Need(("getppid",), ()),
    Need(("getsockname",)),
    Need(("getsockopt",)),
    Need(("kill",), (0, 0)),
    Need(("listen",)),
    Need(("lseek",)),
    Need(("mkdirat",), (BAD, NOWHERE)),
    Need(("pipe2",), (NOWHERE, BAD)),
    Need(("poll", "ppoll"), (NOWHERE, BAD)),
    Need(("recvfrom",)),
    Need(("renameat", "renameat2"), (BAD, NOWHERE, BAD, NOWHERE)),
    Need(("sendto",)),
    Need(("rt_sigaction",), (BAD, NOWHERE, NOWHERE, SIGNAL_SET_BYTES)),
    Need(("rt_sigprocmask",), (BAD, NOWHERE, NOWHERE, SIGNAL_SET_BYTES)),
    Need(("setpgid",), (0, BAD)),
    Need(("setsockopt",)),
    Need(("socket",)),
    Need(("socketpair",)),
    Need(("unlink", "unlinkat"), (NOWHERE, NOWHERE)),
    Need(("unlinkat",), (BAD, NOWHERE)),
    Need(("wait4",), (0, 0, BAD)),
    Need(("write",)),
    Need(("sendfile",), (BAD, BAD), stack="kernel"),
    Need(("access", "faccessat"), (NOWHERE, NOWHERE), stack="nfqueue"),
    Need(("clock_nanosleep",), (BAD, 0, NOWHERE), stack="nfqueue"),
    Need(("getuid",), (), stack="nfqueue"),
    Need(("pselect6",), stack="nfqueue"),
    Need(("recvmmsg",), stack="nfqueue"),
    Need(("recvmsg",), stack="nfqueue"),
    Need(("sendmmsg",), stack="nfqueue"),
    Need(("sendmsg",), stack="nfqueue"),
)


def describe_refusal(name: str, code: int) -> str:
    """The line for whoever starts the server."""
    what = "has no such system call" if code == errno.ENOSYS else "refuses it"
    return f"a server needs {name}, and this kernel or sandbox {what} ({os.strerror(code)}); {WAY_OUT}"


def find_refused(
    stack: Stack, exists: Callable[[str], bool], refusal: Callable[[str, tuple[int, ...]], int]
) -> str:
    """The first call that is refused of those that a server needs on a stack ("any": on either), as the line
    that says so; "" when none is.
    """
    for need in NEEDS:
        name = next((name for name in need.names if exists(name)), "")
        if name and need.stack == stack and (code := refusal(name, need.arguments)):
            return describe_refusal(name, code)
    return ""
