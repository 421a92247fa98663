"""HAProxy before two hosts, as deploy/haproxy.cfg has it: one dies, and the service goes on."""

import contextlib
import http.client
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossamer.loadtest import namespaces
from gossamer.loadtest.namespaces import Namespace

from ..shards.conftest import Server, wait_until

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
SECONDS = 6.0


@pytest.fixture
def hosts(no_stale_namespaces: None) -> Iterator[tuple[Namespace, Namespace, Namespace]]:
    """A front, and two hosts that it reaches as 10.78.1.2 and 10.78.2.2."""
    del no_stale_namespaces
    with contextlib.ExitStack() as held:
        front, *two = (held.enter_context(namespaces.namespace()) for _ in range(3))
        for number, host in enumerate(two, 1):
            ends = ["name", f"to{number}", "netns", front.name, "type", "veth"]
            peer = ["peer", "name", "eth0", "netns", host.name]
            namespaces.run(["ip", "link", "add", *ends, *peer])
            for side, device, last in ((front, f"to{number}", 1), (host, "eth0", 2)):
                side.run(["ip", "addr", "add", f"10.78.{number}.{last}/24", "dev", device])
                side.run(["ip", "link", "set", device, "up"])
        yield front, two[0], two[1]


def ask(front: Namespace) -> int:
    """The status of one request over a connection of its own; 0 where none came."""
    with front.entered():
        connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


@pytest.mark.long
@pytest.mark.needs("namespaces", "nfqueue", "haproxy")
def test_two_hosts__one_dies__the_service_goes_on(
    hosts: tuple[Namespace, Namespace, Namespace], site: Path, tmp_path: Path
) -> None:
    front = hosts[0]
    config = tmp_path / "config.toml"
    config.write_text(
        '[log]\naccess_log = true\naccess_log_format = "{client} {peer}"\n'
        '[web]\nproxy_protocol = ["10.78.0.0/16"]\n'
    )
    text = CONFIGURATION.read_text().replace("192.0.2.11", "10.78.1.2").replace("192.0.2.12", "10.78.2.2")
    (tmp_path / "haproxy.cfg").write_text(text.replace("maxconn 20000", "maxconn 2000"))
    servers = [
        Server(
            tmp_path / f"host{number}",
            [
                *(str(site), "--config", str(config), "--stack", "nfqueue", "--workers", "1"),
                *("--host", "0.0.0.0", "--port", "8080"),
            ],
            host.command([]),
        )
        for number, host in enumerate(hosts[1:], 1)
    ]
    proxy = None
    try:
        for server in servers:
            server.wait_ready()
        proxy = front.start(
            ["haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")], stderr=subprocess.DEVNULL
        )
        wait_until(lambda: ask(front) == 200, "the service")
        begun = time.monotonic()
        answers: list[tuple[float, int]] = []
        is_dead = False
        while (now := time.monotonic() - begun) < SECONDS:
            if now > SECONDS / 4 and not is_dead:
                hosts[1].run(["ip", "link", "set", "eth0", "down"])
                is_dead = True
            answers.append((now, ask(front)))
        failed = [at for at, status in answers if status != 200]
        print(f"{len(answers)} requests, {len(failed)} lost, at {failed}")
        assert not [at for at in failed if at > SECONDS / 4 + 3], "it must go on by itself"
        assert len(failed) <= 3
        assert "127.0.0.1 127.0.0.1" in servers[1].log()
    finally:
        if proxy is not None:
            namespaces.end(proxy)
        for server in servers:
            server.end()
