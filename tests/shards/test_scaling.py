"""More workers and fewer, while clients stay connected."""

import contextlib
import os
import signal
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.shards.exitcode import CommandError
from gossamer.shards.rundir.control import ControlRequest, ask
from gossamer.shards.rundir.rundir import CONTROL

from .conftest import Place, Server, wait_until

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CLIENTS = 12
TOTAL_RETRANS = struct.Struct("=I")
"""tcpi_total_retrans of struct tcp_info, behind 8 octets and 23 numbers."""


def answered(client: socket.socket) -> bool:
    """Whether a request on an open connection is answered whole; False where the server has closed it."""
    client.sendall(REQUEST)
    return client.recv(4096).endswith(b"hello\n")


def change(server: Server, command: str, workers: int) -> None:
    """Have one more or one less, and wait for it."""
    ask(server.directory / CONTROL, ControlRequest(command))  # type: ignore[arg-type]
    wait_until(
        lambda: not (s := server.status())["reloading"] and len(s["workers"]) == workers,
        f"{workers} workers",
    )


def test_workers__added_and_removed__who_is_connected_stays_so(place: Place) -> None:
    server = place.start("--set", "server.limit_buffers_bytes=96MiB", workers="2").wait_ready()
    clients = [place.connect(server.port()) for _ in range(CLIENTS)]
    assert all(map(answered, clients))
    change(server, "add", 3)
    for part in ("48MiB", "32MiB") if place.stack == "nfqueue" else ():
        wait_until(lambda part=part: f"at most {part} in buffers" in server.log(), f"{part} each")  # type: ignore[misc]
    assert all(map(answered, clients))
    owned = [tuple(worker["queues"]) for worker in server.status()["workers"]]
    assert all(owned) == (place.stack == "nfqueue")
    clients += [place.connect(server.port()) for _ in range(2 * CLIENTS)]
    change(server, "remove", 2)
    assert all(map(answered, clients))
    wait_until(
        lambda: sum(worker["totals"]["moved_in_total"] for worker in server.status()["workers"]),
        "some have moved",
    )
    with place.connect(server.port()) as client:
        assert answered(client)
    for client in clients:
        client.close()


def test_reload__another_number_of_workers__so_many__but_never_none(place: Place, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[server]\nworkers = 1\n")
    server = place.start("--config", str(config), workers="").wait_ready()
    with pytest.raises(CommandError, match="workers: found 0; allowed: 1 to"):
        ask(server.directory / CONTROL, ControlRequest("remove"))
    config.write_text("[server]\nworkers = 2\n")
    with place.connect(server.port()) as client:
        assert answered(client)
        server.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: not (s := server.status())["reloading"] and len(s["workers"]) == 2,
            "two workers",
        )
        assert answered(client)


@pytest.mark.needs("nfqueue")
@pytest.mark.parametrize("place", ["nfqueue"], indirect=True)
def test_worker_killed__the_living_one_has_its_queues_at_once(place: Place) -> None:
    server = place.start(workers="2").wait_ready()
    victim, living = server.status()["workers"]
    os.kill(victim["pid"], signal.SIGSTOP)
    os.kill(victim["pid"], signal.SIGKILL)
    status = wait_until(
        lambda: (s := server.status())["workers"][0]["pid"] != victim["pid"] and s["workers"],
        "it is seen",
    )
    assert living["pid"] == status[1]["pid"]
    for _ in range(CLIENTS):
        with place.connect(server.port()) as client:
            assert answered(client)
    wait_until(lambda: not server.status()["reloading"], "the new one has its share")
    assert all(worker["queues"] for worker in server.status()["workers"])


GATED = """
import time
from pathlib import Path

while Path({gate!r}).exists():
    time.sleep(0.02)


async def handler(stream):
    async with stream:
        await stream.recv(100)
        await stream.send(b"hello")
"""


def ask_once(server: Server) -> int:
    """Be answered, by any of them; how many SYNs and other segments were sent again for that."""
    with socket.create_connection(("127.0.0.1", server.port()), 10) as client:
        client.sendall(b"?")
        assert client.recv(100) == b"hello", server.log()
        info = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        return int(TOTAL_RETRANS.unpack_from(info, 100)[0])


def test_add__the_new_one_is_not_there_yet__what_is_new_does_not_wait_for_it(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """On kernel sockets, where the kernel shares out what is new among all that listen."""
    gate = tmp_path / "gate"
    (tmp_path / "gated.py").write_text(GATED.format(gate=str(gate)))
    server = serve(target="gated:handler", PYTHONPATH=str(tmp_path)).wait_ready()
    gate.touch()
    ask(server.directory / CONTROL, ControlRequest("add"))
    wait_until(lambda: len(server.status()["workers"]) == 2, "the second is begun")
    for _ in range(2 * CLIENTS):
        ask_once(server)
    assert [worker["state"] for worker in server.status()["workers"]] == ["serving", "starting"]
    gate.unlink()
    wait_until(
        lambda: not ask_once(server) and server.status()["workers"][1]["totals"]["accepted_total"],
        "the second is asked too",
    )


STAYING = """
async def handler(stream):
    async with stream:
        while (question := await stream.recv(100)) != b"?":
            await stream.send(b"%d" % os.getpid())
        await stream.send(b"hello")
"""


def test_remove__the_leaving_one_is_still_busy__nobody_new_waits_for_it(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """On kernel sockets. A SYN that nobody takes is sent again after a second."""
    (tmp_path / "staying.py").write_text("import os\n" + STAYING)
    server = serve(target="staying:handler", PYTHONPATH=str(tmp_path), workers="2").wait_ready()
    server.wait_serving()
    leaving = server.status()["workers"][1]["pid"]
    with contextlib.ExitStack() as clients:
        for _ in range(CLIENTS):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port()), 10))
            client.sendall(b"who")
            assert client.recv(100)
        ask(server.directory / CONTROL, ControlRequest("remove"))
        wait_until(lambda: "draining" in [each["state"] for each in server.status()["workers"]], "it leaves")
        assert sum(ask_once(server) for _ in range(2 * CLIENTS)) == 0
    wait_until(lambda: len(server.status()["workers"]) == 1, "it has left")
    assert leaving not in server.worker_pids()
    assert sum(ask_once(server) for _ in range(2 * CLIENTS)) == 0
