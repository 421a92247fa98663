"""Runs a command to which the kernel refuses system calls: python tests/refuse.py RULE... -- COMMAND...

    python tests/refuse.py openat2:ENOSYS prctl=38 'clone&0x40000000' -- gossamer serve www

A rule is CALL[+|=ARGUMENT|&BITS][:ERRNO]. The refusal is EPERM, or that error, or with `!CALL` the end of
the process. ARGUMENT is the first one of the call, BITS are some of which it has; without either every such
call is refused, and with `+` all those of higher numbers too (from 424 on they are of Linux 5.1 and later, on
every machine). A call that this architecture does not have is passed over: nobody can make it.

Source: seccomp(2), linux/filter.h, asm/unistd.h.
"""

import ctypes
import errno
import functools
import os
import re
import struct
import subprocess
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
LOAD, JUMP_IF_EQUAL, JUMP_IF_LEAST, JUMP_IF_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, FIRST_ARGUMENT_AT = 0, 16


@functools.cache
def numbers() -> dict[str, int]:
    """The numbers of this machine's system calls, from the C compiler's headers."""
    command = ["cc", "-dM", "-E", "-include", "asm/unistd.h", "-xc", "/dev/null"]
    macros = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^#define __NR_(\w+) (\d+)$", macros, re.MULTILINE)
    return {name: int(number) for name, number in found}


def instruction(code: int, value: int, otherwise: int = 0) -> bytes:
    """One instruction; a comparison that fails skips `otherwise` instructions."""
    return struct.pack("=HBBI", code, 0, otherwise, value)


def refusal(rule: str) -> bytes:
    """The instructions of one rule."""
    what, _, error = rule.removeprefix("!").partition(":")
    call, kind, argument = re.fullmatch(r"(\w+)(?:([=&+])(\w*))?", what).groups()
    if call not in numbers():
        return b""
    end = instruction(RETURN, KILL if rule.startswith("!") else REFUSE | getattr(errno, error or "EPERM"))
    if argument:
        comparison = JUMP_IF_EQUAL if kind == "=" else JUMP_IF_BITS
        end = instruction(LOAD, FIRST_ARGUMENT_AT) + instruction(comparison, int(argument, 0), 1) + end
    comparison = JUMP_IF_LEAST if kind == "+" else JUMP_IF_EQUAL
    return instruction(LOAD, NUMBER_AT) + instruction(comparison, numbers()[call], len(end) // 8) + end


def refuse(rules: list[str]) -> None:
    """Have them refused to this process from now on. Raises: OSError."""
    program = b"".join(map(refusal, rules)) + instruction(RETURN, ALLOW)
    kept = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0) == 0:
        return
    # Without CAP_SYS_ADMIN only who gives up new privileges may have a filter (seccomp(2)).
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")


def main() -> None:
    """The command."""
    at = sys.argv.index("--")
    refuse(sys.argv[1:at])
    command = sys.argv[at + 1 :]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
