"""What the supervisor believes of its workers: no byte that they write ends it, or harms another of them."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

from ..conftest import Place, Server, wait_until

HERE = str(Path(__file__).parent.parent)
MOST = (1 << 64) - 1


def ask_each(place: Place, server: Server, question: str) -> set[str]:
    """What the workers answer, over connections enough for each to get one."""
    return {place.ask(server.port(), question) for _ in range(12)}


def wait_until_all_serve(server: Server) -> None:
    """And until queues are where they are to be: what comes next is another's death."""
    wait_until(
        lambda: (
            (s := server.status())
            and not s["reloading"]
            and all(each["state"] == "serving" for each in s["workers"])
        ),
        "both serve again",
    )


def restarts(server: Server) -> int:
    return sum(each["restarts"] for each in server.status()["workers"])


def test_worker__in_other_hands__harms_no_other_and_is_replaced_alone(place: Place) -> None:
    """One server of two workers, whose handler does what it is told."""
    server = place.start(target="hostile:handler", PYTHONPATH=HERE, workers="2").wait_ready()
    descriptors_are_of_no_other_worker(place, server)
    largest_of_all_numbers_and_status_still_answers(place, server)
    for word in ("99", str(MOST)):
        a_state_that_is_none_and_it_alone_is_replaced(place, server, word)
    all_counters_that_it_reaches_are_its_own_row(place, server)
    assert "Traceback" not in server.log()
    assert server.command("stop").returncode == 0


def descriptors_are_of_no_other_worker(place: Place, server: Server) -> None:
    for held in ask_each(place, server, "descriptors"):
        lines = held.splitlines()
        assert len([line for line in lines if "gossamer-counters" in line]) == 1, held
        assert not [line for line in lines if "control.sock" in line or line.endswith("/lock")], held


def largest_of_all_numbers_and_status_still_answers(place: Place, server: Server) -> None:
    ask_each(place, server, "totals")
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: victim not in server.worker_pids() and 0 not in server.worker_pids(), "a new one")
    ask_each(place, server, "totals")
    found = server.command("status")
    assert (found.returncode, found.stderr) == (0, "")
    assert server.command("status", "--json").returncode == 0
    wait_until_all_serve(server)


def have_one_do(place: Place, server: Server, what: str) -> None:
    """It is killed for it, and may be before its answer has left."""
    with contextlib.suppress(ConnectionError):
        place.ask(server.port(), what)


def a_state_that_is_none_and_it_alone_is_replaced(place: Place, server: Server, word: str) -> None:
    before, said = set(server.worker_pids()), "what it says of its state is none: killed"
    count = server.log().count(said)
    have_one_do(place, server, f"store state {word}")
    wait_until(lambda: server.log().count(said) == count + 1, "the worker is killed")
    wait_until(lambda: before != set(server.worker_pids()), "it is gone")
    wait_until_all_serve(server)
    assert len(before & set(server.worker_pids())) == 1, server.log()


def all_counters_that_it_reaches_are_its_own_row(place: Place, server: Server) -> None:
    assert ask_each(place, server, "mappings") == {"1"}
    count, before = server.log().count("its state is none"), restarts(server)
    have_one_do(place, server, "overwrite")
    wait_until(lambda: restarts(server) == before + 1, "one is replaced")
    wait_until_all_serve(server)
    assert server.log().count("its state is none") == count + 1


@pytest.mark.parametrize("place", ["kernel"], indirect=True)
def test_worker__heart_beats_in_a_time_to_come__is_killed_when_it_hangs(place: Place) -> None:
    options = ("--set", "supervisor.heartbeat_timeout=1s")
    server = place.start(*options, target="hostile:handler", PYTHONPATH=HERE).wait_ready()
    with pytest.raises((AssertionError, OSError)):
        place.ask(server.port(), "hang")
    wait_until(lambda: "no heartbeat for" in server.log(), "it is killed", seconds=10)
