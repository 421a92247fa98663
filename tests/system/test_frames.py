"""Downloads that leave as frames: whole on every kind of link, and when it changes under them."""

import hashlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import LEFT_V4, RIGHT_V4, RIGHT_V6, Namespace, namespace
from gossamer.loadtest.servers import Gossamer

from .test_path_mtu import join

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]

PORT = 7899
BODY_BYTES = 8_000_000
BODY = hashlib.shake_256(b"frames").digest(BODY_BYTES)
DIGEST = hashlib.sha256(BODY).hexdigest()
TIMESTAMP_BYTES = 12
PUBLISHED_S = 2.0
"""A worker publishes its counts every second or sooner."""
FRAMES = ("--set", "nfqueue.output=frames")
Start = Callable[..., Gossamer]


@pytest.fixture
def site(folder: Path) -> Path:
    (folder / "big.bin").write_bytes(BODY)
    return folder


def fetch(space: Namespace, host: str, *options: str) -> str:
    """The SHA-256 of what curl receives."""
    url = f"http://[{host}]:{PORT}/big.bin" if ":" in host else f"http://{host}:{PORT}/big.bin"
    argv = ["curl", "-sS", "--fail", "--max-time", "60", *options, url]
    with space.start(argv, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        digest = hashlib.file_digest(curl.stdout, "sha256").hexdigest()
    assert curl.returncode == 0
    return digest


def frames_of(server: Gossamer, more_than: int | None = None) -> int:
    """How many segments have left as frames; with `more_than` as soon as it is that, or once all that was
    counted has been published."""
    deadline = time.monotonic() + (PUBLISHED_S if more_than is None else 10)
    while True:
        count = sum(worker["totals"]["frames_out_total"] for worker in server.status()["workers"])
        if time.monotonic() > deadline or (more_than is not None and count > more_than):
            return count
        time.sleep(0.05)


@pytest.mark.parametrize("offloads", ["on", "off"])
@pytest.mark.parametrize("host", [RIGHT_V4, RIGHT_V6], ids=["IPv4", "IPv6"])
def test_download__offloads_on_or_off__arrives_whole_as_frames(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start, host: str, offloads: str
) -> None:
    for space in joined_namespaces:
        space.run(["ethtool", "-K", "eth0", "tso", offloads, "gso", offloads, "gro", offloads])
    left, right = joined_namespaces
    server = start(right, site, *FRAMES, stack="nfqueue", port=PORT, host="::" if ":" in host else "0.0.0.0")
    assert fetch(left, host) == DIGEST
    assert frames_of(server, BODY_BYTES // 65_536) > BODY_BYTES // 65_536


def test_download__output_is_raw__leaves_as_packets(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    left, right = joined_namespaces
    server = start(right, site, "--set", "nfqueue.output=raw", stack="nfqueue", port=PORT)
    assert fetch(left, RIGHT_V4) == DIGEST
    assert frames_of(server) == 0


@pytest.fixture
def behind_a_router() -> Iterator[tuple[Namespace, Namespace]]:
    """Client and server with a router between them, whose link to the client takes 1,300 bytes."""
    with namespace() as client, namespace() as router, namespace() as server:
        join(router, server, "10.78.1", 1_500, ("eth1", "eth0"))
        join(router, client, "10.78.3", 1_300, ("eth2", "eth0"))
        router.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
        server.run(["ip", "route", "add", "default", "via", "10.78.1.1"])
        client.run(["ip", "route", "add", "default", "via", "10.78.3.1"])
        client.run(["ip", "link", "set", "eth0", "mtu", "1500"])
        yield client, server


def test_download__router_with_a_smaller_mtu__arrives_whole(
    behind_a_router: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    client, right = behind_a_router
    server = start(right, site, *FRAMES, stack="nfqueue", port=PORT, host="0.0.0.0")
    assert fetch(client, "10.78.1.2") == DIGEST
    assert frames_of(server, 0) > 0


OWN_MTU = 1_400
SMALL_BYTES = 30_000
CONNECTIONS = 5


@pytest.mark.parametrize("output", ["raw", "frames"])
@pytest.mark.parametrize("host", [RIGHT_V4, RIGHT_V6], ids=["IPv4", "IPv6"])
def test_own_link_that_takes_less_than_the_peer__nobody_waits_for_a_timeout(
    joined_namespaces: tuple[Namespace, Namespace], folder: Path, start: Start, host: str, output: str
) -> None:
    """As with VXLAN or WireGuard at the server: each connection waited 1.4 s until its segments were small
    enough."""
    left, right = joined_namespaces
    right.run(["ip", "link", "set", "eth0", "mtu", str(OWN_MTU)])
    (folder / "big.bin").write_bytes(BODY[:SMALL_BYTES])
    settings = ("--set", f"nfqueue.output={output}")
    start(right, folder, *settings, stack="nfqueue", port=PORT, host="::" if ":" in host else "0.0.0.0")
    began = time.monotonic()
    for _ in range(CONNECTIONS):
        assert fetch(left, host) == hashlib.sha256(BODY[:SMALL_BYTES]).hexdigest()
    assert time.monotonic() - began < CONNECTIONS * 0.5


@pytest.mark.parametrize("stack", ["kernel", "nfqueue"])
@pytest.mark.parametrize(("host", "headers"), [(RIGHT_V4, 40), (RIGHT_V6, 60)], ids=["IPv4", "IPv6"])
def test_own_link_that_takes_less_than_the_peer__the_peer_is_told(
    joined_namespaces: tuple[Namespace, Namespace],
    site: Path,
    start: Start,
    host: str,
    headers: int,
    stack: str,
) -> None:
    left, right = joined_namespaces
    right.run(["ip", "link", "set", "eth0", "mtu", str(OWN_MTU)])
    start(right, site, stack=stack, port=PORT, host="::" if ":" in host else "0.0.0.0")
    right.run(["ip", "link", "set", "eth0", "mtu", str(OWN_MTU - 50)])
    with left.entered():
        client = socket.create_connection((host, PORT), 10)
    with client:
        segment = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
    assert segment == OWN_MTU - 50 - headers - TIMESTAMP_BYTES


CHANGES = {
    "the client's address is another": ["ip", "link", "set", "eth0", "address", "02:00:00:00:00:77"],
    "the MTU is smaller": ["ip", "link", "set", "eth0", "mtu", "1200"],
    "the link goes and comes": ["sh", "-c", "ip link set eth0 down; sleep 0.3; ip link set eth0 up"],
}


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_change__in_the_midst_of_a_download__it_arrives_whole(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start, change: list[str], side: str
) -> None:
    left, right = joined_namespaces
    server = start(right, site, *FRAMES, stack="nfqueue", port=PORT)
    url = f"http://{RIGHT_V4}:{PORT}/big.bin"
    argv = ["curl", "-sS", "--fail", "--max-time", "60", "--limit-rate", "8M", url]
    with left.start(argv, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        digest = hashlib.sha256(curl.stdout.read(1 << 20))
        (left if side == "client" else right).run(change)
        while data := curl.stdout.read(1 << 20):
            digest.update(data)
    assert curl.returncode == 0
    assert digest.hexdigest() == DIGEST
    assert frames_of(server, 0) > 0


def test_neighbour_that_is_silent__its_hop_is_forgotten_and_the_others_are_served(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    left, right = joined_namespaces
    server = start(right, site, *FRAMES, stack="nfqueue", port=PORT)
    url = f"http://{RIGHT_V4}:{PORT}/big.bin"
    left.run(["ip", "addr", "add", "10.77.0.3/24", "dev", "eth0"])
    argv = [
        "curl",
        "-sS",
        "--interface",
        "10.77.0.3",
        "--limit-rate",
        "1M",
        "--max-time",
        "60",
        "-o",
        "/dev/null",
        url,
    ]
    gone = left.start(argv)
    deadline = time.monotonic() + 20
    while not frames_of(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    left.run(["ip", "addr", "del", "10.77.0.3/24", "dev", "eth0"])
    gone.kill()
    gone.wait()
    assert fetch(left, RIGHT_V4, "--interface", LEFT_V4) == DIGEST


def test_auto__a_rule_comes_and_goes_in_the_midst_of_a_download__frames_stop_and_it_arrives_whole(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    left, right = joined_namespaces
    server = start(right, site, stack="nfqueue", port=PORT)
    assert server.status()["output"] == "frames"
    assert fetch(left, RIGHT_V4) == DIGEST
    assert frames_of(server, 0) > 0
    before = frames_of(server)
    rule = ["iptables", "-A", "OUTPUT", "-p", "udp", "-j", "ACCEPT"]
    right.run(rule)
    assert server.status()["output"] == "packets: rules of others stand in ip filter OUTPUT"
    assert fetch(left, RIGHT_V4) == DIGEST
    assert frames_of(server) == before
    url = f"http://{RIGHT_V4}:{PORT}/big.bin"
    argv = ["curl", "-sS", "--fail", "--max-time", "60", "--limit-rate", "8M", url]
    with left.start(argv, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        digest = hashlib.sha256()
        for command in ("-D", "-A", "-D"):
            digest.update(curl.stdout.read(1 << 20))
            right.run(["iptables", command, *rule[2:]])
        while data := curl.stdout.read(1 << 20):
            digest.update(data)
    assert curl.returncode == 0
    assert digest.hexdigest() == DIGEST
    assert frames_of(server, before) > before


def test_auto__host_whose_rules_drop_what_conntrack_has_not_seen__answered_as_packets(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    left, right = joined_namespaces
    right.run(["iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"])
    server = start(right, site, stack="nfqueue", port=PORT)
    assert fetch(left, RIGHT_V4) == DIGEST
    assert frames_of(server) == 0
