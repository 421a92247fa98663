"""What `debug=True` brings to a program."""

import os
import signal
import subprocess
import sys
import time
import warnings

import pytest

from gossamer.core.io.pipe import open_pipe
from gossamer.core.loop.debugging import VARIABLE, is_wanted
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_fork, sys_sleep, sys_yield


async def waits() -> None:
    await sys_sleep(60_000_000)


def test_debug__watchdog_stacks_and_forgotten_awaits(capfd: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        await sys_fork(waits(), "waiter")
        await sys_yield()
        reader, writer = open_pipe()
        writer.send(b"forgotten")
        time.sleep(0.3)
        await sys_yield()
        signal.raise_signal(signal.SIGQUIT)
        await reader.close()
        await writer.close()

    with pytest.warns(RuntimeWarning, match=r"FdWrite.*never awaited"):
        run(main(), debug=True)
    said = capfd.readouterr().err
    assert "1 x blocked in Sleep: waiter" in said
    assert "in waits" in said
    assert "holds the loop for more than 100 ms" in said
    assert "time.sleep(0.3)" in said
    assert signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL


def test_no_debug__a_forgotten_await_costs_nothing_and_says_nothing() -> None:
    async def main() -> None:
        sys_sleep(1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())


@pytest.mark.parametrize(
    ("value", "debug", "expected"),
    [("1", None, True), ("0", None, False), ("", None, False), ("1", False, False), ("0", True, True)],
)
def test_variable__holds_where_the_program_says_nothing(
    monkeypatch: pytest.MonkeyPatch, value: str, debug: bool | None, expected: bool
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert is_wanted(debug) is expected


PROGRAM = """
from gossamer.core.loop.program import run
from gossamer.core.threads.calls import sys_sleep

async def main():
    sys_sleep(5)
    await sys_sleep(1)

run(main())
"""


def test_a_program__by_the_variable() -> None:
    for value, expected in (("1", True), ("0", False)):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, VARIABLE: value},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert ("RuntimeWarning: Sleep(us=5) was never awaited" in done.stderr) is expected
