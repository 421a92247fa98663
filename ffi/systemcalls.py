"""Whether the kernel refuses a system call at all, as one that is too old does, or a sandbox.

Each call is tried with arguments that no kernel can use, so that a kernel that has the call reports what is
wrong with them. It does not know which calls matter.

Source: syscall(2), seccomp(2).
"""

import errno
from collections.abc import Sequence
from typing import Final

from gossamer.ffi._system import lib

REFUSALS: Final = frozenset({errno.ENOSYS, errno.EPERM, errno.EACCES})
"""What a kernel without the call says, and what sandboxes say."""

ARGUMENTS_MAX: Final = 4


def exists(name: str) -> bool:
    """Whether this machine has a call of that name (among those of `src/systemcalls.c`)."""
    return bool(lib.gossamer_call_number(name.encode()) >= 0)


def refusal(name: str, arguments: Sequence[int]) -> int:
    """The errno with which the kernel refuses a call to this process; 0 when it does not.

    At most ARGUMENTS_MAX arguments; they must be such that the call can do nothing.
    """
    number = lib.gossamer_call_number(name.encode())
    assert number >= 0, name
    code = -int(lib.gossamer_call(number, *arguments, *[0] * (ARGUMENTS_MAX - len(arguments))))
    return code if code in REFUSALS else 0
