"""The system calls that are refused to workers: none that a server makes, and none that its work needs."""

import os
import sys
from pathlib import Path

import pytest

from gossamer.ffi.seccomp import find_library
from gossamer.shards.confinement.refusals import REFUSED
from gossamer.shards.machine.needs import NEEDS

from ..conftest import Place
from ..denied_calls import TABLE

HERE = str(Path(__file__).parent.parent)

of_no_stack = pytest.mark.parametrize("place", ["kernel"], indirect=True)
"""What a worker does alike on both."""
with_library = pytest.mark.skipif(find_library() is None, reason="there is no libseccomp")


def test_refused__none_that_a_server_makes_or_that_stands_twice() -> None:
    needed = {name for need in NEEDS for name in need.names}
    assert not set(REFUSED) & (needed | TABLE.keys())
    assert len(set(REFUSED)) == len(REFUSED)


@with_library
def test_refused__the_library_knows_most_of_them() -> None:
    library = find_library()
    assert library is not None
    unknown = [name for name in REFUSED if library.seccomp_syscall_resolve_name(name.encode()) == -1]
    assert len(unknown) < 8, unknown


@with_library
def test_worker__calls_of_an_intruder__refused_and_its_work_is_done(place: Place) -> None:
    server = place.start("--workers", "1", target="hostile:handler", PYTHONPATH=HERE).wait_ready()
    assert server.status()["workers"][0]["held"]["has_seccomp"] is True
    for deed in ("ptrace", "unshare", "mount", "clone into a user namespace"):
        assert place.ask(server.port(), f"try {deed}") == "EPERM", deed
    assert place.ask(server.port(), "thread and child") == "0 0"
    assert "; seccomp; " in server.command("status").stdout


@of_no_stack
def test_worker__seccomp_is_off__no_filter_but_what_all_here_have(place: Place) -> None:
    argv = ("--workers", "1", "--set", "server.seccomp=false")
    server = place.start(*argv, target="hostile:handler", PYTHONPATH=HERE).wait_ready()
    is_filtered = "Seccomp:\t2" in Path("/proc/self/status").read_text()
    assert server.status()["workers"][0]["held"]["has_seccomp"] is is_filtered
    assert place.ask(server.port(), "try ptrace") != "EPERM"


@with_library
@of_no_stack
@pytest.mark.needs("another-user")
def test_filter_is_refused__one_warning_and_serves(place: Place) -> None:
    refuse = (
        sys.executable,
        os.path.join(HERE, "..", "refuse.py"),
        "seccomp:EINVAL",
        "prctl=22:EINVAL",
        "--",
    )
    server = place.start("--workers", "1", prefix=refuse).wait_ready()
    assert "a worker may try any system call" in server.log()
    assert server.status()["workers"][0]["restarts"] == 0
