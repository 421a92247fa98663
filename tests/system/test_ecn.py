"""ECN between the kernel's TCP and ours, over a wire that marks."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.loadtest.capture import captured
from gossamer.loadtest.namespaces import RIGHT_V4, Namespace
from gossamer.loadtest.servers import Gossamer

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7852
OURS, THEIRS = f"tcp.srcport == {PORT}", f"tcp.dstport == {PORT}"
DATA = "tcp.len > 0"
ECT_0, CE = "ip.dsfield.ecn == 2", "ip.dsfield.ecn == 3"


def mark(place: Namespace, *match: str) -> None:
    """From now on a namespace marks what matches on its way out, as a congested router would."""
    place.run(
        [
            *["iptables", "-w", "-t", "mangle", "-A", "POSTROUTING", "-p", "tcp"],
            *match,
            *["-j", "TOS", "--set-tos", "0x03/0x03"],
        ]
    )


def test_download__kernel_asks_for_ecn_and_the_wire_marks__both_ends_play_their_part(
    joined_namespaces: tuple[Namespace, Namespace],
    site: Path,
    files: dict[str, bytes],
    tmp_path: Path,
    start: Callable[..., Gossamer],
) -> None:
    left, right = joined_namespaces
    left.run(["sysctl", "-q", "-w", "net.ipv4.tcp_ecn=1"])
    start(right, site, stack="nfqueue", port=PORT, host="0.0.0.0")
    long_ones = ["-m", "length", "--length", "100:"]
    mark(left, "--dport", str(PORT), *long_ones)
    mark(
        right,
        "--sport",
        str(PORT),
        *long_ones,
        *["-m", "statistic", "--mode", "nth", "--every", "40", "--packet", "9"],
    )
    body = tmp_path / "body"
    with captured(left, "eth0", tmp_path / "packets", f"tcp port {PORT}") as wire:
        left.run(
            [
                "curl",
                "-sS",
                "--fail",
                "--max-time",
                "20",
                "-o",
                str(body),
                f"http://{RIGHT_V4}:{PORT}/large.bin",
            ]
        )
    assert hashlib.sha256(body.read_bytes()).digest() == hashlib.sha256(files["large.bin"]).digest()

    setups, data, marked_acks, marked, answered, echoed, requests_marked, echoed_by_us = wire.counts(
        f"{OURS} && tcp.flags.syn == 1 && tcp.flags.ece == 1 && tcp.flags.cwr == 0 && ip.dsfield.ecn == 0",
        f"{OURS} && {DATA} && {ECT_0}",
        f"{OURS} && tcp.len == 0 && ip.dsfield.ecn != 0",
        f"{OURS} && {CE}",
        f"{OURS} && tcp.flags.cwr == 1",
        f"{THEIRS} && tcp.flags.ece == 1 && tcp.flags.syn == 0",
        f"{THEIRS} && {CE}",
        f"{OURS} && tcp.flags.ece == 1 && tcp.flags.syn == 0",
    )
    assert setups == 1
    assert data > 100
    assert marked_acks == 0, "a pure ACK was ECT"

    # Our data was marked: the kernel echoed that, and we answered.
    assert marked > 0
    assert echoed > 0
    assert 0 < answered <= marked

    # The kernel's request was marked: we echo it, and its next data would end that.
    assert requests_marked > 0
    assert echoed_by_us > 0
