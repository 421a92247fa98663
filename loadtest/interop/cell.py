"""One cell of the matrix: a stack at each end, a link between them, all runs of that link, a capture of each
end.

Owns the namespaces, the two processes of `process` and the captures, and removes them all at the end.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from gossamer.loadtest.capture import captured
from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.interop.process import Observed
from gossamer.loadtest.interop.wire import Packet, read
from gossamer.loadtest.linked import linked
from gossamer.loadtest.namespaces import (
    RIGHT_V4,
    RIGHT_V6,
    Namespace,
    NamespaceError,
    end,
    join_by_veth,
    pair,
)

BAD_LINK: Final = LinkFaults(loss=0.01, reorder=0.02, duplicate=0.01, corrupt=0.002, delay_us=1_000)
SEED: Final = 20070611
CUT_AFTER_S: Final = 1.0


class CellResult(msgspec.Struct, frozen=True):
    """What a cell brought."""

    first_port: int
    client: Observed
    server: Observed
    client_packets: list[Packet]
    server_packets: list[Packet]


class EndProcess:
    """One end, as a process that speaks lines of JSON."""

    def __init__(self, space: Namespace, *words: str) -> None:
        argv = [sys.executable, "-P", "-m", "gossamer.loadtest.interop.process", *words]
        self.process: subprocess.Popen[Any] = space.start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def line(self) -> Any:
        """The next line. Raises: NamespaceError when it ended instead."""
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        if not said:
            raise NamespaceError(f"an end of the cell ended (status {end(self.process)}): see above")
        return msgspec.json.decode(said)

    def close(self) -> None:
        """Nobody wants more of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        end(self.process)
        self.process.stdout.close()


class Joint(msgspec.Struct):
    """A link that stands: its device at both ends, and who carries its packets, if not the kernel."""

    device: str
    carrier: "subprocess.Popen[bytes] | None" = None

    def cut(self) -> None:
        """From now on no packet arrives, and nobody is notified."""
        assert self.carrier is not None
        self.carrier.send_signal(signal.SIGSTOP)


@contextlib.contextmanager
def joined(link: str, left: Namespace, right: Namespace, faults: LinkFaults = BAD_LINK) -> Iterator[Joint]:
    """The link of that name."""
    if link == "clean":
        join_by_veth(left, right)
        for space in (left, right):
            # So that a packet is captured as it goes over the wire, checksum and length.
            space.run(["ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off"])
        yield Joint("eth0")
    else:
        with linked(left, right, faults if link == "bad" else LinkFaults(), SEED) as carrier:
            try:
                yield Joint("link0", carrier.process)
            finally:
                carrier.process.send_signal(signal.SIGCONT)


def play(
    link: str, client: str, server: str, folder: Path, only: str = "", parameters: str = "{}"
) -> CellResult:
    """Play all runs of a link between two stacks. Raises: NamespaceError."""
    with contextlib.ExitStack() as stack:
        left, right = stack.enter_context(pair())
        joint = stack.enter_context(joined(link, left, right))
        wires = [
            stack.enter_context(captured(space, joint.device, folder / f"{name}.pcapng"))
            for space, name in ((left, "client"), (right, "server"))
        ]
        words = ["--link", link, "--only", only, "--parameters", parameters]
        serving = EndProcess(right, "server", "--stack", server, *words)
        stack.callback(serving.close)
        port = serving.line()
        hosts = ["--v4", RIGHT_V4, "--v6", RIGHT_V6, "--port", str(port)]
        asking = EndProcess(left, "client", "--stack", client, *words, *hosts)
        stack.callback(asking.close)
        asking.line()
        if link == "cut":
            time.sleep(CUT_AFTER_S)
            joint.cut()
        reports = asking.line(), serving.line()
    observed = [msgspec.convert(report, Observed) for report in reports]
    at_client, at_server = (read(wire) for wire in wires)
    return CellResult(port, observed[0], observed[1], at_client, at_server)
