"""Ctrl-C: the first cancels the program, the second ends it at once."""

import signal
import subprocess
import sys
import threading

import pytest

from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_fork, sys_sleep
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.threads.nursery import open_nursery

LONG_US = 60_000_000


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


async def press_soon() -> None:
    await sys_sleep(10_000)
    press_ctrl_c()


def test_ctrl_c__every_thread_ends_and_its_finally_may_block() -> None:
    ended = []

    async def works(name: str) -> None:
        try:
            await sys_sleep(LONG_US)
        finally:
            with CancelScope(shield=True):
                await sys_sleep(1_000)
            ended.append(name)

    async def main() -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(works, "ann")
            nursery.start_soon(works, "bob")
            nursery.start_soon(press_soon)

    with pytest.raises(KeyboardInterrupt) as caught:
        run(main())
    assert sorted(ended) == ["ann", "bob"]
    (stood,) = caught.value.__notes__
    assert "2 x blocked in Sleep: test_ctrl_c__every_thread" in stood
    assert "in test_ctrl_c__every_thread_ends_and_its_finally_may_block.<locals>.works" in stood
    assert "1 x blocked in Park: " in stood
    assert "in test_ctrl_c__every_thread_ends_and_its_finally_may_block.<locals>.main" in stood
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c__twice__ends_at_once() -> None:
    async def main() -> None:
        await sys_fork(press_soon())
        try:
            await sys_sleep(LONG_US)
        finally:
            with CancelScope(shield=True):
                await sys_fork(press_soon())
                await sys_sleep(LONG_US)

    with pytest.raises(KeyboardInterrupt):
        run(main())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c__main_ends_in_spite_of_it__its_value() -> None:
    async def main() -> str:
        press_ctrl_c()
        return "done already"

    assert run(main()) == "done already"


def test_ctrl_c__main_fails_on_its_way_out__its_error() -> None:
    async def main() -> None:
        await sys_fork(press_soon())
        try:
            await sys_sleep(LONG_US)
        finally:
            raise OSError("cannot clean up")

    with pytest.raises(OSError, match="cannot clean up"):
        run(main())


def test_handler_of_the_callers__stays_in_place() -> None:
    came = []
    previous = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))

    async def main() -> str:
        press_ctrl_c()
        await sys_sleep(1_000)
        return "went on"

    try:
        assert run(main()) == "went on"
    finally:
        signal.signal(signal.SIGINT, previous)
    assert came == [signal.SIGINT]


def test_taken_by_main_meanwhile__left_to_it() -> None:
    def ours(_number: int, _frame: object) -> None: ...

    async def main() -> None:
        signal.signal(signal.SIGINT, ours)

    try:
        run(main())
        assert signal.getsignal(signal.SIGINT) is ours
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_not_on_the_main_thread__runs_without_it() -> None:
    found: list[int] = []

    async def main() -> int:
        await sys_sleep(1)
        return 7

    thread = threading.Thread(target=lambda: found.append(run(main())))
    thread.start()
    thread.join()
    assert found == [7]


FORKS = """
import os, signal, sys, time
from gossamer import run, sleep, sys_blio

def stay():
    for _ in range(600):
        time.sleep(0.1)

def forked():
    pid = os.fork()
    if pid == 0:
        try:
            stay()
        finally:
            os._exit(1)
    return pid

async def main():
    for number in (signal.SIGINT, signal.SIGQUIT):
        child = await sys_blio(forked) if sys.argv[1] == "in the pool" else forked()
        os.kill(child, number)
        _, status = os.waitpid(child, 0)
        print("the child ended by", os.WTERMSIG(status), flush=True)
    await sleep(0.1)
    print("went on", flush=True)

run(main(), debug=True)
"""


@pytest.mark.parametrize("where", ["in a thread", "in the pool"])
def test_ctrl_c__to_a_forked_child_alone__ends_it_and_nothing_else(where: str) -> None:
    command = [sys.executable, "-c", FORKS, where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    ends = [f"the child ended by {number:d}" for number in (signal.SIGINT, signal.SIGQUIT)]
    assert done.stdout.splitlines() == [*ends, "went on"], done.stderr
    assert done.returncode == 0


PROGRAM = """
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_sleep

async def main():
    try:
        print("ready", flush=True)
        await sys_sleep(60_000_000)
    finally:
        print("cleaned up", flush=True)

run(main())
"""


def test_a_program__ctrl_c__cleans_up_and_ends_by_the_signal() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=-1, stderr=-1, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        output, errors = child.communicate(timeout=20)
    assert output == "cleaned up\n"
    error, _, stood = errors.partition(
        "\nat the first Ctrl-C there were 1 threads\n1 x blocked in Sleep: main\n"
    )
    assert error.endswith("KeyboardInterrupt")
    assert ":8 in main" in stood
    assert child.returncode == -signal.SIGINT
