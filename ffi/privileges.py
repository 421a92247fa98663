"""Giving up privileges: from root to an ordinary user with at most one capability, for good.

Owns the calls of prctl, capget and capset, and how one finds out what a machine refuses: by trying it in a
child. Knows nothing of workers and configuration. All act on the calling thread alone, so they belong before
the first further thread of a process.

Source: capabilities(7), prctl(2).
"""

import os
import signal
from collections.abc import Callable
from typing import Final

from gossamer.ffi._system import ffi, lib

CAP_SETUID: Final = 7
CAP_NET_ADMIN: Final = 12
CAP_NET_RAW: Final = 13
CAP_SYS_MODULE: Final = 16

PR_SET_PDEATHSIG: Final = 1
PR_SET_KEEPCAPS: Final = 8
PR_SET_NO_NEW_PRIVS: Final = 38

DONE: Final = "done"
"""What the child of a trial answers when nothing was refused."""


def _checked(result: int, what: str) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result), what)


def become_user(uid: int, gid: int, capabilities: frozenset[int] = frozenset()) -> None:
    """Become user `uid` of group `gid`, without further groups, with exactly `capabilities` and no way back.

    Raises: OSError when the kernel refuses; its `filename` is the call that was refused.
    """
    if capabilities:
        _checked(lib.gossamer_prctl(PR_SET_KEEPCAPS, 1), "PR_SET_KEEPCAPS")
    if os.getgroups():
        _named("setgroups", lambda: os.setgroups([]))
    _named("setresgid", lambda: os.setresgid(gid, gid, gid))
    _named("setresuid", lambda: os.setresuid(uid, uid, uid))
    _set_capabilities(capabilities)


def keep_capabilities(capabilities: frozenset[int]) -> None:
    """Give up all capabilities but those of `capabilities` that there are, for good.

    Raises: OSError when the kernel refuses.
    """
    _set_capabilities(capabilities & _capabilities(1))


def _named(call: str, act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as error:
        raise OSError(error.errno, error.strerror, call) from error


def _set_capabilities(capabilities: frozenset[int]) -> None:
    _checked(lib.gossamer_set_capabilities(sum(1 << each for each in capabilities)), "capset")


def forbid_new_privileges() -> None:
    """No exec of this process or of its children ever gains a privilege. Raises: OSError."""
    _checked(lib.gossamer_prctl(PR_SET_NO_NEW_PRIVS, 1), "PR_SET_NO_NEW_PRIVS")


def signal_on_parent_death(signal_number: int) -> None:
    """Have the kernel send a signal when the parent ends. A change of user clears it: call this after it.

    Raises: OSError.
    """
    _checked(lib.gossamer_prctl(PR_SET_PDEATHSIG, signal_number), "PR_SET_PDEATHSIG")


def effective_capabilities() -> frozenset[int]:
    """The capabilities in effect in this thread; none where the kernel refuses to report them: none could be
    relied on then.
    """
    try:
        return _capabilities(0)
    except OSError:
        return frozenset()


def _capabilities(which: int) -> frozenset[int]:
    """The effective ones for 0, the permitted ones for 1."""
    masks = ffi.new("uint64_t[2]")
    _checked(lib.gossamer_get_capabilities(masks), "capget")
    return frozenset(bit for bit in range(64) if masks[which] >> bit & 1)


def find_refusal(step: Callable[[], None]) -> str:
    """Why the kernel would refuse `step` to this process: tried in a child, which then ends; "" when it would
    not.

    Raises: OSError when no child can be started.
    """
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
    except OSError:
        os.close(read)
        os.close(write)
        raise
    if pid == 0:
        _try_and_end(step, write)
    os.close(write)
    with open(read, "rb") as answer:
        said = answer.read().decode()
    status = _reaped(pid)
    if os.WIFSIGNALED(status):
        # A filter of system calls may kill instead of refusing.
        return f"it is killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return "" if said == DONE else said or "it fails"


def _reaped(pid: int) -> int:
    try:
        return os.waitpid(pid, 0)[1]
    except ChildProcessError:
        # Whoever started us has SIGCHLD ignored, and the kernel keeps no status then.
        return 0


def _try_and_end(step: Callable[[], None], answer: int) -> None:
    try:
        step()
        os.write(answer, DONE.encode())
    except OSError as error:
        os.write(answer, f"{error.filename or 'it'}: {error.strerror}".encode())
    finally:
        os._exit(0)
