"""Signals sent to supervisor and worker: what has no meaning changes nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

from gossamer.shards.firewall.firewall import our_rules
from gossamer.shards.letters.signals import ENDING, FAULTS, RETIRE, signal_name

from ..conftest import Place, Server, wait_until

Serve = Callable[..., Server]

MEANING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU, RETIRE}
"""These do something, tested elsewhere."""
OF_SUPERVISOR = sorted(ENDING - MEANING - {signal.SIGHUP, signal.SIGUSR2} | {RETIRE})
OF_WORKER = sorted(ENDING - MEANING)
OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python ignores them from its start."""


TRY = """
import os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for number in signal.valid_signals():
    pid = os.fork()
    if pid == 0:
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.kill(os.getpid(), number)
        os._exit(0)
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        print(int(number))
"""
"""Prints the numbers of all signals that end a process that does nothing about them."""


def test_ending__is_all_that_would_end_a_process_but_faults() -> None:
    # A small process forks faster than this one.
    done = subprocess.run([sys.executable, "-S", "-c", TRY], capture_output=True, text=True, check=True)
    ending = set(map(int, done.stdout.split()))
    assert ending - FAULTS - OF_PYTHON - {signal.SIGKILL} == ENDING


def test_signal_name__of_real_time_ones_too() -> None:
    assert [signal_name(number) for number in (signal.SIGALRM, signal.SIGRTMIN, signal.SIGRTMIN + 3)] == [
        "SIGALRM",
        "SIGRTMIN",
        "SIGRTMIN+3",
    ]


def test_signals_that_mean_nothing__logged__everything_goes_on__sigxcpu_drains(place: Place) -> None:
    server = place.start().wait_ready()
    (pid,) = server.worker_pids()
    for number in OF_SUPERVISOR:
        server.process.send_signal(number)
    for number in OF_WORKER:
        os.kill(pid, number)
    said = [f"{signal_name(number)} means nothing to a worker; it goes on" for number in OF_WORKER]
    said += [f" {signal_name(number)}" for number in OF_SUPERVISOR]
    wait_until(lambda: all(each in server.log() for each in said), "a line for each")
    (worker,) = server.status()["workers"]
    assert (worker["pid"], worker["restarts"]) == (pid, 0)
    assert "SIGUSR1: there is no log file to open again" in server.log()
    assert "SIGALRM means nothing to a supervisor; it goes on" in server.log()
    with place.connect(server.port()) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"\r\n\r\nhello\n")
    server.process.send_signal(signal.SIGXCPU)
    assert server.wait_end() == 0
    assert "stopping: draining" in server.log()
    if place.stack == "nfqueue":
        with place.inside():
            assert our_rules() == {"iptables": [], "ip6tables": []}


def test_signal_that_a_handler_caught__is_left_to_it(serve: Serve, tmp_path: os.PathLike[str]) -> None:
    lines = (
        "import signal",
        "signal.signal(signal.SIGALRM, lambda number, frame: print('the handler heard', number, flush=True))",
        "async def handler(stream):",
        "    await stream.close()",
    )
    with open(os.path.join(tmp_path, "listens.py"), "w") as module:
        module.write("\n".join(lines))
    server = serve(target="listens:handler", PYTHONPATH=os.fspath(tmp_path)).wait_ready()
    os.kill(server.worker_pids()[0], signal.SIGALRM)
    wait_until(lambda: "the handler heard 14" in server.log(), "the handler's own line")
    assert "SIGALRM means nothing" not in server.log()
