"""Runs a command to which the kernel refuses system calls: python refuse.py RULE... -- COMMAND...

A rule is CALL[=ARGUMENT][:ERRNO]. The refusal is EPERM, or that error, or with `!CALL` the end of the
process. ARGUMENT is the first one of the call; without it every such call is refused.

Source: seccomp(2), linux/filter.h.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

NUMBERS = {
    "x86_64": {"socket": 41, "prctl": 157, "setgroups": 116, "capget": 125, "capset": 126},
    "aarch64": {"socket": 198, "prctl": 167, "setgroups": 159, "capget": 90, "capset": 91},
}
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NUMBER_AT, FIRST_ARGUMENT_AT = 0, 16


def instruction(code: int, value: int, otherwise: int = 0) -> bytes:
    """One instruction; a comparison that fails skips `otherwise` instructions."""
    return struct.pack("=HBBI", code, 0, otherwise, value)


def refusal(rule: str) -> bytes:
    """The instructions of one rule."""
    what, _, error = rule.removeprefix("!").partition(":")
    call, _, argument = what.partition("=")
    number = NUMBERS[platform.machine()][call]
    end = instruction(RETURN, KILL if rule.startswith("!") else REFUSE | getattr(errno, error or "EPERM"))
    if argument:
        end = instruction(LOAD, FIRST_ARGUMENT_AT) + instruction(JUMP_IF_EQUAL, int(argument), 1) + end
    return instruction(LOAD, NUMBER_AT) + instruction(JUMP_IF_EQUAL, number, len(end) // 8) + end


def refuse(rules: list[str]) -> None:
    """Have them refused to this process from now on. Raises: OSError."""
    program = b"".join(map(refusal, rules)) + instruction(RETURN, ALLOW)
    kept = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
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
