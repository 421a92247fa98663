"""The kernel is asked for processors that do not rest, as long as the context lasts."""

import os
from pathlib import Path

from gossamer.loadtest.awake import processors_awake


def test_the_latency_is_asked_for_while_the_context_lasts(tmp_path: Path) -> None:
    path = tmp_path / "cpu_dma_latency"
    path.touch()
    with processors_awake(str(path)) as why_not:
        assert why_not == ""
        assert path.read_bytes() == b"\0\0\0\0"
        held = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if is_open(fd)]
        assert str(path) in held, "the kernel forgets the request once it is closed"
    held = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if is_open(fd)]
    assert str(path) not in held


def test_a_kernel_without_it_is_named(tmp_path: Path) -> None:
    with processors_awake(str(tmp_path / "none")) as why_not:
        assert why_not == f"{tmp_path / 'none'}: No such file or directory"


def is_open(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")
