"""A server on the functional TCP, in a namespace of its own: queues, rules, privileges, hand-over."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from gossamer.loadtest.namespaces import Namespace

from ..cli.inside import gossamer
from .clients import ask, outcome
from .conftest import GOSSAMER, Server, wait_until

pytestmark = pytest.mark.needs("nfqueue")

Serve = Callable[..., Server]

PORT = 18090
REQUESTS_MAX = 10_000
REFUSE = str(Path(__file__).parents[1] / "refuse.py")
URL = f"http://127.0.0.1:{PORT}/"


@pytest.fixture
def start(serve: Serve, namespace: Namespace) -> Serve:
    """Starts a server on the functional TCP inside the namespace."""

    def begin(*argv: str, **options: str) -> Server:
        prefix = tuple(namespace.command([]))
        return serve("--stack", "nfqueue", "--port", str(PORT), *argv, prefix=prefix, **options)

    return begin


def fetch(namespace: Namespace, url: str = URL, seconds: int = 8) -> str:
    return namespace.run(["curl", "-s", "-g", "-m", str(seconds), "-w", " %{http_code}", url])


def our_tables(namespace: Namespace) -> str:
    return namespace.run(["iptables-save"]) + namespace.run(["ip6tables-save"])


def queues(namespace: Namespace) -> list[int]:
    text = namespace.run(["cat", "/proc/net/netfilter/nfnetlink_queue"])
    return sorted(int(line.split()[0]) for line in text.splitlines())


def test_serve__two_shards__answer_stay_through_kill_and_reload_and_leave_nothing(
    start: Serve, namespace: Namespace
) -> None:
    server = start(workers="2").wait_ready()
    both_shards_answer(server, namespace)
    killed_one_is_replaced_and_its_queue_lives_on(server, namespace)
    reload_under_requests_answers_every_one(server, namespace)
    assert server.command("stop").returncode == 0
    assert "GSMR" not in our_tables(namespace)
    assert queues(namespace) == []
    assert namespace.pids() == []


def both_shards_answer(server: Server, namespace: Namespace) -> None:
    assert {fetch(namespace) for _ in range(24)} == {"hello\n 200"}
    status = wait_until(
        lambda: (s := server.status()) and sum(w["requests_total"] for w in s["workers"]) == 24 and s,
        "24 requests",
    )
    assert status["stack"] == "nfqueue"
    numbers = [number for worker in status["workers"] for number in worker["queues"]]
    assert sorted(numbers) == list(range(100, 100 + len(numbers)))
    assert queues(namespace) == list(range(100, 100 + 2 * len(numbers))), "SYNs have one beside each"
    assert len(numbers) >= 8
    assert all(
        worker["packets_in_total"] > 0 and worker["packets_out_total"] > 0 for worker in status["workers"]
    )
    with namespace.entered():
        assert status["chains"][0] in gossamer("firewall", "show").stdout


def killed_one_is_replaced_and_its_queue_lives_on(server: Server, namespace: Namespace) -> None:
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGKILL)
    wait_until(
        lambda: (w := server.status()["workers"][0])["pid"] not in (0, victim) and w["state"] == "serving",
        "a new worker",
    )
    assert "ended (killed by signal 9); a new one starts at once" in server.log()
    assert queues(namespace)[:2] == [100, 101]
    assert {fetch(namespace) for _ in range(8)} == {"hello\n 200"}
    wait_until(lambda: not server.status()["reloading"], "it has its share")


def reload_under_requests_answers_every_one(server: Server, namespace: Namespace) -> None:
    before = server.worker_pids()
    with namespace.entered():
        for number in range(REQUESTS_MAX):
            assert outcome(ask(PORT)) == "answered", number
            if number == 10:
                server.process.send_signal(signal.SIGHUP)
            if number % 10 == 0 and (s := server.status())["generation"] == 2 and not s["reloading"]:
                break
            time.sleep(0.002)
    assert server.status()["generation"] == 2
    assert not set(before) & set(server.worker_pids())


def test_serve__any_host__over_both_families__the_port_reserved__and_again_after_a_flush(
    start: Serve, namespace: Namespace
) -> None:
    server = start("--host", "::", "--set", "nfqueue.active_ports_per_worker=8").wait_ready()
    assert fetch(namespace) == "hello\n 200"
    assert fetch(namespace, f"http://[::1]:{PORT}/") == "hello\n 200"
    with namespace.entered(), socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", PORT))
    before = rules_of(namespace)
    namespace.run(["iptables", "-t", "security", "-F"])
    with namespace.entered():
        assert server.command("firewall", "up").returncode == 0
    assert fetch(namespace) == "hello\n 200"
    # The server itself has seen the flush as well, and may be writing the same rules again.
    wait_until(lambda: rules_of(namespace) == before, "all rules stand", 10)


def rules_of(namespace: Namespace) -> list[str]:
    """The rules that stand in our table, in no order."""
    saved = namespace.run(["iptables-save", "-t", "security"])
    return sorted(line for line in saved.splitlines() if line.startswith("-A"))


def worker_fields(server: Server) -> dict[str, str]:
    """The process table's lines of its first worker."""
    text = Path(f"/proc/{server.worker_pids()[0]}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_worker__user_would_lose_net_admin__stays_root_with_exactly_that(
    serve: Serve, namespace: Namespace
) -> None:
    refuse = [sys.executable, REFUSE, "prctl=8", "--"]
    server = serve("--stack", "auto", "--port", str(PORT), prefix=tuple(namespace.command(refuse)))
    server.wait_ready()
    assert server.status()["stack"] == "nfqueue"
    assert fetch(namespace) == "hello\n 200"
    assert "workers stay root, with no capability but CAP_NET_ADMIN: cannot" in server.log()
    assert "PR_SET_KEEPCAPS: Operation not permitted" in server.log()
    fields = worker_fields(server)
    assert fields["Uid"].split() == ["0"] * 4
    assert {int(fields[name], 16) for name in ("CapPrm", "CapEff")} == {1 << 12}


def busy_and_reloaded(server: Server, namespace: Namespace) -> tuple[socket.socket, int]:
    """A request in the middle with the old worker, of that pid, while the new one serves."""
    with namespace.entered():
        busy = socket.create_connection(("127.0.0.1", PORT), timeout=30)
    busy.send(b"GET / HTTP/1.1\r\n")
    wait_until(lambda: server.status()["workers"][0]["connections"] == 1, "a connection")
    (old,) = server.worker_pids()
    server.process.send_signal(signal.SIGHUP)
    wait_until(
        lambda: (w := server.status()["workers"][0])["pid"] != old and w["state"] == "serving",
        "the new worker serves",
    )
    return busy, old


def test_reload__a_request_in_the_middle__answered_and_moves__or_its_successor_dies_and_is_replaced(
    start: Serve, namespace: Namespace
) -> None:
    server = start().wait_ready()
    busy, old = busy_and_reloaded(server, namespace)
    assert fetch(namespace) == "hello\n 200"
    assert psutil.pid_exists(old)
    busy.send(b"Host: x\r\n\r\n")
    first = busy.recv(4096)
    assert first.endswith(b"hello\n")
    assert b"Connection: close" not in first
    wait_until(lambda: not psutil.pid_exists(old), "the old worker ends")
    busy.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert busy.recv(4096).endswith(b"hello\n")
    wait_until(lambda: server.status()["workers"][0]["totals"]["moved_in_total"], "it has moved")
    busy.close()
    wait_until(lambda: server.status()["workers"][0]["connections"] == 0, "nobody is connected")
    busy, _ = busy_and_reloaded(server, namespace)
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    assert fetch(namespace) == "hello\n 200"
    assert server.status()["workers"][0]["restarts"] == 1
    busy.close()


def test_native_handler__that_connects__over_the_functional_tcp(start: Serve, namespace: Namespace) -> None:
    start(name="beyond").wait_ready()
    relay = start(
        *("--port", str(PORT + 1), "--set", "nfqueue.active_ports_per_worker=20"),
        target="relay:relay",
        name="relay",
        PYTHONPATH=str(Path(__file__).parent),
        RELAY_TO=str(PORT),
        workers="2",
    ).wait_ready()
    assert {fetch(namespace, f"http://127.0.0.1:{PORT + 1}/") for _ in range(6)} == {"hello\n 200"}
    assert relay.command("stop").returncode == 0
    assert "61000" not in our_tables(namespace)


def test_native_handler__that_connects_without_ports__cannot_start(start: Serve) -> None:
    server = start(target="relay:relay", PYTHONPATH=str(Path(__file__).parent), RELAY_TO="1")
    assert server.wait_end() == 2
    assert "nfqueue.active_ports_per_worker: found 0; allowed: at least 1" in server.log()


def test_supervisor_and_keeper_killed__next_start_removes_its_rules_whatever_the_run_dir(
    start: Serve, namespace: Namespace
) -> None:
    server = start().wait_ready()
    (chain, *_) = server.status()["chains"]
    server.kill_supervision()
    assert chain in our_tables(namespace)
    wait_until(lambda: namespace.pids() == [], "the workers end")
    second = start("--port", str(PORT + 1), name="elsewhere").wait_ready()
    assert chain not in our_tables(namespace)
    assert f"removed {chain}" in second.log()


def test_sigterm_twice_and_at_any_time__rules_are_removed(start: Serve, namespace: Namespace) -> None:
    for delay_seconds in (0.25, 0.3, 0.35, 0.4, 0.5, 0.7):
        server = start(name=f"run{delay_seconds}")
        time.sleep(delay_seconds)
        for _ in range(40):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.005)
        server.wait_end()
        assert "GSMR" not in our_tables(namespace)
        assert namespace.pids() == []


def test_serve__port_of_a_kernel_listener__refused(start: Serve, namespace: Namespace) -> None:
    with namespace.entered():
        other = socket.create_server(("127.0.0.1", PORT))
    with other:
        server = start()
        assert server.wait_end() == 3
    assert "another program has it" in server.log()
    assert "GSMR" not in our_tables(namespace)


def test_backend_netfilterqueue__serves_and_is_replaced(start: Serve, namespace: Namespace) -> None:
    pytest.importorskip("netfilterqueue")
    server = start("--nfqueue-backend", "netfilterqueue").wait_ready()
    assert {fetch(namespace) for _ in range(8)} == {"hello\n 200"}
    assert server.command("reload").returncode == 0
    assert {fetch(namespace) for _ in range(8)} == {"hello\n 200"}
    assert server.command("stop").returncode == 0
    assert queues(namespace) == []


def test_kernel_drops__syns_alone__copied_into_the_status(start: Serve, namespace: Namespace) -> None:
    bounds = ("nfqueue.queue_length_max=50", "nfqueue.handshake_queue_length_max=16")
    given = [word for bound in ("nfqueue.queues=1", *bounds) for word in ("--set", bound)]
    server = start(*given).wait_ready()
    (pid,) = server.worker_pids()
    with namespace.entered(), contextlib.ExitStack() as clients:
        connected = clients.enter_context(socket.create_connection(("127.0.0.1", PORT), timeout=10))
        os.kill(pid, signal.SIGSTOP)
        for _ in range(60):
            client = clients.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", PORT))
        connected.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        os.kill(pid, signal.SIGCONT)
        assert b" 200 " in connected.recv(4096)
    drops = wait_until(
        lambda: (d := server.status()["workers"][0]["drops"]).get("kernel_handshakes_full") and d,
        "drops of the kernel",
    )
    assert drops["kernel_handshakes_full"] >= 40
    assert "kernel_queue_full" not in drops, "what came on a connection met the flood"


WITHOUT_SECURITY = """#!/bin/sh
rules=$(cat)
case $rules in
'*security'*) echo "{0} v1 (legacy): {0}: unable to initialize table 'security'" >&2; exit 1 ;;
esac
echo "$rules" | exec {1} "$@"
"""


def test_kernel_without_the_table_security__serves_in_mangle_and_says_what_does_not_hold(
    serve: Serve, namespace: Namespace, tmp_path: Path
) -> None:
    for name in ("iptables-restore", "ip6tables-restore"):
        program = tmp_path / name
        program.write_text(WITHOUT_SECURITY.format(name, shutil.which(name)))
        program.chmod(0o755)
    prefix = (*namespace.command([]), "env", f"PATH={tmp_path}:{os.environ['PATH']}")
    server = serve("--stack", "nfqueue", "--port", str(PORT), prefix=prefix).wait_ready()
    assert "iptables has no table security, and mangle comes before the host's filter" in server.log()
    assert fetch(namespace) == "hello\n 200"
    with namespace.entered():
        assert "iptables -t mangle -A INPUT" in gossamer("firewall", "show").stdout
    assert server.command("stop").returncode == 0
    assert "GSMR" not in our_tables(namespace)


def test_crash_at_start_in_auto__falls_back_with_the_reason(serve: Serve, namespace: Namespace) -> None:
    # Without iptables-restore on the path there are no rules, hence no functional TCP.
    prefix = (*namespace.command([]), "env", "PATH=/nonexistent")
    server = serve("--stack", "auto", "--port", str(PORT), prefix=prefix).wait_ready()
    assert "kernel sockets: the functional TCP needs iptables-restore" in server.log()
    assert fetch(namespace) == "hello\n 200"


def test_load__raw_sockets_are_refused__one_line(namespace: Namespace) -> None:
    refuse = [sys.executable, REFUSE, "socket=2", "--"]
    load = [GOSSAMER, "load", URL, "--stack", "nfqueue"]
    argv = namespace.command([*refuse, *load])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (3, "gossamer: no raw socket: Operation not permitted\n")
    assert "GSMR" not in our_tables(namespace)
