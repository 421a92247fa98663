"""A server on kernel sockets, started as a user starts it: processes, signals, commands.

A start costs more than all that is asked of it: one server is asked all that leaves it as it was, each thing
in a function that is named after it.
"""

import http.client
import os
import re
import resource
import signal
import socket
import subprocess
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import psutil

from gossamer.cli.running import restart_worker
from gossamer.shards.exitcode import ExitCode

from ..cli.inside import gossamer
from .conftest import GOSSAMER, Place, Server, wait_until
from .test_site_changes import get

Serve = Callable[..., Server]

LONG_SECONDS = 60
REQUESTS_MAX = 20_000

STATUS_KEYS = [
    "id",
    "pid",
    "queue",
    "cpu_percent",
    "rss_bytes",
    "connections",
    "accepted_total",
    "requests_total",
    "packets_in_total",
    "packets_out_total",
    "retransmits_total",
    "drops",
    "restarts",
    "heartbeat_age_us",
]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_server__of_two_workers__tells_of_itself_restarts_and_stops(serve: Serve) -> None:
    server = serve("--admin", "unix", "--access-log", workers="2").wait_ready()
    says_what_where_and_why(server)
    is_ready_at_the_admin_address(server)
    status_has_the_promised_keys_and_the_log_a_line_a_response(server)
    table_names_every_worker(server)
    sigquit_logs_the_stacks_of_every_workers_threads(server)
    restart_of_one_leaves_the_other_and_raises_its_descriptors(server)
    restart_of_none_that_there_is_says_what_is_allowed(server)
    restart_without_a_number_replaces_all(server)
    stop_waits_for_the_end_of_everything(server)


def says_what_where_and_why(server: Server) -> None:
    log = server.log()
    for part in (
        "http://127.0.0.1:",
        "kernel sockets: as configured",
        "gossamer stop --run-dir",
        f"  admin     unix:{server.directory}/admin.sock",
    ):
        assert part in log


def is_ready_at_the_admin_address(server: Server) -> None:
    with socket.socket(socket.AF_UNIX) as admin:
        admin.connect(str(server.directory / "admin.sock"))
        admin.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert admin.makefile("rb").read().endswith(b"\r\n\r\nready\n")


def status_has_the_promised_keys_and_the_log_a_line_a_response(server: Server) -> None:
    assert [server.get() for _ in range(3)] == [(200, b"hello\n")] * 3
    status = wait_until(
        lambda: (s := server.status()) and sum(w["requests_total"] for w in s["workers"]) == 3 and s,
        "3 requests",
    )
    assert (status["stack"], len(status["workers"])) == ("kernel", 2)
    assert status["uptime_us"] > 0
    assert [key for key in STATUS_KEYS if key not in status["workers"][0]] == []
    assert all(worker["heartbeat_age_us"] < 1_000_000 for worker in status["workers"])
    assert all(worker["rss_bytes"] > 1 << 20 for worker in status["workers"])
    wait_until(lambda: server.log().count('"GET / HTTP/1.1" 200 6') == 3, "3 lines of the access log")


def table_names_every_worker(server: Server) -> None:
    text = server.command("status").stdout
    assert all(str(pid) in text for pid in server.worker_pids())
    assert "serving" in text


def sigquit_logs_the_stacks_of_every_workers_threads(server: Server) -> None:
    server.process.send_signal(signal.SIGQUIT)
    wait_until(lambda: server.log().count("stacks of ") == 2, "two dumps in the log")
    assert "in Worker._accept_for_ever" in server.log()
    for name in ("signals", "supervisor", "accept"):
        assert re.search(rf": (.*, )?{name}\b", server.log()), f"{name} is missing in the dump"
    assert server.get()[0] == 200


def restart_of_one_leaves_the_other_and_raises_its_descriptors(server: Server) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (256, hard))
    before = server.worker_pids()
    assert server.command("worker", "restart", "1").returncode == 0
    after = server.worker_pids()
    assert (after[0], after[1] != before[1]) == (before[0], True)
    # Of another user's process prlimit(2) may not be asked, but the file may be read.
    limits = Path(f"/proc/{after[1]}/limits").read_text()
    assert re.search(rf"^Max open files +{hard} +{hard} ", limits, re.MULTILINE), limits


def restart_of_none_that_there_is_says_what_is_allowed(server: Server) -> None:
    for word, said in (
        ("7", "found 7; allowed: 0 to 1"),
        ("both", "found 'both'; allowed: a number of gossamer worker list, or all"),
    ):
        refused = server.command("worker", "restart", word)
        assert refused.returncode == ExitCode.USAGE
        assert said in refused.stderr


def restart_without_a_number_replaces_all(server: Server) -> None:
    before = server.worker_pids()
    done = server.command("worker", "restart")
    assert (done.returncode, done.stderr) == (0, "")
    assert not set(before) & set(server.worker_pids())
    assert server.get()[0] == 200


def stop_waits_for_the_end_of_everything(server: Server) -> None:
    pids = server.worker_pids()
    done = server.command("stop")
    assert (done.returncode, server.process.poll()) == (0, 0)
    assert all(is_gone(pid) for pid in pids)
    assert not server.directory.exists()
    again = server.command("stop")
    assert again.returncode == 5
    assert "no server runs there" in again.stderr


def test_worker_restart__all_and_no_number__the_same() -> None:
    contexts = [restart_worker.make_context("restart", argv) for argv in ([], ["all"], ["1"])]
    assert [context.params["number"] for context in contexts] == [None, None, 1]


NO_UTF_8 = b"caf\xe9".decode(errors="surrogateescape")
"""A name in Latin-1, as Python holds it."""


def test_names_that_are_no_utf_8__served_stopped_and_seen(place: Place, tmp_path: Path, site: Path) -> None:
    """The folder, the run directory and the file of the configuration: octets are allowed in any."""
    target, config = tmp_path / NO_UTF_8, tmp_path / f"{NO_UTF_8}.toml"
    site.rename(target)
    config.write_text("[tcp]\nnodelay = true\n")
    server = place.start("--config", str(config), target=str(target), name=f"run {NO_UTF_8}").wait_ready()
    assert get(place, server.port())[1] == b"hello\n"
    assert f"the folder {tmp_path}/caf\\xe9 on" in server.log()
    assert f"gossamer stop --run-dir $'{tmp_path}/run caf\\xe9'" in server.log()
    assert server.status()["target"] == f"{tmp_path}/caf\\xe9"
    assert f"{tmp_path}/caf\\xe9" in server.command("status").stdout
    config.write_text("[tcp]\nnodelay = 7\n")
    refused = server.command("reload")
    assert refused.returncode == ExitCode.USAGE
    assert f"{tmp_path}/caf\\xe9.toml: tcp.nodelay" in refused.stderr
    config.write_text("[tcp]\nnodelay = false\n")
    assert server.command("reload").returncode == 0
    assert get(place, server.port())[1] == b"hello\n"
    stop = [GOSSAMER, "stop", "--run-dir", str(server.directory)]  # As a process: its words are octets.
    assert subprocess.run(stop, capture_output=True, timeout=60, check=False).returncode == 0
    assert server.wait_end() == 0
    assert "Traceback" not in server.log()


def test_names_that_are_no_utf_8__in_a_refusal__one_line(tmp_path: Path, site: Path) -> None:
    path = str(tmp_path / NO_UTF_8)
    (tmp_path / NO_UTF_8).write_text("no folder")
    serve = [GOSSAMER, "serve", str(site), "--run-dir", f"{path}/run", "--port", "0", "--stack", "kernel"]
    for done in (
        gossamer("serve", path, "--check-config"),
        gossamer("serve", str(site), "--config", f"{path}/config.toml"),
        subprocess.run(serve, capture_output=True, text=True, timeout=60, check=False),
    ):
        assert done.returncode in (ExitCode.USAGE, ExitCode.CANNOT_START)
        (line,) = done.stderr.splitlines()[-1:]
        assert line.startswith("gossamer: ")
        assert "caf" in line
        assert "Traceback" not in done.stderr


def test_print_config__name_that_is_no_utf_8__shown(site: Path) -> None:
    done = gossamer("serve", str(site), "--run-dir", NO_UTF_8, "--print-config")
    assert done.returncode == 0, done.stderr
    assert tomllib.loads(done.stdout)["server"]["run_dir"] == "caf\\xe9"


def test_workers__killed_without_descriptors_or_hanging__replaced_until_it_is_too_often(serve: Serve) -> None:
    """Whoever started it has SIGCHLD ignored, which hides the end of a child."""
    limits = ("--set", "supervisor.heartbeat_timeout=1s", "--set", "supervisor.restart_intensity=3")
    server = serve(*limits, workers="2", prefix=("env", "--ignore-signal=CHLD")).wait_ready()
    a_killed_one_is_replaced_and_counted(server)
    one_killed_while_no_descriptor_is_left_is_replaced_later(server)
    all_stand_still_and_none_is_killed(server)
    one_without_a_heartbeat_is_killed_and_replaced(server)
    os.kill(server.worker_pids()[1], signal.SIGKILL)
    assert server.wait_end() == 4
    assert "giving up: worker" in server.log()
    assert not server.directory.exists()


def first_worker_is_another(server: Server, before: int) -> bool:
    worker = server.status()["workers"][0]
    return worker["state"] == "serving" and worker["pid"] != before


def a_killed_one_is_replaced_and_counted(server: Server) -> None:
    victim, other = server.worker_pids()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: "ended (killed by signal 9)" in server.log(), "the death in the log")
    wait_until(lambda: first_worker_is_another(server, victim), "a new worker")
    status = server.status()
    assert [worker["restarts"] for worker in status["workers"]] == [1, 0]
    assert status["workers"][1]["pid"] == other
    assert [server.get()[0] for _ in range(8)] == [200] * 8


def all_stand_still_and_none_is_killed(server: Server) -> None:
    """As when the machine was suspended: the clock has jumped, and no heart could beat."""
    before = server.worker_pids()
    family = [server.process.pid, *before]
    for pid in reversed(family):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.2)
    for pid in family:
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.3)
    wait_until(lambda: "stood still for " in server.log(), "it notices")
    assert server.worker_pids() == before
    assert server.get() == (200, b"hello\n")


def one_killed_while_no_descriptor_is_left_is_replaced_later(server: Server) -> None:
    victim, pid = server.worker_pids()[0], server.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (5, limits[1]))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: "cannot start" in server.log(), "the refusal")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    wait_until(lambda: first_worker_is_another(server, victim), "a new worker", 5)


def one_without_a_heartbeat_is_killed_and_replaced(server: Server) -> None:
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: first_worker_is_another(server, victim), "a new worker")
    assert "no heartbeat" in server.log()


def test_sigterm__idle_connections_closed_request_in_flight_answered_and_nothing_left(serve: Serve) -> None:
    server = serve().wait_ready()
    port, pids = server.status()["port"], server.worker_pids()
    idle = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    idle.request("GET", "/")
    assert idle.getresponse().read() == b"hello\n"
    busy = socket.create_connection(("127.0.0.1", port), timeout=5)
    busy.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
    wait_until(lambda: server.status()["workers"][0]["connections"] == 2, "two connections")
    server.process.send_signal(signal.SIGTERM)
    assert idle.sock is not None
    assert idle.sock.recv(10) == b""
    busy.send(b"\r\n")
    answer = busy.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" in answer
    assert server.wait_end() == 0
    assert all(is_gone(pid) for pid in pids)
    assert not server.directory.exists()


def test_sigterm__request_that_never_ends__graceful_timeout(serve: Serve) -> None:
    server = serve("--timeout-graceful-shutdown", "500ms").wait_ready()
    with socket.create_connection(("127.0.0.1", server.status()["port"])) as connection:
        connection.send(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: sum(w["connections"] for w in server.status()["workers"]) == 1, "a connection")
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_end() == 0
        assert time.monotonic() - begin > 0.4


def test_reload__refused_for_two_reasons__then_done_under_requests_and_none_is_lost(
    serve: Serve, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[web]\nserver = "before"\n')
    server = serve("--config", str(config), workers="2").wait_ready()
    before = server.worker_pids()
    config.write_text("[web]\nheaders_max = -3\n")
    a_bad_configuration_is_reported(server)
    config.write_text('[web]\nserver = "after"\n[server]\nport = 9\n')
    no_descriptor_left_is_a_refusal(server)
    assert server.worker_pids() == before
    sighup_under_requests_loses_none(server)
    assert not set(before) & set(server.worker_pids())
    wait_until(lambda: all(is_gone(pid) for pid in before), "the old workers end")
    assert sum(worker["restarts"] for worker in server.status()["workers"]) == 0


def a_bad_configuration_is_reported(server: Server) -> None:
    done = server.command("reload")
    assert done.returncode == ExitCode.USAGE
    assert "web.headers_max: found -3; allowed: an integer of at least 1" in done.stderr
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "headers_max" in server.status()["reload_error"], "the error in the status")
    assert server.get()[0] == 200


def no_descriptor_left_is_a_refusal(server: Server) -> None:
    pid, refusals = server.process.pid, server.log().count("reload refused")
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(list(Path(f"/proc/{pid}/fd").iterdir())), limits[1]))
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.log().count("reload refused") > refusals, "the refusal")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


def sighup_under_requests_loses_none(server: Server) -> None:
    """A request after the other, each over a connection of its own, until the new workers have answered."""
    port, begun, after = server.status()["port"], 20, 0
    for number in range(REQUESTS_MAX):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.read() == b"hello\n"
        connection.close()
        after += response.getheader("Server") == "after"
        if number == begun:
            server.process.send_signal(signal.SIGHUP)
        if after == begun:
            break
        time.sleep(0.002)
    wait_until(lambda: (s := server.status())["generation"] == 2 and not s["reloading"], "the reload")


def test_handler__new_workers_cannot_start__the_old_one_and_its_configuration_stay(
    serve: Serve, tmp_path: Path
) -> None:
    config, module = tmp_path / "config.toml", tmp_path / "shop.py"
    answer = "b'HTTP/1.0 200 \\r\\n\\r\\n'"
    good = f"async def handler(stream):\n await stream.recv()\n await stream.send({answer})\n"
    module.write_text(good)
    config.write_text("[server]\nlimit_concurrency = 5\n")
    argv = ("--config", str(config))
    server = serve(*argv, target="shop:handler", PYTHONPATH=str(tmp_path)).wait_ready()
    config.write_text("[log]\nlevel = 'debug'\n")
    assert server.command("reload").returncode == 0
    module.write_text("raise RuntimeError('half an edit')\n")
    cannot_be_replaced(server, "worker", "restart", "0")
    module.write_text(good)
    assert server.command("worker", "restart", "0").returncode == 0
    assert server.status()["generation"] == 2
    module.write_text("raise RuntimeError('half an edit')\n")
    cannot_be_replaced(server, "reload")
    assert server.log().count("RuntimeError: half an edit") == 2


def cannot_be_replaced(server: Server, *command: str) -> None:
    before = server.worker_pids()
    refused = server.command(*command)
    assert refused.returncode == 1
    assert "before it served; the old one goes on" in refused.stderr
    assert server.worker_pids() == before
    assert server.get()[0] == 200


def test_two_servers__side_by_side__not_in_one_run_dir__and_one_killed_is_cleaned_up(serve: Serve) -> None:
    one, two = serve(name="one"), serve(name="two")
    assert one.wait_ready().get() == two.wait_ready().get() == (200, b"hello\n")
    same = serve(name="one")
    assert same.wait_end() == 3
    assert "a server is running there; stop it" in same.log()
    pids = one.worker_pids()
    one.kill_supervision()
    wait_until(lambda: all(is_gone(pid) for pid in pids), "workers end")
    assert one.command("status").returncode == 5
    assert serve(name="one").wait_ready().get()[0] == 200
    assert two.get()[0] == 200


def test_port_taken__one_line(place: Place) -> None:
    with place.inside():
        taken = socket.create_server(("127.0.0.1", 0))
    with taken:
        server = place.start("--port", str(taken.getsockname()[1]))
        assert server.wait_end() == 3
    (line,) = server.log().splitlines()
    assert line.startswith("gossamer: server.port: cannot bind 127.0.0.1")
    assert "another program has it" in line


def test_target__wrong__said_in_a_line_and_never_restarted(serve: Serve) -> None:
    done = gossamer("serve", "no/such/folder", "--check-config")
    assert done.returncode == ExitCode.USAGE
    assert "allowed: a folder that exists, or module:attribute" in done.stderr
    server = serve(target="gossamer.shards.web.digest:nothing")
    assert server.wait_end() == ExitCode.USAGE
    assert "has no 'nothing'" in server.log()
    assert "Traceback" not in server.log()


def test_native_handlers__served_and_one_that_connects_gets_a_connector(serve: Serve) -> None:
    digest = b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    beyond = serve(target="gossamer.shards.web.digest:handler", name="beyond").wait_ready()
    port = beyond.status()["port"]
    relay = serve(
        target="relay:relay", PYTHONPATH=str(Path(__file__).parent), RELAY_TO=str(port)
    ).wait_ready()
    for each in (port, relay.status()["port"]):
        with socket.create_connection(("127.0.0.1", each), timeout=5) as connection:
            connection.sendall(b"PUT /x HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
            assert digest in connection.makefile("rb").read()
