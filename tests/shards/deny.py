"""Runs a command for which the kernel refuses one system call, as an older kernel or a sandbox does.

    python tests/shards/deny.py CALL ERRNO -- COMMAND...
    python tests/shards/deny.py openat2 ENOSYS -- gossamer serve www
    python tests/shards/deny.py pidfd_send_signal+ ENOSYS -- ...    this one and all of higher numbers
    python tests/shards/deny.py socket:10 EAFNOSUPPORT -- ...       where the first argument is 10 (AF_INET6)

Owns a seccomp filter of a few instructions, which every child inherits. It needs no right: the
process gives up to gain any by exec (no set-user-ID, no file capabilities), see PR_SET_NO_NEW_PRIVS.

Source: seccomp(2), prctl(2), linux/filter.h, linux/audit.h.
"""

import ctypes
import errno
import functools
import os
import platform
import re
import struct
import subprocess
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

PR_SET_SECCOMP: Final = 22
PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_MODE_FILTER: Final = 2
RET_ALLOW: Final = 0x7FFF0000
RET_ERRNO: Final = 0x00050000

LOAD: Final = 0x20
"""BPF_LD | BPF_W | BPF_ABS: a word of struct seccomp_data."""
JUMP_EQUAL: Final = 0x15
"""BPF_JMP | BPF_JEQ | BPF_K."""
RETURN: Final = 0x06
"""BPF_RET | BPF_K."""
JUMP_GREATER_EQUAL: Final = 0x35
"""BPF_JMP | BPF_JGE | BPF_K."""
NUMBER_AT: Final = 0
ARCHITECTURE_AT: Final = 4
FIRST_ARGUMENT_AT: Final = 16
"""Its lower half, on these machines, which are little-endian."""

INSTRUCTION: Final = struct.Struct("=HBBI")
"""struct sock_filter: the operation, how many to skip if true and if false, the operand."""

ARCHITECTURES: Final[Mapping[str, int]] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64."""

USAGE_ERROR: Final = 64


@functools.cache
def call_numbers() -> Mapping[str, int]:
    """The numbers of this machine's system calls, from the C compiler's headers."""
    macros = subprocess.run(
        ["cc", "-dM", "-E", "-include", "asm/unistd.h", "-xc", "/dev/null"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.findall(r"^#define __NR_(\w+) (\d+)$", macros, re.MULTILINE)
    return {name: int(number) for name, number in found}


class Refused(NamedTuple):
    """What a filter refuses, and how."""

    number: int
    code: int
    """The errno."""
    and_later: bool = False
    """All calls of higher numbers too: from 424 on they are of Linux 5.1 and later, on every machine."""
    first_argument: int | None = None
    """Only where the call's first argument is this."""


def refused_of(call: str, errno_name: str) -> Refused:
    """What the words of a command line mean. Raises: KeyError, AttributeError, ValueError."""
    name, _, argument = call.partition(":")
    return Refused(
        number=call_numbers()[name.removesuffix("+")],
        code=getattr(errno, errno_name),
        and_later=name.endswith("+"),
        first_argument=int(argument) if argument else None,
    )


def denying_filter(refused: Refused) -> bytes:
    """The instructions that answer a call with an errno and let every other pass.

    A call of another architecture (32-bit programs on x86-64) has other numbers: it passes.
    """
    compare = JUMP_GREATER_EQUAL if refused.and_later else JUMP_EQUAL
    argument = refused.first_argument
    look = () if argument is None else ((LOAD, 0, 0, FIRST_ARGUMENT_AT), (JUMP_EQUAL, 0, 1, argument))
    instructions = (
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (JUMP_EQUAL, 0, 3 + len(look), ARCHITECTURES[platform.machine()]),
        (LOAD, 0, 0, NUMBER_AT),
        (compare, 0, 1 + len(look), refused.number),
        *look,
        (RETURN, 0, 0, RET_ERRNO | refused.code),
        (RETURN, 0, 0, RET_ALLOW),
    )
    return b"".join(INSTRUCTION.pack(*each) for each in instructions)


def deny(refused: Refused) -> None:
    """Have the kernel refuse the call to this process and its children from now on. Raises: OSError."""
    program = denying_filter(refused)
    instructions = ctypes.create_string_buffer(program, len(program))
    # struct sock_fprog: how many instructions, and where.
    fields = struct.pack("@HP", len(program) // INSTRUCTION.size, ctypes.addressof(instructions))
    header = ctypes.create_string_buffer(fields)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    arguments = ((PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(header)))
    for option, first, second in arguments:
        if prctl(option, ctypes.c_ulong(first), ctypes.c_ulong(second), ctypes.c_ulong(0), ctypes.c_ulong(0)):
            raise OSError(ctypes.get_errno(), "prctl: a filter could not be installed")


def main() -> None:
    """The command."""
    match sys.argv[1:]:
        case [call, errno_name, "--", *command] if command:
            deny(refused_of(call, errno_name))
            os.execvp(command[0], command)
        case _:
            sys.stderr.write("usage: deny.py CALL ERRNO -- COMMAND...\n")
            raise SystemExit(USAGE_ERROR)


if __name__ == "__main__":
    main()
