"""Child processes: fed, read, waited for, and never left behind."""

import errno
import gc
import os
import resource
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.io import process
from gossamer.core.io.process import Completed, open_process, run_process
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep, sys_yield
from gossamer.core.threads.cancel import CancelScope, move_on_after

Kernel = Any


def test_run__output_of_both_streams_and_exit_code(kernel: Kernel) -> None:
    script = (
        "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1]);"
        "sys.stderr.write('e'); sys.exit(3)"
    )
    done = kernel.run(run_process([sys.executable, "-c", script], stdin=b"abc" * 100_000))
    assert done == Completed(3, b"cba" * 100_000, b"e")


def test_run__child_reads_nothing__is_no_error(kernel: Kernel) -> None:
    assert kernel.run(run_process(["true"], stdin=bytes(1 << 20))).code == 0


def test_run__no_such_program__os_error(kernel: Kernel) -> None:
    with pytest.raises(FileNotFoundError):
        kernel.run(run_process(["/no/such/program"]))


def test_run__ended_by_a_signal__minus_its_number(kernel: Kernel) -> None:
    assert kernel.run(run_process(["sh", "-c", "kill -9 $$"])).code == -9


def test_run__cancelled__the_child_is_killed_and_reaped(kernel: Kernel, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def cancels_once_it_runs(scope: CancelScope) -> None:
        while not (pid_file.exists() and pid_file.read_text().endswith("\n")):
            await sys_sleep(10_000)
        scope.cancel()

    async def main() -> bool:
        with move_on_after(60) as scope:
            await sys_fork(cancels_once_it_runs(scope))
            await run_process(["sh", "-c", f"echo $$ > {pid_file}; exec sleep 600"])
        return scope.cancelled_caught

    assert kernel.run(main())
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_run__writes_too_much__bound_exceeded(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "OUTPUT_BYTES_MAX", 1000)
    with pytest.raises(ExceptionGroup) as caught:
        kernel.run(run_process(["head", "-c", "100000", "/dev/zero"]))
    assert caught.group_contains(process.BoundExceeded, match="OUTPUT_BYTES_MAX")


def test_open__talk_with_it(kernel: Kernel) -> None:
    async def main() -> tuple[bytes, int]:
        pipe = subprocess.PIPE
        async with await open_process(["cat"], stdin=pipe, stdout=pipe) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            await child.stdin.send(b"line\n")
            line = await child.stdout.recv()
            await child.stdin.close()
            return line, await child.wait()

    assert kernel.run(main()) == (b"line\n", 0)


def test_wait__by_many_threads__each_gets_the_result(kernel: Kernel) -> None:
    async def main() -> list[int]:
        async with await open_process(["sleep", "60"]) as child:
            waiters = [await sys_fork(child.wait()) for _ in range(3)]
            with move_on_after(0.05) as scope:
                await child.wait()
            assert scope.cancelled_caught
            child.send_signal(15)
            return [await sys_join(waiter) for waiter in waiters]

    gc.collect()  # what tests before this one dropped may hold descriptors
    before = len(os.listdir("/proc/self/fd"))
    assert kernel.run(main()) == [-15] * 3
    assert len(os.listdir("/proc/self/fd")) == before


def test_close__while_another_waits__it_gets_the_end(kernel: Kernel) -> None:
    async def main() -> int:
        child = await open_process(["sleep", "60"])
        waiter = await sys_fork(child.wait())
        await sys_yield()
        await child.close()
        await child.close()
        return await sys_join(waiter)

    assert kernel.run(main()) == -9


@pytest.fixture(params=["ENOSYS", "EPERM"])
def no_pidfd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel before Linux 5.3, or a sandbox."""

    def refuse(_pid: int) -> int:
        code = getattr(errno, request.param)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pidfd_open", refuse)


@pytest.mark.usefixtures("no_pidfd")
def test_no_pidfd__waited_for_closed_and_cancelled_all_the_same(kernel: Kernel) -> None:
    async def main() -> tuple[int, int, bool]:
        async with await open_process(["sleep", "60"]) as child:
            with move_on_after(0.05) as scope:
                await child.wait()
            waiter = await sys_fork(child.wait())
            child.send_signal(15)
            ended = await sys_join(waiter)
        other = await open_process(["sleep", "60"])
        await other.close()
        return ended, await other.wait(), scope.cancelled_caught

    kernel.run(main())  # The first sleep opens a timer, which stays.
    before = len(os.listdir("/proc/self/fd"))
    assert kernel.run(main()) == (-15, -9, True)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.usefixtures("no_pidfd")
def test_no_pidfd__output_and_exit_code(kernel: Kernel) -> None:
    assert kernel.run(run_process(["cat"], stdin=b"through")) == Completed(0, b"through", b"")


def test_close__no_descriptor_is_left__the_child_is_reaped_all_the_same(kernel: Kernel) -> None:
    async def main() -> int:
        child = await open_process(["sleep", "60"])
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            await child.close()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        return await child.wait()

    assert kernel.run(main()) == -9


def test_open__cancelled_while_it_starts__no_child_is_left(kernel: Kernel) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Slow(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **how: Any) -> None:
            super().__init__(*arguments, **how)
            started.append(self)
            time.sleep(0.2)

    async def main() -> bool:
        with move_on_after(0.05) as scope:
            async with await open_process(["sleep", "60"]) as child:
                await child.wait()
        return scope.cancelled_caught

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "Popen", Slow)
        assert kernel.run(main())
    (child,) = started
    assert child.returncode == -9


IGNORED = """
import sys, threading
from gossamer import run, run_process

def main():
    codes = [run(run_process(["sh", "-c", "exit 3"])).code for _ in range(40)]
    print(*sorted(set(codes)), len(codes))

if sys.argv[1] == "main":
    main()
else:
    thread = threading.Thread(target=main)
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize(
    ("os_thread", "codes"), [("main", "3 40"), ("another", "255 40")], ids=["main", "another"]
)
def test_run__sigchld_is_ignored__every_end_is_reported(os_thread: str, codes: str) -> None:
    """Only the main thread may have the exit code kept: elsewhere it is lost, and is no success."""
    done = subprocess.run(
        [sys.executable, "-c", IGNORED, os_thread],
        preexec_fn=partial(signal.signal, signal.SIGCHLD, signal.SIG_IGN),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == (codes, 0), done.stderr
    assert ("is lost" in done.stderr) == (os_thread == "another")


def test_wait__reaped_by_somebody_else_before_and_after_it_is_made__its_code_is_lost(
    kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    async def code_of(child: Any) -> int:
        async with process.Process(child) as made:
            os.kill(child.pid, 0)
            os.waitpid(child.pid, 0)
            made.send_signal(15)
            return await made.wait()

    reaped = subprocess.Popen(["true"])
    os.waitpid(reaped.pid, 0)

    async def ended() -> int:
        async with process.Process(reaped) as made:
            return await made.wait()

    assert kernel.run(ended()) == process.LOST_CODE
    assert kernel.run(code_of(subprocess.Popen(["true"]))) == process.LOST_CODE
    assert caplog.text.count("is lost") == 2
