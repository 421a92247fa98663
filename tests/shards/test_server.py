"""A server on kernel sockets, started as a user starts it: processes, signals, commands."""

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
import pytest

from gossamer.shards.exitcode import ExitCode

from .conftest import GOSSAMER, Server, wait_until

Serve = Callable[..., Server]

LONG_SECONDS = 60

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
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_serve__answers_and_says_what_where_and_why__at_the_admin_address_too(serve: Serve) -> None:
    server = serve("--admin", "unix").wait_ready()
    assert server.get() == (200, b"hello\n")
    log = server.log()
    for part in (
        "http://127.0.0.1:",
        "kernel sockets: as configured",
        "gossamer stop --run-dir",
        f"  admin     unix:{server.directory}/admin.sock",
    ):
        assert part in log
    with socket.socket(socket.AF_UNIX) as admin:
        admin.connect(str(server.directory / "admin.sock"))
        admin.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert admin.makefile("rb").read().endswith(b"\r\n\r\nready\n")


def test_status__json__the_promised_keys(serve: Serve) -> None:
    server = serve().wait_ready()
    for _ in range(3):
        server.get()
    status = wait_until(
        lambda: (s := server.status()) and sum(w["requests_total"] for w in s["workers"]) == 3 and s,
        "3 requests",
    )
    assert (status["stack"], len(status["workers"])) == ("kernel", 2)
    assert status["uptime_us"] > 0
    assert [key for key in STATUS_KEYS if key not in status["workers"][0]] == []
    assert all(worker["heartbeat_age_us"] < 1_000_000 for worker in status["workers"])
    assert all(worker["rss_bytes"] > 1 << 20 for worker in status["workers"])


def test_status__table__names_every_worker(serve: Serve) -> None:
    server = serve().wait_ready()
    text = server.command("status").stdout
    assert all(str(pid) in text for pid in server.worker_pids())
    assert "serving" in text


NO_UTF_8 = b"caf\xe9".decode(errors="surrogateescape")
"""A name in Latin-1, as Python holds it."""


def test_names_that_are_no_utf_8__served_stopped_and_seen(serve: Serve, tmp_path: Path, site: Path) -> None:
    """The folder, the run directory and the file of the configuration: octets are allowed in any."""
    target, config = tmp_path / NO_UTF_8, tmp_path / f"{NO_UTF_8}.toml"
    site.rename(target)
    config.write_text("[tcp]\nnodelay = true\n")
    server = serve("--config", str(config), target=str(target), name=f"run {NO_UTF_8}").wait_ready()
    assert server.get() == (200, b"hello\n")
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
    assert server.get() == (200, b"hello\n")
    assert server.command("stop").returncode == 0
    assert server.wait_end() == 0
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("where", ["target", "run_dir", "config"])
def test_names_that_are_no_utf_8__in_a_refusal__one_line(tmp_path: Path, site: Path, where: str) -> None:
    path = str(tmp_path / NO_UTF_8)
    (tmp_path / NO_UTF_8).write_text("no folder")
    arguments = {
        "target": [path],
        "run_dir": [str(site), "--run-dir", f"{path}/run", "--port", "0", "--stack", "kernel"],
        "config": [str(site), "--config", f"{path}/config.toml"],
    }[where]
    done = subprocess.run([GOSSAMER, "serve", *arguments], capture_output=True, timeout=30, check=False)
    assert done.returncode in (ExitCode.USAGE, ExitCode.CANNOT_START)
    (line,) = done.stderr.decode().splitlines()[-1:]
    assert line.startswith("gossamer: ")
    assert "caf" in line
    assert b"Traceback" not in done.stderr


def test_print_config__name_that_is_no_utf_8__shown(site: Path) -> None:
    done = subprocess.run(
        [GOSSAMER, "serve", str(site), "--run-dir", NO_UTF_8, "--print-config"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert tomllib.loads(done.stdout.decode())["server"]["run_dir"] == "caf\\xe9"


def test_worker_killed__replaced_and_counted(serve: Serve) -> None:
    server = serve().wait_ready()
    victim, other = server.worker_pids()
    os.kill(victim, signal.SIGKILL)
    wait_until(
        lambda: [
            w
            for w in server.status()["workers"]
            if w["pid"] not in (victim, other) and w["state"] == "serving"
        ],
        "a new worker",
    )
    status = server.status()
    assert [worker["restarts"] for worker in status["workers"]] == [1, 0]
    assert status["workers"][1]["pid"] == other
    assert [server.get()[0] for _ in range(8)] == [200] * 8


def test_worker_stopped__no_heartbeat__killed_and_replaced(serve: Serve) -> None:
    server = serve("--set", "supervisor.heartbeat_timeout=1s").wait_ready()
    victim = server.worker_pids()[0]
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: server.worker_pids()[0] not in (0, victim), "a new worker")
    assert "no heartbeat" in server.log()


def test_workers_die_too_fast__gives_up_loudly(serve: Serve) -> None:
    server = serve("--set", "supervisor.restart_intensity=1").wait_ready()
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    assert server.wait_end() == 4
    assert "giving up: worker" in server.log()
    assert not server.directory.exists()


def test_sigterm__exits_0_and_nothing_is_left(serve: Serve) -> None:
    server = serve().wait_ready()
    pids = server.worker_pids()
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_end() == 0
    assert all(is_gone(pid) for pid in pids)
    assert not server.directory.exists()


def test_sigint__exits_0_at_once(serve: Serve) -> None:
    server = serve("--timeout-graceful-shutdown", f"{LONG_SECONDS}s").wait_ready()
    connection = socket.create_connection(("127.0.0.1", server.status()["port"]))
    connection.send(b"GET / HTTP/1.1\r\n")
    server.process.send_signal(signal.SIGINT)
    assert server.wait_end(LONG_SECONDS / 2) == 0
    connection.close()


def test_sigterm__idle_connections_closed_and_request_in_flight_answered(serve: Serve) -> None:
    server = serve("--workers", "1").wait_ready()
    port = server.status()["port"]
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


def test_sigterm__request_that_never_ends__graceful_timeout(serve: Serve) -> None:
    server = serve("--timeout-graceful-shutdown", "500ms").wait_ready()
    with socket.create_connection(("127.0.0.1", server.status()["port"])) as connection:
        connection.send(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: sum(w["connections"] for w in server.status()["workers"]) == 1, "a connection")
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_end() == 0
        assert time.monotonic() - begin > 0.4


def test_stop__waits_for_the_end(serve: Serve) -> None:
    server = serve().wait_ready()
    done = server.command("stop")
    assert (done.returncode, server.process.poll()) == (0, 0)
    again = server.command("stop")
    assert again.returncode == 5
    assert "no server runs there" in again.stderr


def test_sighup__workers_replaced_with_the_new_configuration(serve: Serve, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[web]\nserver = "before"\n')
    server = serve("--config", str(config)).wait_ready()
    before = server.worker_pids()
    config.write_text('[web]\nserver = "after"\n[server]\nport = 9\n')
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: (s := server.status())["generation"] == 2 and not s["reloading"], "the reload")
    assert not set(before) & set(server.worker_pids())
    connection = http.client.HTTPConnection("127.0.0.1", server.status()["port"], timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().getheader("Server") == "after"
    connection.close()
    assert all(is_gone(pid) for pid in before)
    assert sum(worker["restarts"] for worker in server.status()["workers"]) == 0


def test_sigquit__every_worker_logs_the_stacks_of_its_threads(serve: Serve) -> None:
    server = serve("--workers", "2").wait_ready()
    server.process.send_signal(signal.SIGQUIT)
    wait_until(lambda: server.log().count("stacks of ") == 2, "two dumps in the log")
    assert "in Worker._accept_for_ever" in server.log()
    for name in ("signals", "supervisor", "accept"):
        assert re.search(rf": (.*, )?{name}\b", server.log()), f"{name} is missing in the dump"
    assert server.get()[0] == 200


def test_reload__bad_configuration__reported_and_the_old_one_goes_on(serve: Serve, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("")
    server = serve("--config", str(config)).wait_ready()
    before = server.worker_pids()
    config.write_text("[web]\nheaders_max = -3\n")
    done = server.command("reload")
    assert done.returncode == 2
    assert "web.headers_max: found -3; allowed: an integer of at least 1" in done.stderr
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "headers_max" in server.status()["reload_error"], "the error in the status")
    assert server.worker_pids() == before
    assert server.get()[0] == 200


def test_reload__under_requests__none_is_lost(serve: Serve) -> None:
    server = serve().wait_ready()
    port = server.status()["port"]
    reload = None
    done = 0
    begin = time.monotonic()
    while time.monotonic() - begin < 3:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"hello\n"
        connection.close()
        done += 1
        if done == 20:
            server.process.send_signal(signal.SIGHUP)
            reload = time.monotonic()
    assert reload is not None
    assert server.status()["generation"] == 2


def test_reload__new_workers_cannot_start__the_old_configuration_stays(serve: Serve, tmp_path: Path) -> None:
    module = tmp_path / "shop.py"
    lines = [
        "async def handler(stream):",
        " await stream.recv()",
        " await stream.send(b'HTTP/1.0 200 \\r\\n\\r\\n')",
    ]
    good = "\n".join(lines)
    module.write_text(good)
    server = serve(target="shop:handler", PYTHONPATH=str(tmp_path)).wait_ready()
    before = server.worker_pids()
    module.write_text("raise RuntimeError('half an edit')\n")
    done = server.command("reload")
    assert done.returncode == 1
    assert "before it served; the old one goes on" in done.stderr
    assert "half an edit" in server.log()
    assert server.worker_pids() == before
    assert server.get()[0] == 200
    module.write_text(good)
    assert server.command("reload").returncode == 0
    assert not set(before) & set(server.worker_pids())


def test_reload__no_descriptor_left__refused_and_everything_goes_on(serve: Serve) -> None:
    server = serve().wait_ready()
    before = server.worker_pids()
    pid = server.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(list(Path(f"/proc/{pid}/fd").iterdir())), limits[1]))
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "reload refused" in server.log(), "the refusal")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    assert server.worker_pids() == before
    assert server.command("reload").returncode == 0
    assert not set(before) & set(server.worker_pids())


def test_sigchld_ignored_by_whoever_started_it__a_dead_worker_is_seen_and_replaced(serve: Serve) -> None:
    server = serve(prefix=("env", "--ignore-signal=CHLD")).wait_ready()
    victim, other = server.worker_pids()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: "worker 0 ended (killed by signal 9)" in server.log(), "the death in the log")
    wait_until(lambda: server.status()["workers"][0]["state"] == "serving", "a new worker")
    assert server.worker_pids()[1] == other


def test_worker_killed__no_descriptor_left__replaced_later(serve: Serve) -> None:
    server = serve().wait_ready()
    victim, _ = server.worker_pids()
    pid = server.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (5, limits[1]))
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: "cannot start" in server.log(), "the refusal")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    wait_until(lambda: server.status()["workers"][0]["state"] == "serving", "a new worker", 5)


def test_worker_restart__cannot_start__a_reload_of_before_is_not_taken_back(
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
    module.write_text("1/0\n")
    refused = server.command("worker", "restart", "0")
    assert refused.returncode == 1
    assert "before it served" in refused.stderr
    module.write_text(good)
    assert server.command("worker", "restart", "0").returncode == 0
    assert server.status()["generation"] == 2
    assert server.get()[0] == 200


def test_worker_restart__one_is_replaced(serve: Serve) -> None:
    server = serve().wait_ready()
    before = server.worker_pids()
    assert server.command("worker", "restart", "1").returncode == 0
    after = server.worker_pids()
    assert (after[0], after[1] != before[1]) == (before[0], True)
    refused = server.command("worker", "restart", "7")
    assert refused.returncode == 2
    assert "found 7; allowed: 0 to 1" in refused.stderr


@pytest.mark.parametrize("argv", [("all",), ()])
def test_worker_restart__all__every_one_is_replaced(serve: Serve, argv: tuple[str, ...]) -> None:
    server = serve().wait_ready()
    before = server.worker_pids()
    done = server.command("worker", "restart", *argv)
    assert (done.returncode, done.stderr) == (0, "")
    assert not set(before) & set(server.worker_pids())
    assert server.get()[0] == 200


def test_worker_restart__neither_number_nor_all__said_what_is_allowed(serve: Serve) -> None:
    refused = serve().wait_ready().command("worker", "restart", "both")
    assert refused.returncode == 2
    assert "found 'both'; allowed: a number of gossamer worker list, or all" in refused.stderr


def test_supervisor_killed__workers_end_and_the_next_start_cleans_up(serve: Serve) -> None:
    server = serve().wait_ready()
    pids = server.worker_pids()
    server.process.kill()
    server.wait_end()
    wait_until(lambda: all(is_gone(pid) for pid in pids), "workers end")
    assert server.command("status").returncode == 5
    assert serve().wait_ready().get()[0] == 200


def test_two_servers__side_by_side(serve: Serve) -> None:
    one, two = serve(name="one"), serve(name="two")
    assert one.wait_ready().get() == two.wait_ready().get() == (200, b"hello\n")
    one.command("stop")
    assert two.get()[0] == 200


def test_same_run_dir__refused_with_the_way_out(serve: Serve) -> None:
    serve().wait_ready()
    second = serve()
    assert second.wait_end() == 3
    assert "a server is running there; stop it" in second.log()


def test_port_taken__one_line(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve("--port", str(taken.getsockname()[1]))
        assert server.wait_end() == 3
    (line,) = server.log().splitlines()
    assert line.startswith("gossamer: server.port: cannot bind 127.0.0.1")
    assert "another program has it" in line


@pytest.mark.parametrize(
    ("target", "code", "part"),
    [
        ("no/such/folder", 2, "allowed: a folder that exists, or module:attribute"),
        ("no_such_module:handler", 2, "no_such_module"),
        ("gossamer.shards.web.digest:nothing", 2, "has no 'nothing'"),
    ],
)
def test_target__wrong__said_in_a_line_and_never_restarted(
    serve: Serve, target: str, code: int, part: str
) -> None:
    server = serve(target=target)
    assert server.wait_end() == code
    assert part in server.log()
    assert "Traceback" not in server.log()


def test_native_handler__served(serve: Serve) -> None:
    server = serve(target="gossamer.shards.web.digest:handler").wait_ready()
    connection = http.client.HTTPConnection("127.0.0.1", server.status()["port"], timeout=5)
    connection.request("PUT", "/x", body=b"abc")
    answer = connection.getresponse().read()
    assert b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" in answer
    connection.close()


def test_native_handler__blocks_the_worker__named_in_the_log_once_with_its_line(
    serve: Serve, tmp_path: Path
) -> None:
    lines = (
        "import time",
        "async def hogging(stream):",
        "    await stream.recv()",
        "    time.sleep(0.3)",
        "    await stream.send(b'late')",
    )
    (tmp_path / "hogs.py").write_text("\n".join(lines))
    server = serve(target="hogs:hogging", PYTHONPATH=str(tmp_path)).wait_ready()
    with socket.create_connection(("127.0.0.1", server.status()["port"]), timeout=5) as client:
        client.sendall(b"now")
        assert client.makefile("rb").read() == b"late"
    wait_until(lambda: 'hogs.py", line 4, in hogging' in server.log(), "the line in the log")
    assert server.log().count("<Thread hogging> holds the loop for more than 100 ms") == 1


def test_native_handler__that_connects__gets_a_connector(serve: Serve) -> None:
    beyond = serve(name="beyond").wait_ready()
    port = str(beyond.status()["port"])
    relay = serve(target="relay:relay", PYTHONPATH=str(Path(__file__).parent), RELAY_TO=port).wait_ready()
    with socket.create_connection(("127.0.0.1", relay.status()["port"]), timeout=5) as connection:
        connection.send(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.makefile("rb").read().endswith(b"\r\n\r\nhello\n")


def test_worker__soft_descriptor_limit__raised_to_the_hard_one(serve: Serve) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    server = serve("--workers", "1").wait_ready()
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (256, hard))
    assert server.command("worker", "restart", "0").returncode == 0
    # Of another user's process prlimit(2) may not be asked, but the file may be read.
    limits = Path(f"/proc/{server.worker_pids()[0]}/limits").read_text()
    assert re.search(rf"^Max open files +{hard} +{hard} ", limits, re.MULTILINE), limits


def test_limit_concurrency__the_next_ones_wait(serve: Serve) -> None:
    server = serve("--workers", "1", "--limit-concurrency", "2").wait_ready()
    port = server.status()["port"]
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
    wait_until(lambda: server.status()["workers"][0]["connections"] == 2, "two connections")
    waiting = socket.create_connection(("127.0.0.1", port), timeout=5)
    waiting.send(b"GET / HTTP/1.0\r\n\r\n")
    time.sleep(0.3)
    assert server.status()["workers"][0]["accepted_total"] == 2
    idle[0].close()
    assert waiting.recv(100).startswith(b"HTTP/1.1 200")
    waiting.close()
    idle[1].close()


def test_access_log__one_line_a_response(serve: Serve) -> None:
    server = serve("--access-log").wait_ready()
    server.get()
    wait_until(lambda: '"GET / HTTP/1.1" 200 6' in server.log(), "a line")


@pytest.mark.needs("another-user")
def test_privileges__worker_is_nobody_without_any_capability(serve: Serve) -> None:
    server = serve().wait_ready()
    for pid in server.worker_pids():
        text = Path(f"/proc/{pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        assert fields["Uid"].split() == ["65534"] * 4
        assert fields["Groups"].split() == []
        assert {int(fields[name], 16) for name in ("CapInh", "CapPrm", "CapEff")} == {0}
        assert fields["NoNewPrivs"] == "1"
