"""One supervisor after the other, on either stack: upgraded while clients ask, and killed while they do."""

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.machine.procfs import start_ticks

from ..clients import Clients
from ..conftest import Place, Server, wait_until

BROKEN = "raise RuntimeError('no such table: users')\n"


def is_replaced(server: Server, before: list[int]) -> Callable[[], bool]:
    """Whether all workers are others, and nothing is under way any more."""

    def look() -> bool:
        status = server.status()
        return not status["reloading"] and not set(server.worker_pids()) & {0, *before}

    return look


def end_after(server: Server, clients: Clients, seen: int) -> None:
    wait_until(lambda: len(clients.outcomes) > seen + 20, "further requests")
    assert server.command("stop").returncode == 0


def test_upgrade__under_requests__same_process_other_workers_none_lost(place: Place) -> None:
    server = place.start("--workers", "1").wait_ready()
    before, keeper, port = server.worker_pids(), server.keeper(), server.port()
    clients = Clients(port, 2, place.inside)
    with clients.running():
        wait_until(lambda: len(clients.outcomes) > 20, "requests")
        done = server.command("upgrade")
        assert done.returncode == 0, done.stderr + server.log()
        assert done.stdout.startswith(f"upgrade: done; supervisor {server.process.pid}, workers ")
        assert is_replaced(server, before)()
        assert (server.status()["pid"], server.keeper()) == (server.process.pid, keeper)
        end_after(server, clients, len(clients.outcomes))
    assert Counter(clients.outcomes)["refused"] == 2
    assert set(clients.outcomes) == {"answered", "refused"}, Counter(clients.outcomes)
    assert server.wait_end() == 0
    assert not server.directory.exists()


@pytest.mark.parametrize("place", ["kernel"], indirect=True)
def test_upgrade__new_version_does_not_come_up__old_one_serves_and_says_why(
    place: Place, tmp_path: Path
) -> None:
    module = tmp_path / "upgraded.py"
    module.write_text("async def handler(stream):\n    await stream.close()\n")
    module.chmod(0o644)
    server = place.start("--workers", "1", target="upgraded:handler", PYTHONPATH=str(tmp_path)).wait_ready()
    before = server.worker_pids()
    module.write_text(BROKEN)
    refused = server.command("upgrade")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "does not come up (exit code " in refused.stderr
    assert "no such table: users" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    server.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: server.log().count("upgrade refused: ") == 2, "the second refusal")
    assert server.worker_pids() == before
    assert server.command("stop").returncode == 0


def test_supervisor_killed__under_requests__workers_go_on_and_the_next_start_takes_them_over(
    place: Place,
) -> None:
    server = place.start("--workers", "1").wait_ready()
    before, port = server.worker_pids(), server.port()
    clients = Clients(port, 2, place.inside)
    with clients.running():
        server.process.kill()
        server.process.wait()
        seen = len(clients.outcomes)
        wait_until(lambda: len(clients.outcomes) > seen + 20, "requests without a supervisor")
        left = server.command("status")
        assert (left.returncode, left.stdout) == (1, "")
        assert f"the supervisor is gone, and its workers ({before[0]}) go on without one" in left.stderr
        other = place.start("--workers", "1", "--host", "127.0.0.2")
        assert other.wait_end() == 2
        assert "server.host stays '127.0.0.1' until a restart; end them first: gossamer stop" in other.log()
        after = place.start("--workers", "1").wait_ready()
        wait_until(is_replaced(after, before), "workers of the new supervisor")
        assert (after.port(), after.status()["pid"]) == (port, after.process.pid)
        end_after(after, clients, len(clients.outcomes))
    assert set(clients.outcomes) == {"answered", "refused"}, Counter(clients.outcomes)
    assert after.wait_end() == 0
    assert not after.directory.exists()


def test_supervisor_killed__stop_or_sigterm_to_the_keeper__workers_end_and_nothing_is_left(
    place: Place, request: pytest.FixtureRequest
) -> None:
    server = place.start("--workers", "1").wait_ready()
    keeper, (worker,) = server.keeper(), server.worker_pids()
    server.process.kill()
    server.process.wait()
    if place.stack == "kernel":
        os.kill(keeper, signal.SIGTERM)
        wait_until(lambda: start_ticks(keeper) is None, "the keeper ends")
    else:
        done = server.command("stop")
        assert done.returncode == 0, done.stderr
        assert start_ticks(keeper) is None
    assert start_ticks(worker) is None
    assert not server.directory.exists()
    if place.stack == "nfqueue":
        namespace: Namespace = request.getfixturevalue("namespace")
        assert "GSMR" not in namespace.run(["iptables-save"])
        assert namespace.pids() == []


@pytest.mark.needs("nfqueue")
@pytest.mark.parametrize("place", ["nfqueue"], indirect=True)
def test_keeper_killed__said__rules_are_the_supervisors__workers_end_with_it(place: Place) -> None:
    server = place.start("--workers", "1").wait_ready()
    (worker,) = server.worker_pids()
    os.kill(server.keeper(), signal.SIGKILL)
    mark = f"-{server.process.pid}-"
    wait_until(lambda: all(mark in chain for chain in server.status()["chains"]), "rules of its own")
    assert "has ended: workers end with a supervisor that is killed" in server.log()
    assert server.worker_pids() == [worker]
    refused = server.command("upgrade")
    assert refused.returncode == 1
    assert refused.stderr.startswith("gossamer: upgrade: this server has no keeper")
    server.process.kill()
    server.process.wait()
    wait_until(lambda: start_ticks(worker) is None, "the worker ends")
    assert server.command("status").returncode == 5
