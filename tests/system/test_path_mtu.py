"""A path with a narrow link between two routers: what they report by ICMP reaches our TCP, which
finds out by itself what they do not report."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import Namespace, namespace, run
from gossamer.loadtest.servers import Gossamer

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7871
SERVER, CLIENT = "10.78.1.2", "10.78.3.2"
BODY_BYTES = 3_000_000


def join(left: Namespace, right: Namespace, net: str, mtu: int, names: tuple[str, str]) -> None:
    """A veth pair between two namespaces, .1 on the left and .2 on the right."""
    peer = ["peer", "name", names[1], "netns", right.name]
    run(["ip", "link", "add", names[0], "netns", left.name, "type", "veth", *peer])
    for place, name, host in ((left, names[0], 1), (right, names[1], 2)):
        place.run(["ip", "addr", "add", f"{net}.{host}/24", "dev", name])
        place.run(["ip", "link", "set", name, "mtu", str(mtu), "up"])


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
        server.run(["ip", "route", "add", "default", "via", "10.78.1.1"])
        client.run(["ip", "route", "add", "default", "via", "10.78.3.1"])
        near.run(["ip", "route", "add", "10.78.3.0/24", "via", "10.78.2.1"])
        far.run(["ip", "route", "add", "10.78.1.0/24", "via", "10.78.2.2"])
        yield client, near, server


@pytest.mark.parametrize("reports", [True, False], ids=["the router reports", "the router is silent"])
def test_download__narrow_link_on_the_way__arrives_whole(
    reports: bool,
    path_of_three: tuple[Namespace, Namespace, Namespace],
    tmp_path: Path,
    start: Callable[..., Gossamer],
) -> None:
    client, near, server = path_of_three
    site = tmp_path / "site"
    site.mkdir()
    body = hashlib.shake_256(b"path").digest(BODY_BYTES)
    (site / "big.bin").write_bytes(body)
    if not reports:
        near.run(["iptables", "-w", "-A", "OUTPUT", "-p", "icmp", "-j", "DROP"])
    start(server, site, stack="nfqueue", port=PORT, host="0.0.0.0")
    got = tmp_path / "got"
    url = f"http://{SERVER}:{PORT}/big.bin"
    client.run(["curl", "-sS", "--fail", "--max-time", "30", "-o", str(got), url])
    assert got.read_bytes() == body
    refused = int(near.run(["nstat", "-asz", "IpFragFails"]).split()[-2])
    assert 0 < refused <= 200, "segments that were too long for the narrow link"
    again = client.run(
        ["curl", "-sS", "--fail", "--max-time", "30", "-w", "%{time_total}", "-o", str(got), url]
    )
    if reports:
        assert float(again) < 5
        after = int(near.run(["nstat", "-asz", "IpFragFails"]).split()[-2])
        assert after == refused, "the next connection begins with what the router reported"
