"""A path with a narrow link between two routers: what they report by ICMP reaches our TCP, which
finds out by itself what they do not report."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import Namespace, namespace
from gossamer.loadtest.servers import Gossamer

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7871
SERVER, CLIENT, OTHER_CLIENT = "10.78.1.2", "10.78.3.2", "10.78.3.3"
BODY_BYTES = 3_000_000


def join(left: Namespace, right: Namespace, net: str, mtu: int, names: tuple[str, str]) -> None:
    """A veth pair between two namespaces, .1 on the left and .2 on the right."""
    left.ip(f"link add {names[0]} type veth peer name {names[1]} netns {right.name}")
    for place, name, host in ((left, names[0], 1), (right, names[1], 2)):
        place.ip(f"addr add {net}.{host}/24 dev {name}", f"link set {name} mtu {mtu} up")


@pytest.fixture
def path_of_three() -> Iterator[tuple[Namespace, Namespace, Namespace]]:
    """Client, the router on the server's side, server; between the two routers at most 1,300 bytes pass."""
    with ExitStack() as stack:
        client, far, near, server = (stack.enter_context(namespace()) for _ in range(4))
        join(near, server, "10.78.1", 1500, ("eth1", "eth0"))
        join(far, near, "10.78.2", 1300, ("eth1", "eth0"))
        join(far, client, "10.78.3", 1500, ("eth2", "eth0"))
        for router in (far, near):
            router.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
        server.ip("route add default via 10.78.1.1")
        client.ip(f"addr add {OTHER_CLIENT}/24 dev eth0", "route add default via 10.78.3.1")
        near.ip("route add 10.78.3.0/24 via 10.78.2.1")
        far.ip("route add 10.78.1.0/24 via 10.78.2.2")
        yield client, near, server


def test_download__narrow_link_on_the_way__arrives_whole(
    path_of_three: tuple[Namespace, Namespace, Namespace],
    tmp_path: Path,
    start: Callable[..., Gossamer],
) -> None:
    """The router reports it to one client's connections, and is silent about another's."""
    client, near, server = path_of_three
    site = tmp_path / "site"
    site.mkdir()
    body = hashlib.shake_256(b"path").digest(BODY_BYTES)
    (site / "big.bin").write_bytes(body)
    start(server, site, stack="nfqueue", port=PORT, host="0.0.0.0")
    got = tmp_path / "got"

    def fetch(address: str) -> float:
        """How many seconds it took."""
        argv = ["curl", "-sS", "--fail", "--max-time", "30", "--interface", address, "-w", "%{time_total}"]
        seconds = float(client.run([*argv, "-o", str(got), f"http://{SERVER}:{PORT}/big.bin"]))
        assert got.read_bytes() == body, address
        return seconds

    fetch(CLIENT)
    refused = refused_by(near)
    assert 0 < refused <= 200, "segments that were too long for the narrow link"
    assert fetch(CLIENT) < 5
    assert refused_by(near) == refused, "the next connection begins with what the router reported"

    near.run(["iptables", "-w", "-A", "OUTPUT", "-p", "icmp", "-j", "DROP"])
    fetch(OTHER_CLIENT)
    assert 0 < refused_by(near) - refused <= 200, "segments that were too long, and nobody said so"
    fetch(OTHER_CLIENT)


def refused_by(router: Namespace) -> int:
    """How many packets were too long for a link of the router, as it counts them."""
    return int(router.run(["nstat", "-asz", "IpFragFails"]).split()[-2])
