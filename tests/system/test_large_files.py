"""Large files to clients that are slow, or see the file change: the same on kernel sockets, and on the
functional TCP by packets and by frames."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from gossamer.loadtest.namespaces import RIGHT_V4, Namespace
from gossamer.loadtest.servers import Gossamer

from ..parts import ask_each

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]

PORT = 7913
MIB = 1 << 20
BODY = Random("large file").randbytes(24 * MIB)
"""More than both ends hold."""
STACKS = {
    "kernel": ("kernel", ()),
    "packets": ("nfqueue", ("--set", "nfqueue.output=raw")),
    "frames": ("nfqueue", ("--set", "nfqueue.output=frames")),
}
Start = Callable[..., Gossamer]


@pytest.fixture
def site(folder: Path) -> Path:
    (folder / "big.bin").write_bytes(BODY)
    (folder / "small.txt").write_bytes(b"small")
    return folder


@pytest.mark.parametrize("stack", STACKS)
def test_large_file__asked_whole_and_in_ranges__changed_cut_and_not_read__the_same_on_every_stack(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start, stack: str
) -> None:
    left, right = joined_namespaces
    kind, options = STACKS[stack]
    server = start(right, site, *options, stack=kind, port=PORT)
    parts: dict[str, Callable[[], object]] = {
        "ranges, HEAD and unchanged, as of any file": partial(ask_for_ranges, left),
        "changed while a client is slow": partial(ask_and_change, left, site),
        "becomes shorter": partial(ask_and_shorten, left, site, server),
    }
    if stack != "kernel":
        parts["clients that read nothing"] = partial(ask_and_read_nothing, left, site, server)
    ask_each(parts.items())


def curl(space: Namespace, *options: str) -> tuple[int, bytes]:
    """Status of curl, and what it has received."""
    argv = ["curl", "-sS", "--max-time", "60", *options, f"http://{RIGHT_V4}:{PORT}/big.bin"]
    with space.start(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        body = process.stdout.read()
    return process.returncode, body


def ask_for_ranges(left: Namespace) -> None:
    """Stretches of the file, its head, and nothing when it is the same."""
    for wanted, body in (
        ("0-", BODY),
        ("5-4100", BODY[5:4101]),
        ("1000000-9000001", BODY[1_000_000:9_000_002]),
        ("-300001", BODY[-300_001:]),
    ):
        assert curl(left, "-r", wanted) == (0, body), wanted
    status, parts = curl(left, "-r", "0-9,6000000-12000000,-5")
    assert status == 0
    for part in (BODY[:10], BODY[6_000_000:12_000_001], BODY[-5:]):
        assert b"\r\n\r\n" + part + b"\r\n--" in parts
    _, head = curl(left, "-I")
    assert f"Content-Length: {len(BODY)}".encode() in head
    etag = next(line[6:] for line in head.decode().splitlines() if line.startswith("ETag: "))
    status, head = curl(left, "-i", "-H", f"If-None-Match: {etag}")
    assert head.startswith(b"HTTP/1.1 304")


def ask(space: Namespace) -> socket.socket:
    """A connection that has asked for the file, and reads nothing yet."""
    with space.entered():
        client = socket.create_connection((RIGHT_V4, PORT), timeout=30)
    client.sendall(b"GET /big.bin HTTP/1.1\r\nHost: server\r\n\r\n")
    return client


def rest_of(client: socket.socket, size: int = len(BODY)) -> tuple[bytes, bool]:
    """The body as far as it comes, and whether it ended by a reset."""
    received = bytearray()
    try:
        while len(received) < size and (data := client.recv(1 << 20)):
            received += data
            if b"\r\n\r\n" in received[:4096]:
                del received[: received.index(b"\r\n\r\n") + 4]
    except ConnectionResetError:
        return bytes(received), True
    return bytes(received), False


def ask_and_change(left: Namespace, site: Path) -> None:
    """Lengthened, replaced or removed, it arrives as it was."""
    path = site / "big.bin"

    def append() -> None:
        with path.open("ab") as file:
            file.write(b"more")

    def replace() -> None:
        (site / "new").write_bytes(BODY)
        (site / "new").replace(path)

    body = BODY
    for change, then in ((append, BODY + b"more"), (replace, BODY), (path.unlink, b"")):
        with ask(left) as client:
            time.sleep(0.5)
            change()
            assert rest_of(client, len(body)) == (body, False), change
        body = then


def ask_and_shorten(left: Namespace, site: Path, server: Gossamer) -> None:
    """The connection is reset, and the server lives."""
    pids = server.pids()
    for left_bytes in (len(BODY) - 1, 8 * MIB + 5, 0):
        (site / "big.bin").write_bytes(BODY)
        with ask(left) as client:
            time.sleep(0.5)
            os.truncate(site / "big.bin", left_bytes)
            received, was_reset = rest_of(client)
        assert len(received) < len(BODY)
        assert was_reset
        # What was on its way already may show the end of the last page as it is now.
        sure = min(len(received), left_bytes)
        assert received[:sure] == BODY[:sure]
        argv = ["curl", "-sS", "--fail", "--max-time", "10", f"http://{RIGHT_V4}:{PORT}/small.txt"]
        assert left.run(argv) == "small"
    assert server.pids() == pids


def ask_and_read_nothing(left: Namespace, site: Path, server: Gossamer) -> None:
    """What such a client costs the server: it was 1.25 MiB for each."""
    (site / "big.bin").write_bytes(BODY)
    (pid,) = server.pids()

    def private_bytes() -> int:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return 1024 * sum(
            int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous")
        )

    first = [ask(left) for _ in range(20)]
    time.sleep(1)
    before = private_bytes()
    more = [ask(left) for _ in range(60)]
    time.sleep(2)
    each = (private_bytes() - before) / len(more)
    for client in (*first, *more):
        client.close()
    assert each < 64 * 1024
