"""What the supervisor believes of its workers: no byte that they write ends it, or harms another of them."""

import os
import signal
from pathlib import Path

import pytest

from .conftest import Place, Server, wait_until

HERE = str(Path(__file__).parent)
MOST = (1 << 64) - 1


def start(place: Place, *argv: str) -> Server:
    """A server of two workers whose handler does what it is told."""
    return place.start(*argv, target="hostile:handler", PYTHONPATH=HERE).wait_ready()


def ask_each(place: Place, server: Server, question: str) -> set[str]:
    """What the workers answer, over connections enough for each to get one."""
    return {place.ask(server.port(), question) for _ in range(12)}


@pytest.mark.parametrize("word", ["99", str(MOST)])
def test_worker__stores_a_state_that_is_none__it_alone_is_killed_and_replaced(
    place: Place, word: str
) -> None:
    server = start(place)
    before = set(server.worker_pids())
    place.ask(server.port(), f"store state {word}")
    wait_until(lambda: "what it says of its state is none: killed" in server.log(), "the worker is killed")
    wait_until(
        lambda: all(each["state"] == "serving" for each in server.status()["workers"]), "both serve again"
    )
    assert len(before & set(server.worker_pids())) == 1
    assert "Traceback" not in server.log()
    assert server.command("stop").returncode == 0


def test_worker__stores_the_largest_of_all__status_still_answers(place: Place) -> None:
    server = start(place)
    ask_each(place, server, "totals")
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in server.worker_pids() and 0 not in server.worker_pids(), "a new one")
    ask_each(place, server, "totals")
    found = server.command("status")
    assert (found.returncode, found.stderr) == (0, "")
    assert server.command("status", "--json").returncode == 0
    assert "Traceback" not in server.log()


def test_worker__overwrites_all_counters_it_reaches__only_its_own_row(place: Place) -> None:
    server = start(place)
    assert ask_each(place, server, "mappings") == {"1"}
    place.ask(server.port(), "overwrite")
    wait_until(lambda: "its state is none" in server.log(), "the worker is killed")
    wait_until(lambda: sum(each["restarts"] for each in server.status()["workers"]) == 1, "one is replaced")
    assert server.log().count("its state is none") == 1


def test_worker__heart_beats_in_a_time_to_come__is_killed_when_it_hangs(place: Place) -> None:
    server = start(place, "--workers", "1", "--set", "supervisor.heartbeat_timeout=1s")
    with pytest.raises((AssertionError, OSError)):
        place.ask(server.port(), "hang")
    wait_until(lambda: "no heartbeat for" in server.log(), "it is killed", seconds=10)


def test_worker__descriptors__of_no_other_worker(place: Place) -> None:
    server = start(place)
    for held in ask_each(place, server, "descriptors"):
        lines = held.splitlines()
        assert len([line for line in lines if "gossamer-counters" in line]) == 1, held
        assert not [line for line in lines if "control.sock" in line or line.endswith("/lock")], held
