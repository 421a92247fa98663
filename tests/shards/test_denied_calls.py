"""Where the kernel refuses a system call the server does without, or ends with one line that names it."""

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest

from gossamer.ffi.systemcalls import exists, refusal
from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.machine.needs import NEEDS, find_refused
from gossamer.shards.plan.machine_facts import (
    find_loopback_obstacle,
    require_calls_of,
    require_machine,
    usable_cpus,
)

from ..refuse import numbers, refuse
from .denied import CANNOT_START, Outcome, Trial, try_serving
from .denied_calls import TABLE, End, Stack

ERRNOS = ("ENOSYS", "EPERM")

DONE_WITHOUT = [
    ("openat2", "EPERM"),
    ("memfd_create", "ENOSYS"),
    ("prlimit64", "EPERM"),
    ("preadv2", "EPERM"),
    ("fadvise64", "EPERM"),
    ("io_uring_enter", "EPERM"),
]
"""Cases of the table that are always tried, all of them by one server; GOSSAMER_DENIED_CALLS=1 tries each."""

NEEDED = [
    ("accept4", "ENOSYS"),
    ("eventfd2", "EPERM"),
    ("epoll_create1", "ENOSYS"),
    ("sendfile", "ENOSYS"),
]
"""Cases that are always tried where a start looks at them."""

ENDINGS = [("accept4", "ENOSYS"), ("clone3", "EPERM")]
"""Cases of a line that are always tried by a server: one by that look, one later."""

EVERY = [(call, errno_name) for call in TABLE for errno_name in ERRNOS]
NOT_WANTED = pytest.mark.skip(reason="GOSSAMER_DENIED_CALLS=1 tries the whole table (minutes)")


def if_wanted(cases: list[tuple[str, str]]) -> list[Any]:
    """The cases, or one that is skipped in their place."""
    wanted = "GOSSAMER_DENIED_CALLS" in os.environ
    return [*cases] if wanted else [pytest.param("every call", "every errno", marks=NOT_WANTED)]


def check(outcome: Outcome, call: str, end: End) -> None:
    """That the server ended as the table says."""
    ends = {
        End.SERVES: outcome.serves,
        End.LINE: call in outcome.line and ";" in outcome.line,
        End.RIGHTS: outcome.serves
        or (outcome.exit_code == CANNOT_START and bool(re.search("server.user|CAP_NET_ADMIN", outcome.log))),
        End.NO_PYTHON: outcome.exit_code not in (None, 0) and not outcome.faults,
    }
    assert ends[end], f"{call}: {end} was expected\n{outcome.faults}\n{outcome.log}"


def try_call(call: str, errno_name: str, folder: Path, stack: Stack, prefix: list[str]) -> None:
    if call not in numbers():
        pytest.skip(f"this machine has no call {call}")
    outcome = try_serving([(call, errno_name)], folder, ["--stack", stack], prefix)
    check(outcome, call, TABLE[call].end(errno_name, stack))


def test_kernel_sockets__calls_refused_that_it_does_without__serves(tmp_path: Path) -> None:
    assert {TABLE[call].end(errno_name, "kernel") for call, errno_name in DONE_WITHOUT} == {End.SERVES}
    there = [(call, errno_name) for call, errno_name in DONE_WITHOUT if call in numbers()]
    outcome = try_serving(there, tmp_path, ["--stack", "kernel"])
    assert outcome.serves, outcome


@pytest.mark.parametrize(("call", "errno_name"), ENDINGS)
def test_kernel_sockets__a_call_refused__says_so(call: str, errno_name: str, tmp_path: Path) -> None:
    try_call(call, errno_name, tmp_path, "kernel", [])


def said_at_the_start(rule: str) -> str:
    """What a child of ours is told to which a call is refused, before it opens anything."""
    numbers()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            refuse([rule])
            require_machine()
            require_calls_of("kernel")
        except CannotStartError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as said:
        line = said.read()
    os.waitpid(pid, 0)
    return line.decode()


def test_start__a_call_that_is_needed_refused__named_with_the_way_out() -> None:
    for call, errno_name in NEEDED:
        if call in numbers():
            assert TABLE[call].end(errno_name, "kernel") is End.LINE
            assert said_at_the_start(f"{call}:{errno_name}").startswith(
                f"a server needs {call}, and this kernel"
            )


@pytest.mark.slow
@pytest.mark.parametrize(("call", "errno_name"), if_wanted(EVERY))
def test_kernel_sockets__any_call_refused__serves_or_says_so(
    call: str, errno_name: str, tmp_path: Path
) -> None:
    try_call(call, errno_name, tmp_path, "kernel", [])


@pytest.mark.slow
@pytest.mark.needs("nfqueue")
@pytest.mark.parametrize(("call", "errno_name"), if_wanted(EVERY))
def test_functional_tcp__any_call_refused__serves_or_says_so(
    call: str, errno_name: str, tmp_path: Path, namespace: Namespace
) -> None:
    try_call(call, errno_name, tmp_path, "nfqueue", namespace.command([]))


@pytest.mark.needs("nfqueue")
def test_auto__a_call_of_the_functional_tcp_refused__kernel_sockets_and_the_reason(
    tmp_path: Path, namespace: Namespace
) -> None:
    outcome = try_serving([("recvmmsg", "EPERM")], tmp_path, ["--stack", "auto"], namespace.command([]))
    assert outcome.serves, outcome
    assert "kernel sockets: a server needs recvmmsg" in outcome.log


@pytest.mark.needs("nfqueue")
def test_functional_tcp__sendmmsg_refused__one_line(tmp_path: Path, namespace: Namespace) -> None:
    try_call("sendmmsg", "ENOSYS", tmp_path, "nfqueue", namespace.command([]))


LOWEST_KERNEL = [("pidfd_send_signal+", "ENOSYS")]
"""Linux 4.18 has no call of this number or a higher one: they came with 5.1 and later, and have one number on
every machine.
"""


def test_lowest_kernel__none_of_the_later_calls__serves(tmp_path: Path) -> None:
    outcome = try_serving(LOWEST_KERNEL, tmp_path, ["--stack", "kernel"])
    assert outcome.serves, outcome


def test_lowest_kernel__what_it_lacks__stands_in_the_table_as_done_without() -> None:
    lacks = {name for name, number in numbers().items() if number >= numbers()["pidfd_send_signal"]}
    ends = {
        call: TABLE[call].end("ENOSYS", stack)
        for call in lacks & TABLE.keys()
        for stack in ("kernel", "nfqueue")
    }
    assert set(ends.values()) == {End.SERVES}
    assert {"openat2", "clone3", "io_uring_setup", "pidfd_open"} <= ends.keys()
    assert not lacks & {name for need in NEEDS for name in need.names}


@pytest.mark.needs("nfqueue")
def test_lowest_kernel__functional_tcp__serves(tmp_path: Path, namespace: Namespace) -> None:
    outcome = try_serving(LOWEST_KERNEL, tmp_path, ["--stack", "nfqueue"], namespace.command([]))
    assert outcome.serves, outcome


def test_sandbox__neither_uring_nor_aio_nor_preadv2__serves(tmp_path: Path) -> None:
    refused = [(call, "EPERM") for call in ("io_uring_setup", "io_submit", "preadv2", "openat2")]
    outcome = try_serving(refused, tmp_path, ["--stack", "kernel"])
    assert outcome.serves, outcome


def test_no_ipv6__host_any__one_line(tmp_path: Path) -> None:
    refused = [("socket=10", "EAFNOSUPPORT")]
    outcome = try_serving(refused, tmp_path, ["--stack", "kernel", "--host", "::"])
    assert "this kernel has no IPv6: name an IPv4 address" in outcome.line, outcome


@pytest.mark.needs("nfqueue")
def test_lo_down__server_on_it__one_line__on_any_address_it_may_serve_others_and_warns(
    tmp_path: Path, namespace: Namespace
) -> None:
    namespace.run(["ip", "link", "set", "lo", "down"])
    with namespace.entered():
        for host in ("127.0.0.1", "::1"):
            assert find_loopback_obstacle(host).endswith("the interface lo is down: ip link set lo up")
    refused = try_serving([], tmp_path, ["--stack", "auto", "--host", "::1"], namespace.command([]))
    assert "the interface lo is down: ip link set lo up" in refused.line, refused
    argv = [str(tmp_path / "site"), "--stack", "kernel", "--host", "0.0.0.0"]
    trial = Trial([], namespace.command([]), tmp_path, argv)
    try:
        assert trial.wait_ready(), trial.log
        assert "warning   server.host: nothing on this machine reaches 0.0.0.0" in trial.log
        assert trial.end() == 0
    finally:
        trial.kill()


@pytest.mark.needs("namespaces")
def test_no_proc__one_line(tmp_path: Path) -> None:
    hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
    outcome = try_serving([], tmp_path, ["--stack", "kernel"], hide)
    assert "mount -t proc proc /proc" in outcome.line, outcome


def test_find_refused__the_first_of_its_stack__named_with_the_way_out() -> None:
    def refuse(name: str, arguments: tuple[int, ...]) -> int:
        del arguments
        return errno.EPERM if name in ("sendfile", "recvmmsg", "epoll_pwait") else 0

    has_new_names_only = {"epoll_pwait", "sendfile", "recvmmsg"}.__contains__
    assert find_refused("any", has_new_names_only, refuse).startswith("a server needs epoll_pwait, and")
    assert "a server needs recvmmsg" in find_refused("nfqueue", has_new_names_only, refuse)
    assert "profile (seccomp)" in find_refused("kernel", has_new_names_only, refuse)
    assert find_refused("any", lambda _name: False, refuse) == ""
    assert find_refused("any", has_new_names_only, lambda _name, _arguments: 0) == ""


def test_usable_cpus__the_kernel_does_not_say__all(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int) -> set[int]:
        raise OSError(errno.ENOSYS, "refused")

    monkeypatch.setattr(os, "sched_getaffinity", refuse)
    assert usable_cpus() == tuple(range(os.cpu_count() or 1))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "192.0.2.1", "fe80::1%lo"])
def test_loopback__lo_is_up_or_the_address_is_none_of_it__no_obstacle(host: str) -> None:
    assert find_loopback_obstacle(host) == ""


def test_needs__every_name_of_this_machine__can_be_tried_and_is_not_refused() -> None:
    for need in NEEDS:
        names = [name for name in need.names if exists(name)]
        assert names, need
        for name in names:
            assert refusal(name, need.arguments) == 0, name
