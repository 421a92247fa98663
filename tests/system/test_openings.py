"""The kernel's TCP opens connections to ours: with SYN cookies, and with Fast Open."""

import errno
import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gossamer.loadtest.namespaces import LEFT_V4, RIGHT_V4, RIGHT_V6, Namespace
from gossamer.loadtest.servers import Gossamer

from .reaching import ANSWERED, request

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7861
Start = Callable[..., Gossamer]

FAST_OPEN_CLIENT = """
import json, socket, struct, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
request = b"GET /one.bin HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"
found = []
for _ in range(int(sys.argv[3])):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
        client.sendto(request, socket.MSG_FASTOPEN, (sys.argv[1], int(sys.argv[2])))
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        options = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5]
        found.append((answer.partition(b"\\r\\n\\r\\n")[2].hex(), bool(options & 0x20)))
print(json.dumps(found))
"""
"""Prints the body of each connection, and whether its SYN's data was acknowledged (TCPI_OPT_SYN_DATA)."""


FORGED = "10.77.0.0/16"
"""Answers to its addresses leave towards the flooder, and are lost there."""

FLOODER = """
import socket, sys
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.segment import SYN, Segment, SynOptions
segment = Segment(1, 0, SYN, 1000, 5, syn_options=SynOptions(1460, 7, True))
with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
    for number in range(int(sys.argv[3])):
        forged = f"10.77.{1 + number // 200}.{1 + number % 200}", 1024 + number
        server = sys.argv[1], int(sys.argv[2])
        out.sendto(build_packet(pack_flow(forged, server), segment), (sys.argv[1], 0))
"""
"""Sends so many SYNs from addresses that nobody has."""

KERNEL_SERVER = """
import json, socket, sys
listening = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
print("ready", flush=True)
for size in sys.argv[2:]:
    peer, _ = listening.accept()
    data = b""
    while len(data) < int(size):
        data += peer.recv(65536)
    taken = bool(peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] & 0x20)
    peer.sendall(data)
    peer.close()
    print(json.dumps(taken), flush=True)
"""
"""Sends back so much of each connection, and prints of each whether it took data from the SYN."""

CLIENT_OF_OURS = """
import sys
from gossamer.core.clock import monotonic_us
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.scheduler import Scheduler
from gossamer.loadtest.stacks import nfqueue_stack

async def ask(connector, address, sizes):
    for number, size in enumerate(sizes):
        data = bytes((number,)) * size
        stream = await connector.connect((address, int(sys.argv[1])), 5_000_000, data=data)
        answer = b""
        while more := await stream.recv(timeout_us=5_000_000):
            answer += more
        assert answer == data, len(answer)
        await stream.close()

with nfqueue_stack(16, TcpParameters(fast_open="client")) as stack:
    scheduler = Scheduler(EpollWaiter(), [SleepLoop(), stack.loop], monotonic_us)
    async def ask_all():
        for word in sys.argv[2:]:
            address, size, count = word.split(",")
            await ask(stack.connector, address, [int(size)] * int(count))
    thread = scheduler.spawn(ask_all())
    scheduler.run()
    assert thread.has_ended
    print(stack.loop.statistics()["fast_open_lost_total"])
    scheduler.close()
"""


def reach(space: Namespace, address: str) -> None:
    """Have the two hosts know each other: a connection to a closed port is refused."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with space.entered(), socket.socket(family) as asking:
        asking.settimeout(10)
        assert asking.connect_ex((address, 1)) == errno.ECONNREFUSED


def config(folder: Path, **settings: str) -> Path:
    """A configuration with these keys of [tcp]."""
    path = folder / "config.toml"
    path.write_text("[tcp]\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items()))
    return path


def totals(server: Gossamer, name: str) -> int:
    """A total over all workers."""
    return sum(worker["totals"][name] for worker in server.settled_status()["workers"])


def test_syn_cookies_always__kernel_client__large_file_with_scaled_windows(
    joined_namespaces: tuple[Namespace, Namespace],
    site: Path,
    files: dict[str, bytes],
    tmp_path: Path,
    start: Start,
) -> None:
    left, right = joined_namespaces
    path = config(tmp_path, syn_cookies="always")
    server = start(right, site, "--config", str(path), stack="nfqueue", port=PORT, host="::", workers=2)
    body = tmp_path / "body"
    for host in (RIGHT_V4, f"[{RIGHT_V6}]") * 3:
        url = f"http://{host}:{PORT}/large.bin"
        left.run(["curl", "-sS", "--fail", "--max-time", "20", "-o", str(body), url])
        assert hashlib.sha256(body.read_bytes()).digest() == hashlib.sha256(files["large.bin"]).digest(), host
    taken = totals(server, "syn_cookies_taken_total")
    assert taken == totals(server, "accepted_total") > 6, "nothing was opened otherwise"


def test_syn_flood__ten_times_the_backlog__a_kernel_client_is_served_at_once(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, tmp_path: Path, start: Start
) -> None:
    left, right = joined_namespaces
    path = tmp_path / "config.toml"
    path.write_text("[tcp]\nsyn_backlog = 64\n")
    server = start(right, site, "--config", str(path), stack="nfqueue", port=PORT, host="0.0.0.0")
    right.ip(f"route add {FORGED} via {LEFT_V4}")
    left.run([sys.executable, "-c", FLOODER, RIGHT_V4, str(PORT), "640"])
    for _ in range(5):
        left.run(
            ["curl", "-sS", "--fail", "--max-time", "1", "-o", "/dev/null", f"http://{RIGHT_V4}:{PORT}/"]
        )
    (worker,) = server.settled_status()["workers"]
    assert worker["half_open"] == 64
    assert totals(server, "syn_cookies_sent_total") >= 576
    assert totals(server, "syn_cookies_taken_total") == 5


def test_limit_concurrency__more_forged_syns_than_that__kernel_clients_are_served_at_once(
    joined_namespaces: tuple[Namespace, Namespace], site: Path, start: Start, stack: str
) -> None:
    """Who has not shown that it is there holds no place, though its SYN-ACK is repeated for over a minute."""
    left, right = joined_namespaces
    server = start(right, site, "--limit-concurrency", "100", stack=stack, port=PORT)
    right.ip(f"route add {FORGED} via {LEFT_V4}")
    left.run([sys.executable, "-c", FLOODER, RIGHT_V4, str(PORT), "128"])
    if stack == "nfqueue":
        assert server.settled_status()["workers"][0]["half_open"] == 128
    for _ in range(5):
        assert request(left, f"http://{RIGHT_V4}:{PORT}/", ANSWERED) == ANSWERED
    if stack == "nfqueue":
        assert server.settled_status()["workers"][0]["half_open"] == 128, "they were there all the while"


def test_fast_open__kernel_client__data_of_the_syn_is_taken_by_any_worker(
    joined_namespaces: tuple[Namespace, Namespace],
    site: Path,
    files: dict[str, bytes],
    tmp_path: Path,
    start: Start,
) -> None:
    left, right = joined_namespaces
    path = config(tmp_path, fast_open="server")
    server = start(right, site, "--config", str(path), stack="nfqueue", port=PORT, host="::", workers=2)
    for asked, address in enumerate((RIGHT_V4, RIGHT_V6), 1):
        argv = [sys.executable, "-c", FAST_OPEN_CLIENT, address, str(PORT), "20"]
        found: list[Any] = json.loads(left.run(argv, timeout_s=60))
        assert [bytes.fromhex(body) for body, _ in found] == [files["one.bin"]] * 20, address
        assert [was_taken for _, was_taken in found] == [False] + [True] * 19, address
        assert totals(server, "fast_opens_total") == 19 * asked, address


ALL_IN_THE_SYN, A_PART_OF_IT = 100, 20_000
"""Octets of a request."""
COUNT = 4


def test_fast_open__kernel_server__takes_the_data_of_our_syn(
    joined_namespaces: tuple[Namespace, Namespace],
) -> None:
    """Over both families, with each size; the first of each family has no cookie yet."""
    left, right = joined_namespaces
    right.run(["sysctl", "-qw", "net.ipv4.tcp_fastopen=2"])
    asked = [
        (RIGHT_V4, ALL_IN_THE_SYN),
        (RIGHT_V6, A_PART_OF_IT),
        (RIGHT_V4, A_PART_OF_IT),
        (RIGHT_V6, ALL_IN_THE_SYN),
    ]
    sizes = [str(size) for _, size in asked for _ in range(COUNT)]
    argv = [sys.executable, "-c", KERNEL_SERVER, str(PORT), *sizes]
    server = right.start(argv, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    # A first packet over IPv6 may find no neighbour yet, and a SYN lost is not what is tried here.
    for address in (RIGHT_V4, RIGHT_V6):
        reach(left, address)
    words = [f"{address},{size},{COUNT}" for address, size in asked]
    argv = [sys.executable, "-c", CLIENT_OF_OURS, str(PORT), *words]
    assert left.run(argv, timeout_s=60) == "0\n", "no SYN was lost"
    output, _ = server.communicate(timeout=10)
    new, known = ["false"] + ["true"] * (COUNT - 1), ["true"] * COUNT
    assert output.split() == [*new, *new, *known, *known]
