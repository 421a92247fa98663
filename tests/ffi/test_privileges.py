"""Giving up privileges, each time in a child process."""

import os
import signal
import socket
import time
from collections.abc import Callable

import pytest
from gossamer.ffi.privileges import (
    CAP_NET_ADMIN,
    become_user,
    effective_capabilities,
    forbid_new_privileges,
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
