"""A handler that does what a worker in somebody else's hands could do: the tests' TARGET hostile:handler.

The client's first bytes name the deed; the answer ends with END.
"""

import ctypes
import errno
import os
import platform
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Final

from gossamer import Stream
from gossamer.shards.seen.counters import COLUMNS, INDEX

END: Final = b"\4"
WORD_BYTES: Final = 8
HANGS_SECONDS: Final = 100
NR_CLONE: Final = 56 if platform.machine() == "x86_64" else 220
MOST: Final = (1 << 64) - 1
LINE: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-s .*gossamer-counters")


def mappings() -> list[tuple[int, int]]:
    """Where memories of counters stand in this process: (address, bytes), of each."""
    found = (LINE.match(line) for line in Path("/proc/self/maps").read_text().splitlines())
    return [(int(each[1], 16), int(each[2], 16) - int(each[1], 16)) for each in found if each]


def store(name: str, value: int) -> None:
    """Write one word of the row, whatever the worker itself would write there."""
    ((address, _),) = mappings()
    ctypes.c_uint64.from_address(address + INDEX[name] * WORD_BYTES).value = value


def write_wherever_counters_are() -> None:
    """Overwrite all that can be reached of the counters, but for its own heartbeat."""
    for address, length in mappings():
        ctypes.memset(address + WORD_BYTES, 0xFF, length - WORD_BYTES)


def open_descriptors() -> str:
    """What the descriptors of this process are, a line each."""
    held = []
    for name in os.listdir("/proc/self/fd"):
        try:
            held.append(os.readlink(f"/proc/self/fd/{name}"))
        except FileNotFoundError:
            continue  # The one that the folder was read by.
    return "\n".join(sorted(held))


CALLS: Final[dict[str, tuple[Any, ...]]] = {
    "ptrace": ("ptrace", 16, 4_194_305, None, None),
    "unshare": ("unshare", 0),
    "mount": ("mount", None, None, None, 0, None),
    "clone into a user namespace": ("syscall", NR_CLONE, 0x10000000 | 17, 0, 0, 0, 0),
}
"""Were it allowed, each would change nothing or fail otherwise; the child of the last one ends."""


def error_of(name: str, *arguments: Any) -> str:
    """The error of a call of the C library; "done" where it has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = getattr(libc, name)(*arguments)
    if name == "syscall" and result == 0:
        os._exit(0)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else "done"


def start_both() -> str:
    """How a child and a thread end that a handler starts."""
    ended: list[int] = []
    thread = threading.Thread(target=ended.append, args=(0,))
    thread.start()
    thread.join()
    return f"{ended[0]} {subprocess.run(['/bin/true'], check=False).returncode}"


def do(deed: str) -> str:
    """Do it."""
    match deed.split():
        case ["store", name, value]:
            store(name, int(value))
        case ["overwrite"]:
            write_wherever_counters_are()
        case ["totals"]:
            for name in COLUMNS[2:]:
                store(name, MOST)
        case ["hang"]:
            store("heartbeat_us", MOST)
            time.sleep(HANGS_SECONDS)
        case ["allocate", count]:
            bytes(int(count))
        case ["try", *call]:
            return error_of(*CALLS[" ".join(call)])
        case ["thread", "and", "child"]:
            return start_both()
        case ["mappings"]:
            return str(len(mappings()))
        case ["descriptors"]:
            return open_descriptors()
    return "done"


async def handler(stream: Stream) -> None:
    """Do what the client says, and say what came of it."""
    deed = (await stream.recv()).decode()
    await stream.send(do(deed).encode() + END)
