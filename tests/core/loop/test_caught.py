"""Handlers of ours in a forked child: what stood before them is put back, whatever it was."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from gossamer.core.loop.caught import NO_WAKEUP, CaughtSignal


def theirs(_number: int, _frame: object) -> None: ...


def nothing(_number: int, _frame: object) -> None: ...


@pytest.fixture
def caught(request: pytest.FixtureRequest) -> Iterator[CaughtSignal]:
    """SIGINT, caught in place of the handler that the test names."""
    outer = signal.signal(signal.SIGINT, request.param)
    made = CaughtSignal(signal.SIGINT, nothing)
    yield made
    made.put_back()
    assert signal.getsignal(signal.SIGINT) is request.param
    signal.signal(signal.SIGINT, outer)


def handler_in_child() -> str:
    """What stands in a forked child for SIGINT, and which descriptor a signal wakes there."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        wakeup = signal.set_wakeup_fd(NO_WAKEUP)
        os.write(write, f"{signal.getsignal(signal.SIGINT)!r} {wakeup}".encode())
        os._exit(0)
    os.close(write)
    with open(read) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said


@pytest.mark.parametrize(
    ("caught", "expected"),
    [
        (signal.SIG_DFL, signal.SIG_DFL),
        (signal.SIG_IGN, signal.SIG_IGN),
        (theirs, theirs),
        (signal.default_int_handler, signal.SIG_DFL),
    ],
    indirect=["caught"],
    ids=["default", "ignored", "the user's", "Python's own"],
)
def test_child__of_a_caught_signal__has_what_stood_before(caught: CaughtSignal, expected: Any) -> None:
    assert handler_in_child() == f"{expected!r} {NO_WAKEUP}"
    assert caught.is_in_place


@pytest.mark.parametrize("caught", [signal.SIG_DFL], indirect=True, ids=["default"])
def test_child__wakeup_descriptor_of_somebody_else__stays(caught: CaughtSignal) -> None:
    """Without a fork: asyncio, once it is imported, takes any descriptor away in a child (Python 3.12)."""
    assert caught.wakeup_fd == NO_WAKEUP
    eventfd = os.eventfd(0, os.EFD_NONBLOCK)
    outer = signal.set_wakeup_fd(eventfd)
    try:
        for ours in (NO_WAKEUP, eventfd + 1):
            caught.wakeup_fd = ours
            caught.leave_to_child()
            assert signal.set_wakeup_fd(eventfd) == eventfd
        caught.wakeup_fd = eventfd
        caught.leave_to_child()
        assert signal.set_wakeup_fd(eventfd) == NO_WAKEUP
    finally:
        signal.set_wakeup_fd(outer)
        os.close(eventfd)


def test_fork__some_signals_blocked__blocked_again_in_both() -> None:
    outer = signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2})
    try:
        if (pid := os.fork()) == 0:
            os._exit(0 if signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGUSR2} else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == {signal.SIGUSR2}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, outer)
