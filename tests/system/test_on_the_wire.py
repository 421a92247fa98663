"""What the functional TCP puts on the wire, as tshark sees it."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.loadtest.capture import captured
from gossamer.loadtest.namespaces import RIGHT_V4, RIGHT_V6, Namespace
from gossamer.loadtest.servers import Gossamer

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7851


CLOSED = PORT + 1
OURS = f"tcp.srcport == {PORT}"
SYN_ACK = f"{OURS} && tcp.flags.syn == 1 && tcp.flags.ack == 1"
OPTIONS = (
    "tcp.options.mss_val",
    "tcp.options.wscale.shift",
    "tcp.options.sack_perm",
    "tcp.options.timestamp.tsval",
)


def test_requests__captured_at_the_client__handshake_options_no_reset_good_checksums_and_a_closed_port(
    joined_namespaces: tuple[Namespace, Namespace],
    site: Path,
    files: dict[str, bytes],
    tmp_path: Path,
    start: Callable[..., Gossamer],
) -> None:
    """One over each family; then a SYN to a port that nobody serves, which the kernel resets: ours is
    silent."""
    left, right = joined_namespaces
    # A veth hands on what its sender left to be completed, the kernel as our frames.
    right.run(["ethtool", "-K", "eth0", "tx", "off"])
    start(right, site, stack="nfqueue", port=PORT, host="::")
    body = tmp_path / "body"
    with captured(left, "eth0", tmp_path / "packets") as wire:
        for host in (RIGHT_V4, f"[{RIGHT_V6}]"):
            url = f"http://{host}:{PORT}/large.bin"
            left.run(["curl", "-sS", "--fail", "--max-time", "10", "-o", str(body), url])
            assert hashlib.sha256(body.read_bytes()).digest() == hashlib.sha256(files["large.bin"]).digest()
        closed = f"http://{RIGHT_V4}:{CLOSED}/"
        refused = subprocess.run(left.command(["curl", "-s", "--max-time", "5", closed]), check=False)
    assert refused.returncode == 7
    options = wire.fields(OPTIONS, SYN_ACK)
    assert [each[0] for each in options] == ["1460", "1440"]
    assert all(map(all, options))
    resets, resets_of_closed, from_closed, v4_ends, v6_ends, bad_checksums = wire.counts(
        f"tcp.port == {PORT} && tcp.flags.reset == 1",
        f"tcp.srcport == {CLOSED} && tcp.flags.reset == 1",
        f"tcp.srcport == {CLOSED}",
        f"ip && {OURS} && tcp.flags.fin == 1",
        f"ipv6 && {OURS} && tcp.flags.fin == 1",
        f"{OURS} && tcp.checksum.status == 0",
    )
    assert resets == 0
    assert resets_of_closed == from_closed == 1, "answered by the kernel alone"
    assert v4_ends >= 1
    assert v6_ends >= 1
    assert bad_checksums == 0
