"""The load generator opens connections on the functional TCP, to servers on the kernel's and on our own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.linked import linked
from gossamer.loadtest.namespaces import RIGHT_V4, RIGHT_V6, Namespace
from gossamer.loadtest.peers import start_nginx
from gossamer.loadtest.servers import Gossamer, gossamer_command, running

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7831
Start = Callable[..., Gossamer]


def load(space: Namespace, url: str, *options: str) -> dict[str, Any]:
    """What `gossamer load --stack nfqueue --json` reports."""
    argv = [*gossamer_command(), "load", url, "--stack", "nfqueue", "--json", *options]
    found: dict[str, Any] = json.loads(space.run(argv, timeout_s=90))
    return found


def assert_clean(space: Namespace) -> None:
    """The client's firewall slice is gone."""
    saved = space.run(["iptables-save"]) + space.run(["ip6tables-save"])
    assert "GSMR" not in saved
    assert "NFQUEUE" not in saved


def test_client_on_functional_tcp__nginx_on_the_kernels__all_answered_and_again_at_once(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    """Over connections that stay, then over one for each request: such a run takes all of its ports, and the
    server's TIME-WAIT remembers every one in the next."""
    left, right = joined_namespaces
    with running(start_nginx(right, site, tmp_path / "nginx", port=PORT)):
        url, six = f"http://{RIGHT_V4}:{PORT}", f"http://[{RIGHT_V6}]:{PORT}"
        one = load(left, f"{url}/one.bin", "-c", "16", "--requests", "1000", "-d", "30s")
        large = load(left, f"{url}/large.bin", "-c", "2", "--requests", "10", "-d", "30s")
        over_ipv6 = load(left, f"{six}/one.bin", "-c", "8", "--requests", "100", "-d", "30s")
        runs = [
            load(left, f"{url}/one.bin", "-c", "8", "--requests", "1500", "--no-keepalive") for _ in range(2)
        ]
    assert (one["requests_total"], one["errors_total"]) == (1000, 0)
    assert one["body_bytes"] == 1000 * len(files["one.bin"])
    assert (large["requests_total"], large["errors_total"]) == (10, 0)
    assert large["body_bytes"] == 10 * len(files["large.bin"])
    assert (over_ipv6["requests_total"], over_ipv6["errors_total"]) == (100, 0)
    for found in runs:
        assert (found["requests_total"], found["errors_total"]) == (1500, 0)
        assert found["connections_total"] >= 1500
        assert found["connect_us"]["p99.9"] < 900_000, found["connect_us"]
    assert_clean(left)


def test_client_and_server_on_functional_tcp__loopback__all_answered(
    namespace: Namespace, site: Path, files: dict[str, bytes], start: Start
) -> None:
    start(namespace, site, stack="nfqueue", port=PORT)
    found = load(
        namespace, f"http://127.0.0.1:{PORT}/medium.bin", "-c", "8", "--requests", "400", "-d", "30s"
    )
    assert (found["requests_total"], found["errors_total"]) == (400, 0)
    assert found["body_bytes"] == 400 * len(files["medium.bin"])


@pytest.mark.needs("tun")
def test_client_on_functional_tcp__bad_link__all_answered(
    namespace_pair: tuple[Namespace, Namespace], site: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    left, right = namespace_pair
    faults = LinkFaults(loss=0.02, reorder=0.02, duplicate=0.01, corrupt=0.002)
    with (
        linked(left, right, faults, seed=5),
        running(start_nginx(right, site, tmp_path / "nginx", port=PORT)),
    ):
        found = load(left, f"http://{RIGHT_V4}:{PORT}/large.bin", "-c", "4", "--requests", "12", "-d", "60s")
    assert (found["requests_total"], found["errors_total"]) == (12, 0)
    assert found["body_bytes"] == 12 * len(files["large.bin"])
    assert_clean(left)
