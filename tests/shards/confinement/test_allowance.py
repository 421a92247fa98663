"""What a worker may take of the machine, and that it is seen what holds."""

import http.client
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.ffi.privileges import CAP_NET_ADMIN
from gossamer.shards.confinement.allowance import connections_max

from ...cli.inside import gossamer
from ..conftest import PATIENCE_SECONDS, Place, Server, wait_until

Serve = Callable[..., Server]

HERE = str(Path(__file__).parent.parent)
FEW = ("sh", "-c", 'ulimit -n 128; exec "$@"', "sh")
LARGE_BYTES = 4 << 20
FILES = 20


@given(st.integers(1, 100_000), st.integers(16, 2_000_000), st.integers(0, 200))
def test_connections_max__any_limits__descriptors_are_left(wanted: int, descriptors: int, taken: int) -> None:
    most = connections_max(wanted, descriptors, taken)
    assert 1 <= most <= wanted
    assert most == 1 or descriptors - taken - most >= min(64, descriptors // 2)


def get(connection: http.client.HTTPConnection, path: str) -> tuple[int, int]:
    """The status of an answer, and its length."""
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, len(answer.read())


def test_more_clients_than_descriptors__files_are_still_opened(serve: Serve, site: Path) -> None:
    for number in range(FILES):
        (site / f"{number}.bin").write_bytes(bytes(LARGE_BYTES))
    server = serve(prefix=FEW).wait_ready()
    port = server.status()["port"]
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    assert get(client, "/") == (200, 6)
    others = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    wait_until(lambda: server.status()["workers"][0]["connections"] > 20, "many are accepted")
    answers = [get(client, f"/{number}.bin") for number in range(FILES)]
    assert answers == [(200, LARGE_BYTES)] * FILES
    assert "descriptors are kept for files" in server.log()
    for other in others:
        other.close()
    wait_until(lambda: server.status()["workers"][0]["connections"] <= 1, "they are gone")
    assert server.get() == (200, b"hello\n")


def test_memory__a_handler_wants_more__it_fails_and_the_server_goes_on(place: Place) -> None:
    argv = ("--set", "server.limit_memory_bytes=512MiB", "--set", "server.limit_descriptors=300")
    server = place.start(*argv, target="hostile:handler", PYTHONPATH=HERE).wait_ready()
    assert place.ask(server.port(), "allocate 1000") == "done"
    with pytest.raises((AssertionError, OSError)):
        place.ask(server.port(), f"allocate {1 << 30}")
    assert place.ask(server.port(), "allocate 1000") == "done"
    wait_until(lambda: "MemoryError" in server.log(), "it is logged")
    held = server.status()["workers"][0]["held"]
    assert (held["descriptors_max"], held["memory_max"]) == ("300", str(512 << 20))


@pytest.mark.parametrize(
    "key", ["limit_memory_bytes", "limit_connections_per_address", "limit_buffers_bytes"]
)
def test_limit__of_no_sense__refused_with_what_is_allowed(key: str) -> None:
    done = gossamer("serve", ".", "--check-config", "--set", f"server.{key}=much")
    assert done.returncode == 2
    assert f"server.{key}: found 'much'; allowed: an integer of at least 0" in done.stderr


@pytest.mark.needs("another-user")
def test_worker__is_nobody_with_no_more_than_it_needs__as_the_status_says(place: Place) -> None:
    server = place.start(prefix=("setpriv", "--groups=0,1,4", "--")).wait_ready()
    (worker,) = server.status()["workers"]
    held, capabilities = worker["held"], 1 << CAP_NET_ADMIN if place.stack == "nfqueue" else 0
    assert held["uid"] == 65534
    assert list(held["groups"]) == []
    assert (held["capabilities"], held["no_new_privileges"]) == (capabilities, True)
    shown = server.command("status").stdout
    has = "CAP_NET_ADMIN" if capabilities else "no capabilities"
    assert f"workers: uid 65534; no further groups; {has}; no new privileges; " in shown
    text = Path(f"/proc/{worker['pid']}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["65534"] * 4
    assert fields["Groups"].split() == []
    assert {int(fields[name], 16) for name in ("CapPrm", "CapEff")} == {capabilities}
    assert (int(fields["CapInh"], 16), fields["NoNewPrivs"]) == (0, "1")
