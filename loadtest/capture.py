"""What really went over the wire: packets captured inside a namespace by dumpcap, and read by tshark.

Owns that process and the reading of its file; what the packets should have been is the caller's business.
A tshark starts for half a second of CPU: so it is not what captures, and reads many counts at once.
"""

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from gossamer.loadtest.namespaces import Namespace, NamespaceError, end, run

READY_WAIT_S: Final = 15.0
SETTLE_S: Final = 0.5
PACKETS_MAX: Final = 200_000
BUFFER_MIB: Final = 64
"""What the kernel keeps while a busy machine lets dumpcap wait."""
CHECKED: Final = ("-o", "tcp.check_checksum:TRUE")


def missing_requirement() -> str | None:
    """Why nothing can be captured here; None when it can."""
    return None if shutil.which("tshark") else "needs tshark (Debian package tshark)"


class Capture:
    """A finished or running capture."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fields(self, names: Sequence[str], wanted: str = "") -> list[list[str]]:
        """The named fields of each packet that passes the display filter. Raises: NamespaceError."""
        argv = ["tshark", "-r", str(self.path), "-T", "fields", *CHECKED]
        argv += [word for name in names for word in ("-e", name)]
        argv += ["-Y", wanted] if wanted else []
        return [line.split("\t") for line in run(argv, timeout_s=60).splitlines()]

    def counts(self, *wanted: str) -> list[int]:
        """How many packets pass each of the display filters, in one reading. Raises: NamespaceError."""
        statistics = ",".join(("io,stat,0", *wanted))
        said = run(["tshark", "-q", "-r", str(self.path), *CHECKED, "-z", statistics], timeout_s=60)
        # | 0.000 <> 1.234 | frames | bytes | frames | bytes |
        (row,) = (line for line in said.splitlines() if "<>" in line)
        return [int(cell) for cell in row.strip("| ").split("|")[1::2]]


@contextlib.contextmanager
def captured(space: Namespace, interface: str, path: Path, wanted: str = "tcp") -> Iterator[Capture]:
    """Capture into a file while the block runs; read it afterwards. Raises: NamespaceError."""
    argv = ["dumpcap", "-q", "-i", interface, "-B", str(BUFFER_MIB), "-f", wanted]
    argv += ["-c", str(PACKETS_MAX), "-w", str(path)]
    process = space.start(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_capturing(space, process, path)
        yield Capture(path)
        time.sleep(SETTLE_S)
    finally:
        end(process)


def wait_until_capturing(space: Namespace, process: "subprocess.Popen[bytes]", path: Path) -> None:
    """Wait until dumpcap has opened its file and its packet socket. Raises: NamespaceError."""
    give_up = time.monotonic() + READY_WAIT_S
    while not (path.exists() and path.stat().st_size and packet_sockets(space)):
        if process.poll() is not None or time.monotonic() > give_up:
            raise NamespaceError(f"dumpcap did not start capturing (status {process.poll()})")
        time.sleep(0.05)
    time.sleep(SETTLE_S)


def packet_sockets(space: Namespace) -> int:
    """How many packet sockets there are inside: a line each in /proc/net/packet, below its head."""
    with space.entered(), open("/proc/thread-self/net/packet") as table:
        return len(table.readlines()) - 1
