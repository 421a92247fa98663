"""One cell of the matrix: a stack at each end, a link between them, all runs of that link, a capture of each
end.

Owns the namespaces, the two processes of `process` and the captures, and that nothing of them stays.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from gossamer.loadtest.capture import captured
from gossamer.loadtest.faults import Faults
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

BAD_LINK: Final = Faults(loss=0.01, reorder=0.02, duplicate=0.01, corrupt=0.002, delay_us=1_000)
SEED: Final = 20070611
RUNS_S_MAX: Final = 60.0


class Seen(msgspec.Struct, frozen=True):
    """What a cell brought."""

    first_port: int
    client: Observed
    server: Observed
    client_packets: list[Packet]
    server_packets: list[Packet]


class Process:
    """One end, as a process that speaks lines of JSON."""

    def __init__(self, space: Namespace, *words: str) -> None:
        argv = [sys.executable, "-m", "gossamer.loadtest.interop.process", *words]
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


@contextlib.contextmanager
def joined(link: str, left: Namespace, right: Namespace, faults: Faults = BAD_LINK) -> Iterator[str]:
    """The link of that name; the device at both ends."""
    if link == "clean":
        join_by_veth(left, right)
        for space in (left, right):
            # So that a packet is captured as it goes over the wire, checksum and length.
            space.run(["ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off"])
        yield "eth0"
    else:
        with linked(left, right, faults, SEED):
            yield "link0"


def play(link: str, client: str, server: str, folder: Path, only: str = "", parameters: str = "{}") -> Seen:
    """Play all runs of a link between two stacks. Raises: NamespaceError."""
    with contextlib.ExitStack() as stack:
        left, right = stack.enter_context(pair())
        device = stack.enter_context(joined(link, left, right))
        wires = [
            stack.enter_context(captured(space, device, folder / f"{name}.pcapng"))
            for space, name in ((left, "client"), (right, "server"))
        ]
        words = ["--link", link, "--only", only, "--parameters", parameters]
        serving = Process(right, "server", "--stack", server, *words)
        stack.callback(serving.close)
        port = serving.line()
        hosts = ["--v4", RIGHT_V4, "--v6", RIGHT_V6, "--port", str(port)]
        asking = Process(left, "client", "--stack", client, *words, *hosts)
        stack.callback(asking.close)
        asking.line()
        told = asking.line(), serving.line()
    observed = [msgspec.convert(one, Observed) for one in told]
    at_client, at_server = (read(wire) for wire in wires)
    return Seen(port, observed[0], observed[1], at_client, at_server)
