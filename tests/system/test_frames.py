"""Downloads that leave as frames: whole on every kind of link, and when it changes under them."""

import contextlib
import hashlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from gossamer.loadtest.namespaces import LEFT_V4, RIGHT_V4, RIGHT_V6, Namespace, namespace
from gossamer.loadtest.servers import Gossamer

from .test_path_mtu import join

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]

PORT = 7899
BODY_BYTES = 8_000_000
BODY = Random("frames").randbytes(BODY_BYTES)
DIGEST = hashlib.sha256(BODY).hexdigest()
TIMESTAMP_BYTES = 12
FRAMES = ("--set", "nfqueue.output=frames")
Start = Callable[..., Gossamer]


@pytest.fixture
def site(folder: Path) -> Path:
    (folder / "big.bin").write_bytes(BODY)
    return folder


def fetch(space: Namespace, host: str, *options: str, name: str = "big.bin") -> str:
    """The SHA-256 of what curl receives."""
    url = f"http://[{host}]:{PORT}/{name}" if ":" in host else f"http://{host}:{PORT}/{name}"
    argv = ["curl", "-sS", "--fail", "--max-time", "60", *options, url]
    with space.start(argv, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        digest = hashlib.file_digest(curl.stdout, "sha256").hexdigest()
    assert curl.returncode == 0
    return digest


def frames_of(server: Gossamer) -> int:
    """How many segments have left as frames until now."""
    return sum(worker["totals"]["frames_out_total"] for worker in server.settled_status()["workers"])


@contextlib.contextmanager
def more_frames(server: Gossamer, than: int, what: str) -> Iterator[None]:
    """The block has more than so many segments leave as frames."""
    before = frames_of(server)
    yield
    assert frames_of(server) - before > than, what


def test_download__offloads_on_or_off__arrives_whole_as_frames(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    left, right = joined_namespaces
    server = start(right, site, *FRAMES, stack="nfqueue", port=PORT, host="::")
    for offloads in ("on", "off"):
        for space in joined_namespaces:
            space.run(["ethtool", "-K", "eth0", "tso", offloads, "gso", offloads, "gro", offloads])
        for host in (RIGHT_V4, RIGHT_V6):
            with more_frames(server, BODY_BYTES // 65_536, f"{host}, offloads {offloads}"):
                assert fetch(left, host) == DIGEST, f"{host}, offloads {offloads}"


@pytest.fixture
def behind_a_router() -> Iterator[tuple[Namespace, Namespace]]:
    """Client and server with a router between them, whose link to the client takes 1,300 bytes."""
    with namespace() as client, namespace() as router, namespace() as server:
        join(router, server, "10.78.1", 1_500, ("eth1", "eth0"))
        join(router, client, "10.78.3", 1_300, ("eth2", "eth0"))
        router.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
        server.ip("route add default via 10.78.1.1")
        client.ip("route add default via 10.78.3.1", "link set eth0 mtu 1500")
        yield client, server


def test_download__router_with_a_smaller_mtu__arrives_whole(
    behind_a_router: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    client, right = behind_a_router
    server = start(right, site, *FRAMES, stack="nfqueue", port=PORT, host="0.0.0.0")
    assert fetch(client, "10.78.1.2") == DIGEST
    assert frames_of(server) > 0


OWN_MTU = 1_400
SMALL_BYTES = 30_000
CONNECTIONS = 5


@pytest.mark.parametrize("output", ["raw", "frames"])
def test_own_link_that_takes_less_than_the_peer__nobody_waits_for_a_timeout_and_the_peer_is_told(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start, output: str
) -> None:
    """As with VXLAN or WireGuard at the server: each connection waited 1.4 s until its segments were small
    enough."""
    left, right = joined_namespaces
    right.ip(f"link set eth0 mtu {OWN_MTU}")
    (site / "small.bin").write_bytes(BODY[:SMALL_BYTES])
    settings = ("--set", f"nfqueue.output={output}")
    server = start(right, site, *settings, stack="nfqueue", port=PORT, host="::")
    for host in (RIGHT_V4, RIGHT_V6):
        began = time.monotonic()
        for _ in range(CONNECTIONS):
            assert fetch(left, host, name="small.bin") == hashlib.sha256(BODY[:SMALL_BYTES]).hexdigest()
        assert time.monotonic() - began < CONNECTIONS * 0.5, host
    right.ip("link set eth0 mtu 1500")
    assert fetch(left, RIGHT_V4) == DIGEST
    assert (frames_of(server) > 0) == (output == "frames")
    assert_told(left, right)


def test_own_link_that_takes_less_than_the_peer__kernel_sockets__the_peer_is_told(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    left, right = joined_namespaces
    right.ip(f"link set eth0 mtu {OWN_MTU}")
    start(right, site, stack="kernel", port=PORT, host="::")
    assert_told(left, right)


def assert_told(left: Namespace, right: Namespace) -> None:
    """What the server's link takes when it takes less still is what a peer sends at most."""
    right.ip(f"link set eth0 mtu {OWN_MTU - 50}")
    for host, headers in ((RIGHT_V4, 40), (RIGHT_V6, 60)):
        with left.entered():
            client = socket.create_connection((host, PORT), 10)
        with client:
            segment = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
        assert segment == OWN_MTU - 50 - headers - TIMESTAMP_BYTES, host


CHANGES = {
    "the client's address is another": ["ip", "link", "set", "eth0", "address", "02:00:00:00:00:77"],
    "the MTU is smaller": ["ip", "link", "set", "eth0", "mtu", "1200"],
    "the link goes and comes": ["sh", "-c", "ip link set eth0 down; sleep 0.3; ip link set eth0 up"],
}


def test_change__in_the_midst_of_a_download__it_arrives_whole(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    """At either end, one after another."""
    left, right = joined_namespaces
    server = start(right, site, *FRAMES, stack="nfqueue", port=PORT)
    for side, space in (("client", left), ("server", right)):
        for name, change in CHANGES.items():
            with more_frames(server, 0, f"{side}: {name}"):
                received = digest_of_a_slow_download(left, partial(space.run, change))
                assert received == DIGEST, f"{side}: {name}"
            space.ip("link set eth0 mtu 1500")


def digest_of_a_slow_download(client: Namespace, *between: Callable[[], object]) -> str:
    """What curl receives at 8 MB/s, when these are called after a MiB each."""
    url = f"http://{RIGHT_V4}:{PORT}/big.bin"
    argv = ["curl", "-sS", "--fail", "--max-time", "60", "--limit-rate", "8M", url]
    digest = hashlib.sha256()
    with client.start(argv, stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        for call in between:
            digest.update(curl.stdout.read(1 << 20))
            call()
        while data := curl.stdout.read(1 << 20):
            digest.update(data)
    assert curl.returncode == 0
    return digest.hexdigest()


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
    before = frames_of(server)
    assert before > 0
    rule = ["iptables", "-A", "OUTPUT", "-p", "udp", "-j", "ACCEPT"]
    right.run(rule)
    assert server.status()["output"] == "packets: rules of others stand in ip filter OUTPUT"
    assert fetch(left, RIGHT_V4) == DIGEST
    assert frames_of(server) == before
    changes = [partial(right.run, ["iptables", command, *rule[2:]]) for command in ("-D", "-A", "-D")]
    assert digest_of_a_slow_download(left, *changes) == DIGEST
    # How much of it was left when the last rule went is the machine's business.
    assert server.status()["output"] == "frames"
    assert fetch(left, RIGHT_V4) == DIGEST
    assert frames_of(server) > before


def test_auto__host_whose_rules_drop_what_conntrack_has_not_seen__answered_as_packets(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start
) -> None:
    left, right = joined_namespaces
    right.run(["iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP"])
    server = start(right, site, stack="nfqueue", port=PORT)
    assert fetch(left, RIGHT_V4) == DIGEST
    assert frames_of(server) == 0
