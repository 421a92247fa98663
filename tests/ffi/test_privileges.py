"""Giving up privileges, each time in a child process."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.ffi.privileges import (
    CAP_NET_ADMIN,
    become_user,
    effective_capabilities,
    find_refusal,
    forbid_new_privileges,
    keep_capabilities,
    signal_on_parent_death,
)


def in_child(check: Callable[[], bool]) -> bool:
    """What `check` says in a child process."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


@pytest.mark.needs("another-user")
def test_become_user__without_capabilities__nothing_is_left_and_no_way_back() -> None:
    def check() -> bool:
        become_user(65534, 65534)
        with pytest.raises(PermissionError):
            os.setuid(0)
        return (
            os.getresuid() == (65534,) * 3
            and os.getgroups() == []
            and effective_capabilities() == frozenset()
        )

    assert in_child(check)


@pytest.mark.needs("net-admin")
def test_become_user__one_capability__exactly_that_one() -> None:
    def check() -> bool:
        become_user(65534, 65534, frozenset({CAP_NET_ADMIN}))
        with pytest.raises(PermissionError):
            socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        return effective_capabilities() == frozenset({CAP_NET_ADMIN})

    assert in_child(check)


@pytest.mark.needs("net-admin")
def test_become_user__kept_capability__does_not_survive_exec() -> None:
    def check() -> bool:
        become_user(65534, 65534, frozenset({CAP_NET_ADMIN}))
        forbid_new_privileges()
        return os.system("grep -q '^CapEff:.0*$' /proc/self/status") == 0

    assert in_child(check)


@pytest.mark.needs("refused-users")
def test_become_user__without_the_right__error() -> None:
    def check() -> bool:
        with pytest.raises(PermissionError):
            become_user(65534, 65534)
        return True

    assert in_child(check)


def test_signal_on_parent_death__parent_ends__signalled() -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        child = os.fork()
        if child == 0:
            os.close(read)
            signal_on_parent_death(signal.SIGKILL)
            os.write(write, b"ready")
            time.sleep(30)
            os._exit(0)
        os.close(write)
        os.read(read, 5)
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    # Nobody else holds the write end: its end of file comes when the grandchild is dead.
    assert os.read(read, 1) == b""
    os.close(read)


def capabilities_of_proc(name: str) -> frozenset[int]:
    lines = Path("/proc/thread-self/status").read_text().splitlines()
    mask = int(next(line.split()[1] for line in lines if line.startswith(name)), 16)
    return frozenset(bit for bit in range(64) if mask >> bit & 1)


def test_effective_capabilities__as_the_kernel_lists_them() -> None:
    assert effective_capabilities() == capabilities_of_proc("CapEff:")


def test_keep_capabilities__some_that_are_not_there__those_that_are_and_no_others() -> None:
    def check() -> bool:
        before = capabilities_of_proc("CapPrm:")
        keep_capabilities(frozenset({CAP_NET_ADMIN, 63}))
        left = before & {CAP_NET_ADMIN}
        return capabilities_of_proc("CapPrm:") == left == effective_capabilities()

    assert in_child(check)


def test_find_refusal__nothing_is_refused__empty_and_nothing_has_changed() -> None:
    before = effective_capabilities()
    assert find_refusal(lambda: keep_capabilities(frozenset())) == ""
    assert effective_capabilities() == before


def test_find_refusal__refused__the_call_and_the_reason() -> None:
    def step() -> None:
        raise PermissionError(1, "Operation not permitted", "setgroups")

    assert find_refusal(step) == "setgroups: Operation not permitted"


def test_find_refusal__killed__the_signal() -> None:
    assert find_refusal(lambda: os.kill(os.getpid(), signal.SIGKILL)) == "it is killed by SIGKILL"


def test_find_refusal__another_error__not_taken_for_success() -> None:
    def step() -> None:
        raise ValueError

    assert find_refusal(step) == "it fails"


def test_find_refusal__ends_of_children_are_ignored__still_found() -> None:
    def step() -> None:
        raise PermissionError(1, "Operation not permitted", "setgroups")

    def check() -> bool:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        killed = find_refusal(lambda: os.kill(os.getpid(), signal.SIGKILL))
        return (find_refusal(lambda: None), find_refusal(step), killed) == (
            "",
            "setgroups: Operation not permitted",
            "it fails",
        )

    assert in_child(check)


def test_find_refusal__any_end__leaves_no_child_and_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    find_refusal(lambda: None)
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
