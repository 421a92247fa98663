"""Many short connections between the two TCPs: each is opened, asked once, closed; none fails, none is reset.

`make interop` opens 10,000 in each direction; a run of all tests 300.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.loadtest.capture import captured
from gossamer.loadtest.interop.wire import judge, read
from gossamer.loadtest.namespaces import RIGHT_V4, RIGHT_V6, Namespace
from gossamer.loadtest.servers import Gossamer, gossamer_command

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
COUNT = 10_000 if "GOSSAMER_INTEROP" in os.environ else 300
PORT = 7891


@pytest.mark.parametrize(
    ("client", "server", "address"),
    [("kernel", "nfqueue", RIGHT_V4), ("nfqueue", "kernel", RIGHT_V4), ("nfqueue", "nfqueue", RIGHT_V6)],
)
def test_short_connections__all_answered_none_reset(
    joined_namespaces: tuple[Namespace, Namespace],
    site: Path,
    files: dict[str, bytes],
    tmp_path: Path,
    start: Callable[..., Gossamer],
    client: str,
    server: str,
    address: str,
) -> None:
    left, right = joined_namespaces
    for space in (left, right):
        space.run(["ethtool", "-K", "eth0", "tx", "off"])
    start(right, site, stack=server, port=PORT, host="::")
    host = f"[{address}]" if ":" in address else address
    argv = [*gossamer_command(), "load", f"http://{host}:{PORT}/one.bin", "--stack", client, "--json"]
    argv += ["-c", "16", "--requests", str(COUNT), "-d", "120s", "--no-keepalive"]
    with captured(left, "eth0", tmp_path / "packets", f"tcp port {PORT}") as wire:
        found = json.loads(left.run(argv, timeout_s=150))
    assert (found["requests_total"], found["errors_total"]) == (COUNT, 0)
    assert found["body_bytes"] == COUNT * len(files["one.bin"])
    assert found["connections_total"] >= COUNT
    judged = judge(read(wire), PORT, is_server=False)
    assert judged.seen["packets"] >= 4 * COUNT
    assert not +judged.faults
    assert not judged.seen["reset"]
