"""Who is connected loses no request to those that crowd in or leave beside it: on both stacks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from gossamer.loadtest.bench_flood import BURST, FORGED, PORT
from gossamer.loadtest.met import Met
from gossamer.loadtest.namespaces import LEFT_V4, RIGHT_V4, Namespace
from gossamer.loadtest.servers import Gossamer
from gossamer.loadtest.steady import SteadyClients

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
Start = Callable[..., Gossamer]

CLIENTS: Final = 20
PAUSE_S: Final = 0.05
FLOOD_S: Final = 3
SYNS_PER_S: Final = 54_000
"""Or as many as this machine makes."""
END: Final = "<p>the index page\n"
SMALL_QUEUES: Final = {"queues": 1, "queue_length_max": 512, "handshake_queue_length_max": 16}
"""Room for all that the clients have under way, and for no burst of a flood: BURST is 64."""
CROWDS: Final = (4_000, pytest.param(14_000, marks=pytest.mark.long))
"""A process may be refused more than 20,000 descriptors, of which a worker keeps some for files."""
PATIENCE_S: Final = 30.0

ASK_ONCE_AND_STAY = """
import socket, sys
address, port, count, end = sys.argv[1:]
held = []
for _ in range(int(count)):
    held.append(socket.create_connection((address, int(port)), 30))
    held[-1].sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    answer = b""
    while not answer.endswith(end.encode()):
        piece = held[-1].recv(65536)
        assert piece, answer
        answer += piece
print("ready", flush=True)
sys.stdin.read()
"""
"""All of them leave as it ends: its kernel sends each FIN."""


def steady(client: Namespace) -> SteadyClients:
    """Keep-alive clients that ask all the while."""
    clients = SteadyClients((RIGHT_V4, PORT), CLIENTS, PAUSE_S, END.encode(), client.entered())
    clients.start()
    return clients


def assert_nothing_lost(outcome: Met) -> None:
    """Every request was answered, over the connection of its own."""
    assert (dict(outcome.lost), outcome.reopened) == ({}, 0), outcome
    assert outcome.answered >= CLIENTS


def dropped(place: Namespace, server: Gossamer) -> tuple[int, int]:
    """Packets that the kernel has dropped for want of room: of connections, and of what would open one."""
    own = {queue for worker in server.status()["workers"] for queue in worker["queues"]}
    of_connections = of_openings = 0
    for line in place.run(["cat", "/proc/net/netfilter/nfnetlink_queue"]).splitlines():
        number, _, _, _, _, of_queue, of_socket, *_ = map(int, line.split())
        if number in own:
            of_connections += of_queue + of_socket
        else:
            of_openings += of_queue + of_socket
    return of_connections, of_openings


def test_syn_flood__more_than_can_be_read__no_request_of_who_is_connected_is_lost(
    joined_namespaces: tuple[Namespace, Namespace],
    site: Path,
    start: Start,
    stack: str,
) -> None:
    client, place = joined_namespaces
    place.ip(f"route add {FORGED} via {LEFT_V4}")
    bounds = [word for key, bound in SMALL_QUEUES.items() for word in ("--set", f"nfqueue.{key}={bound}")]
    server = start(place, site, *bounds, stack=stack, port=PORT)
    clients = steady(client)
    flooder = [sys.executable, "-P", "-m", "gossamer.loadtest.bench_flood"]
    sent = int(client.run([*flooder, "--send", str(SYNS_PER_S), str(FLOOD_S)]))
    assert_nothing_lost(clients.end())
    assert sent > 10 * BURST
    if stack == "nfqueue":
        of_connections, of_openings = dropped(place, server)
        assert of_connections == 0 < of_openings


@pytest.mark.parametrize("count", CROWDS)
def test_crowd__leaves_while_the_worker_stands_still__no_request_of_another_is_lost(
    joined_namespaces: tuple[Namespace, Namespace],
    site: Path,
    start: Start,
    stack: str,
    count: int,
) -> None:
    client, place = joined_namespaces
    limits = ("--timeout-keep-alive", "120s", "--limit-concurrency", "16000")
    # However long the worker stands still on a busy machine, it is not taken for dead.
    patient = ("--set", "supervisor.heartbeat_timeout=60s")
    server = start(place, site, *limits, *patient, stack=stack, port=PORT)
    argv = [sys.executable, "-c", ASK_ONCE_AND_STAY, RIGHT_V4, str(PORT), str(count), END]
    crowd = client.start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert crowd.stdout is not None
    assert crowd.stdout.readline() == b"ready\n"
    clients = steady(client)
    (pid,) = server.pids()
    assert server.settled_status()["workers"][0]["connections"] >= count
    os.kill(pid, signal.SIGSTOP)
    try:
        crowd.communicate(timeout=PATIENCE_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert_nothing_lost(clients.end())
    if stack == "nfqueue":
        assert dropped(place, server) == (0, 0)
    give_up = time.monotonic() + PATIENCE_S
    while server.settled_status()["workers"][0]["connections"]:
        assert time.monotonic() < give_up, "somebody who has left is counted"
