"""Giving up privileges: from root to an ordinary user with at most one capability, for good.

Owns the calls of prctl and capset. Knows nothing of workers and configuration. Both act on the calling
thread alone, so they belong before the first further thread of a process.

Source: capabilities(7), prctl(2).
"""

import os
from pathlib import Path
from typing import Final

from gossamer.ffi._process import lib

CAP_NET_ADMIN: Final = 12
CAP_NET_RAW: Final = 13

PR_SET_PDEATHSIG: Final = 1
PR_SET_KEEPCAPS: Final = 8
PR_SET_NO_NEW_PRIVS: Final = 38


def _checked(result: int, what: str) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result), what)


def become_user(uid: int, gid: int, capabilities: frozenset[int] = frozenset()) -> None:
    """Become user `uid` of group `gid`, without further groups, with exactly `capabilities` and no way back.

    Raises: OSError when the kernel refuses.
    """
    _checked(lib.gossamer_prctl(PR_SET_KEEPCAPS, 1 if capabilities else 0), "PR_SET_KEEPCAPS")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    mask = sum(1 << capability for capability in capabilities)
    _checked(lib.gossamer_set_capabilities(mask), "capset")


def forbid_new_privileges() -> None:
    """No exec of this process or of its children ever gains a privilege."""
    _checked(lib.gossamer_prctl(PR_SET_NO_NEW_PRIVS, 1), "PR_SET_NO_NEW_PRIVS")


def signal_on_parent_death(signal_number: int) -> None:
    """Have the kernel send a signal when the parent ends. A change of user clears it: call this after it."""
    _checked(lib.gossamer_prctl(PR_SET_PDEATHSIG, signal_number), "PR_SET_PDEATHSIG")


def effective_capabilities() -> frozenset[int]:
    """The capabilities in effect in this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            mask = int(line.split()[1], 16)
            return frozenset(bit for bit in range(64) if mask >> bit & 1)
    return frozenset()
