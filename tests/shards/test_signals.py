"""Signals sent to supervisor and worker: what has no meaning changes nothing."""

import os
import resource
import signal
from collections.abc import Callable

import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.serving import RETIRE
from gossamer.shards.signals import ENDING, FAULTS, signal_name

from .conftest import Server, wait_until

Serve = Callable[..., Server]

PORT = 18090
MEANING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU, RETIRE}
"""These do something, tested elsewhere."""
OF_SUPERVISOR = sorted(ENDING - MEANING - {signal.SIGHUP} | {RETIRE})
OF_WORKER = sorted(ENDING - MEANING)
OF_PYTHON = {signal.SIGPIPE, signal.SIGXFSZ}
"""Python ignores them from its start."""


def ends_a_process(number: int) -> bool:
    """Whether a process that does nothing about a signal is ended by it."""
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.kill(os.getpid(), number)
        os._exit(0)
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


def test_ending__is_all_that_would_end_a_process_but_faults() -> None:
    ending = set(filter(ends_a_process, signal.valid_signals()))
    assert ending - FAULTS - OF_PYTHON - {signal.SIGKILL} == ENDING


def test_signal_name__of_real_time_ones_too() -> None:
    assert [signal_name(number) for number in (signal.SIGALRM, signal.SIGRTMIN, signal.SIGRTMIN + 3)] == [
        "SIGALRM",
        "SIGRTMIN",
        "SIGRTMIN+3",
    ]


def send_all_that_mean_nothing(server: Server) -> None:
    """To the supervisor and to each worker; until all of them are in the log."""
    workers = server.worker_pids()
    for number in OF_SUPERVISOR:
        server.process.send_signal(number)
    for number in OF_WORKER:
        for pid in workers:
            os.kill(pid, number)
    for number in OF_WORKER:
        wait_until(lambda: server.log().count(f" {signal_name(number)}") >= 2, signal_name(number))  # noqa: B023 - called at once
    assert server.worker_pids() == workers
    assert [worker["restarts"] for worker in server.status()["workers"]] == [0, 0]


def test_signals_that_mean_nothing__logged__everything_goes_on(serve: Serve) -> None:
    server = serve().wait_ready()
    send_all_that_mean_nothing(server)
    assert "SIGUSR1: there is no log file to open again" in server.log()
    assert "SIGUSR2 refused: a server is not upgraded in place" in server.log()
    assert "SIGALRM means nothing to a supervisor; it goes on" in server.log()
    assert "SIGHUP means nothing to a worker; it goes on" in server.log()
    assert server.get() == (200, b"hello\n")


@pytest.mark.needs("nfqueue")
def test_signals_that_mean_nothing__functional_tcp__served_and_no_rule_is_left(
    serve: Serve, namespace: Namespace
) -> None:
    prefix = tuple(namespace.command([]))
    server = serve("--stack", "nfqueue", "--port", str(PORT), prefix=prefix).wait_ready()
    send_all_that_mean_nothing(server)
    assert namespace.run(["curl", "-s", "-m", "8", f"http://127.0.0.1:{PORT}/"]) == "hello\n"
    assert server.command("stop").returncode == 0
    assert "GSMR" not in namespace.run(["iptables-save", "-t", "raw"])


def test_sigxcpu__its_limit_of_cpu_time_is_near__drains_and_ends(serve: Serve) -> None:
    server = serve().wait_ready()
    server.process.send_signal(signal.SIGXCPU)
    assert server.wait_end() == 0
    assert "stopping: draining" in server.log()


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
