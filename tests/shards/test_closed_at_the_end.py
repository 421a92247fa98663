"""Whatever a server opens it closes itself: Python finds nothing to close where a process of it ends."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.shards.rundir.control import ControlRequest, ask
from gossamer.shards.rundir.rundir import CONTROL

from .conftest import Place, Server, wait_until

DEVELOPING = (sys.executable, "-X", "dev", "-W", "error::ResourceWarning")


def request(place: Place, server: Server) -> None:
    with place.connect(server.port()) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(4096).endswith(b"\r\n\r\nhello\n")


def replace(server: Server) -> None:
    """Have other workers, and then one less."""
    before = set(server.worker_pids())
    control = server.directory / CONTROL
    ask(control, ControlRequest("reload"))
    wait_until(lambda: is_settled(server) and not before & set(server.worker_pids()), "others")
    ask(control, ControlRequest("remove"))
    wait_until(lambda: is_settled(server) and len(server.worker_pids()) == 1, "one less")


def is_settled(server: Server) -> bool:
    return not server.status()["reloading"]


def nothing(_server: Server) -> None:
    """Go on."""


@pytest.mark.parametrize("meanwhile", [nothing, replace])
def test_stop__after_a_request__no_resource_is_left_to_python(
    place: Place, meanwhile: Callable[[Server], None]
) -> None:
    server = place.start(prefix=DEVELOPING, workers="2", GOSSAMER_NATIVE="0").wait_ready()
    request(place, server)
    meanwhile(server)
    request(place, server)
    assert server.command("stop").returncode == 0
    assert server.wait_end() == 0
    assert "ResourceWarning" not in server.log(), server.log()
    assert "Traceback" not in server.log()


def test_workers__of_a_python_with_options__have_them_too(place: Place) -> None:
    server = place.start(prefix=DEVELOPING).wait_ready()
    (worker,) = server.worker_pids()
    environment = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    assert b"PYTHONDEVMODE=1" in environment
    assert [each for each in environment if each.startswith(b"PYTHONWARNINGS=")]
