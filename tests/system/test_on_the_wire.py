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


@pytest.mark.parametrize("address", [RIGHT_V4, RIGHT_V6])
def test_one_request__captured_at_the_client__handshake_options_no_reset_good_checksums(
    joined_namespaces: tuple[Namespace, Namespace],
    site: Path,
    files: dict[str, bytes],
    tmp_path: Path,
    start: Callable[..., Gossamer],
    address: str,
) -> None:
    left, right = joined_namespaces
    # A veth hands on what its sender left to be completed, the kernel as our frames.
    right.run(["ethtool", "-K", "eth0", "tx", "off"])
    start(right, site, stack="nfqueue", port=PORT, host="::")
    host = f"[{address}]" if ":" in address else address
    body = tmp_path / "body"
    with captured(left, "eth0", tmp_path / "packets", f"tcp port {PORT}") as wire:
        left.run(
            ["curl", "-sS", "--fail", "--max-time", "10", "-o", str(body), f"http://{host}:{PORT}/large.bin"]
        )
    assert hashlib.sha256(body.read_bytes()).digest() == hashlib.sha256(files["large.bin"]).digest()
    ours = f"tcp.srcport == {PORT}"
    fields = [
        "tcp.options.mss_val",
        "tcp.options.wscale.shift",
        "tcp.options.sack_perm",
        "tcp.options.timestamp.tsval",
    ]
    (options,) = wire.fields(fields, f"{ours} && tcp.flags.syn == 1 && tcp.flags.ack == 1")
    assert options[0] == ("1460" if address == RIGHT_V4 else "1440")
    assert all(options)
    assert wire.count("tcp.flags.reset == 1") == 0
    assert wire.count(f"{ours} && tcp.flags.fin == 1") >= 1
    assert bad_checksums(tmp_path / "packets", ours) == 0


def bad_checksums(path: Path, wanted: str) -> int:
    """How many of these packets carry a wrong TCP checksum."""
    argv = [
        "tshark",
        "-r",
        str(path),
        "-o",
        "tcp.check_checksum:TRUE",
        "-Y",
        f"{wanted} && tcp.checksum.status == 0",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    return len(done.stdout.splitlines())


def test_closed_port__syn__kernel_resets_and_ours_stays_silent(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, tmp_path: Path, start: Callable[..., Gossamer]
) -> None:
    left, right = joined_namespaces
    start(right, site, stack="nfqueue", port=PORT, host="0.0.0.0")
    with captured(left, "eth0", tmp_path / "packets") as wire:
        refused = subprocess.run(
            left.command(["curl", "-s", "--max-time", "5", f"http://{RIGHT_V4}:{PORT + 1}/"]), check=False
        )
    assert refused.returncode == 7
    assert wire.count(f"tcp.srcport == {PORT + 1} && tcp.flags.reset == 1") == 1
    assert wire.count(f"tcp.port == {PORT}") == 0
