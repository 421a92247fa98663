"""Having the kernel refuse system calls to this process for good, by libseccomp.

Owns the use of that library, which Debian's apt and systemd need too; where it is not installed, or too old
to know a call, nothing of that is refused. Which calls they are says the caller. Acts on the calling thread
and what it starts: so it belongs before the first further thread.

Source: seccomp(2), seccomp_init(3), seccomp_rule_add(3), seccomp_attr_set(3); libseccomp's seccomp.h.
"""

import ctypes
import errno
import os
from collections.abc import Iterable
from typing import Any, Final

LIBRARY: Final = "libseccomp.so.2"
ALLOW: Final = 0x7FFF0000
ERRNO: Final = 0x00050000
CTL_NNP, CTL_OPTIMIZE = 3, 8
BINARY_TREE: Final = 2
"""From libseccomp 2.5 on: some seven comparisons a call, where the kernel keeps no table of the allowed."""
MASKED_EQ: Final = 7
CLONE_NEWUSER: Final = 0x10000000


class ArgumentBits(ctypes.Structure):
    """struct scmp_arg_cmp: an argument's bits."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def find_library() -> ctypes.CDLL | None:
    """libseccomp; None where it is not installed."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    library.seccomp_init.restype = ctypes.c_void_p
    return library


def refuse_calls(names: Iterable[str]) -> None:
    """Have these refused with EPERM, a user namespace of one's own too; not where there is no libseccomp.

    Raises: OSError where the kernel refuses the filter, as to whoever may still gain privileges.
    """
    library = find_library()
    if library is None:
        return
    context = ctypes.c_void_p(library.seccomp_init(ALLOW))
    if not context:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM), "seccomp_init")
    try:
        library.seccomp_attr_set(context, CTL_NNP, 0)
        library.seccomp_attr_set(context, CTL_OPTIMIZE, BINARY_TREE)
        _add(library, context, names)
        _checked(library.seccomp_load(context), "seccomp")
    finally:
        library.seccomp_release(context)


def _add(library: Any, context: ctypes.c_void_p, names: Iterable[str]) -> None:
    for name in names:
        _rule(library, context, name, errno.EPERM)
    # The flags of clone3 stand in memory, where no filter can look: the C library then takes clone.
    _rule(library, context, "clone3", errno.ENOSYS)
    new_user = ArgumentBits(0, MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER)
    _rule(library, context, "clone", errno.EPERM, new_user)


def _rule(library: Any, context: ctypes.c_void_p, name: str, code: int, *compared: ArgumentBits) -> None:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:  # Else this machine, or this libseccomp, has no such call.
        array = (ArgumentBits * len(compared))(*compared)
        added = library.seccomp_rule_add_array(context, ERRNO | code, number, len(compared), array)
        _checked(added, f"seccomp_rule_add {name}")


def _checked(result: int, what: str) -> None:
    if result < 0:
        raise OSError(-result, os.strerror(-result), what)
