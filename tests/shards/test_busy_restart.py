"""Workers replaced and killed on a busy machine, while clients are in the midst of a request head: none of
them is lost. On a quiet machine all of that is over before anything can meet it."""

import contextlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.loadtest.half_heads import HalfHeads
from gossamer.loadtest.hogs import hogs
from gossamer.loadtest.steady import SteadyClients

from .conftest import Place, Server, wait_until
from .test_survival import SURVIVING, kill

BODY = b"hello\n"
HOGS = 3
CLIENTS = 6
STEADY = 8
LONG_HEAD = ("--set", "web.head_timeout=120s")
Event = Callable[[Server, int], None]


def reload(server: Server, _number: int) -> None:
    done = server.command("reload")
    assert done.returncode == 0, done.stderr + server.log()


def kill_one(server: Server, number: int) -> None:
    kill(server, number % 2)


def played(place: Place, event: Event, rounds: int, *options: str) -> None:
    """Each round: half a head, the event, the rest; beside it clients in a closed loop."""
    server = place.start(*LONG_HEAD, *options, workers="2").wait_ready()
    address = ("127.0.0.1", server.port())
    steady = SteadyClients(address, STEADY, 0.05, BODY, place.inside())
    lost: list[Counter[str]] = []
    with hogs(HOGS), contextlib.ExitStack() as at_end:
        at_end.callback(steady.end)
        steady.start()
        for number in range(rounds):
            clients = HalfHeads(address, CLIENTS, BODY, place.inside())
            clients.begin()
            event(server, number)
            lost.append(clients.finish())
            wait_until(lambda: not server.status()["reloading"], "it is over")
    assert not any(lost), f"{lost}\n{server.log()}"
    met = steady.outcome
    assert (met.lost, met.reopened) == (Counter(), 0), f"{met}\n{server.log()}"
    assert met.answered


def test_reload__three_times_in_the_midst_of_a_head__none_is_lost(place: Place) -> None:
    """Whoever takes from a worker is replaced itself before that one is done: they form a chain."""
    server = place.start(*LONG_HEAD, workers="2").wait_ready()
    clients = HalfHeads(("127.0.0.1", server.port()), 2 * CLIENTS, BODY, place.inside())
    clients.begin()
    before = server.worker_pids()
    for number in range(3):
        reload(server, number)
    assert clients.finish() == Counter(), server.log()
    assert clients.met.answered == 5 * CLIENTS
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in before), "the first ones have ended")


def test_reload__in_the_midst_of_heads_beside_hogs__none_is_lost(place: Place) -> None:
    played(place, reload, 1)


@pytest.mark.parametrize("place", ["nfqueue"], indirect=True)
@pytest.mark.needs("nfqueue")
def test_killed__in_the_midst_of_heads_beside_hogs__none_is_lost(place: Place) -> None:
    played(place, kill_one, 2, *SURVIVING)


@pytest.mark.long
def test_reload__again_and_again_in_the_midst_of_heads_beside_hogs__none_is_lost(place: Place) -> None:
    played(place, reload, 10)


@pytest.mark.long
@pytest.mark.parametrize("place", ["nfqueue"], indirect=True)
@pytest.mark.needs("nfqueue")
def test_killed__again_and_again_in_the_midst_of_heads_beside_hogs__none_is_lost(place: Place) -> None:
    played(place, kill_one, 10, *SURVIVING)
