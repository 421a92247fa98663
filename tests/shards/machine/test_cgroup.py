"""How many CPUs' time control groups grant: from the kernel's texts, and from a group that is made here."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.machine.cgroup import find_cpu_quota, parse_quota, read_cpu_quota

from ..conftest import Server

V1_CPU = Path("/sys/fs/cgroup/cpu")
V2 = Path("/sys/fs/cgroup")


def v2_mount(point: Path, root: str = "/") -> str:
    return f"31 23 0:28 {root} {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


def v1_mount(point: Path, controllers: str = "cpu,cpuacct", root: str = "/") -> str:
    return f"32 31 0:29 {root} {point} rw,relatime - cgroup cgroup rw,{controllers}\n"


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"cpu.{name}").write_text(text + "\n")


@pytest.mark.parametrize(
    ("quota", "period", "expected"),
    [
        ("50000", "100000", Fraction(1, 2)),
        ("150000", "100000", Fraction(3, 2)),
        ("max", "100000", None),
        ("-1", "100000", None),
        ("0", "100000", None),
        ("100000", "0", None),
        ("", "", None),
        ("²", "1", None),
    ],
)
def test_parse_quota__as_the_kernel_writes_it(quota: str, period: str, expected: Fraction | None) -> None:
    assert parse_quota(quota, period) == expected


def test_quota__own_group_of_version_2__its_own(tmp_path: Path) -> None:
    write(tmp_path / "a.slice" / "b.service", max="150000 100000")
    assert find_cpu_quota("0::/a.slice/b.service\n", v2_mount(tmp_path)) == Fraction(3, 2)


def test_quota__a_group_above_has_less__the_least_of_the_path(tmp_path: Path) -> None:
    write(tmp_path / "a", max="max 100000")
    write(tmp_path / "a" / "b", max="50000 100000")
    write(tmp_path / "a" / "b" / "c", max="400000 100000")
    write(tmp_path / "a" / "other", max="1000 100000")
    assert find_cpu_quota("0::/a/b/c\n", v2_mount(tmp_path)) == Fraction(1, 2)


def test_quota__namespace_of_its_own__the_file_at_the_mount(tmp_path: Path) -> None:
    write(tmp_path, max="50000 100000")
    assert find_cpu_quota("0::/\n", v2_mount(tmp_path)) == Fraction(1, 2)


def test_quota__container_sees_the_hosts_path__mapped_by_the_mounts_root(tmp_path: Path) -> None:
    write(tmp_path, max="200000 100000")
    write(tmp_path / "inner", max="50000 100000")
    assert find_cpu_quota("0::/docker/1f/inner\n", v2_mount(tmp_path, "/docker/1f")) == Fraction(1, 2)
    assert find_cpu_quota("0::/docker/1f\n", v2_mount(tmp_path, "/docker/1f")) == 2


@pytest.mark.parametrize("group", ["/../elsewhere", "/not/shown"])
def test_quota__group_that_the_mount_does_not_show__the_mounts_own(tmp_path: Path, group: str) -> None:
    write(tmp_path, max="200000 100000")
    assert find_cpu_quota(f"0::{group}\n", v2_mount(tmp_path, "/docker/1f")) == 2


def test_quota__version_1__quota_over_period_along_the_path(tmp_path: Path) -> None:
    write(tmp_path / "a", cfs_quota_us="150000", cfs_period_us="100000")
    write(tmp_path / "a" / "b", cfs_quota_us="-1", cfs_period_us="100000")
    membership = "4:memory:/m\n3:cpu,cpuacct:/a/b\n2:cpuset:/c\n0::/\n"
    assert find_cpu_quota(membership, v1_mount(tmp_path)) == Fraction(3, 2)


def test_quota__both_versions__the_least_of_both(tmp_path: Path) -> None:
    write(tmp_path / "unified" / "u", max="300000 100000")
    write(tmp_path / "cpu" / "c", cfs_quota_us="100000", cfs_period_us="50000")
    mounts = v1_mount(tmp_path / "cpu", "cpu") + v2_mount(tmp_path / "unified")
    assert find_cpu_quota("1:cpu:/c\n0::/u\n", mounts) == 2


def test_quota__hierarchies_without_the_cpu_controller__not_asked(tmp_path: Path) -> None:
    write(tmp_path, cfs_quota_us="1000", cfs_period_us="100000")
    assert find_cpu_quota("5:cpuset:/\n4:cpuacct:/\n", v1_mount(tmp_path, "cpuset")) is None
    assert find_cpu_quota("5:cpuset:/\n4:cpuacct:/\n", v1_mount(tmp_path, "cpu")) is None


def test_quota__mount_point_with_a_space__unescaped(tmp_path: Path) -> None:
    write(tmp_path / "c g", max="100000 100000")
    assert find_cpu_quota("0::/\n", v2_mount(tmp_path / "c\\040g")) == 1


def test_quota__no_files_and_no_groups__none(tmp_path: Path) -> None:
    assert find_cpu_quota("0::/a\n", v2_mount(tmp_path)) is None
    assert find_cpu_quota("", v2_mount(tmp_path)) is None
    assert find_cpu_quota("0::/a\n", "") is None


@given(st.text(), st.text())
def test_quota__any_text__no_error(membership: str, mounts: str) -> None:
    assert find_cpu_quota(membership, mounts) is None


@pytest.fixture
def cpu_group() -> Iterator[Callable[[int], Path]]:
    """A function that gives a new control group some percent of a CPU. Skips where none can be made."""
    is_v1 = (V1_CPU / "cgroup.procs").exists()
    made = (V1_CPU if is_v1 else V2) / f"gossamer-test-{os.getpid()}"
    try:
        made.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")

    def set_quota(percent: int) -> Path:
        name, text = ("cpu.cfs_quota_us", "") if is_v1 else ("cpu.max", " 100000")
        try:
            (made / name).write_text(f"{percent * 1000}{text}")
        except OSError as error:
            pytest.skip(f"no CPU quota can be set here: {error}")
        return made

    yield set_quota
    made.rmdir()


def inside(group: Path) -> tuple[str, ...]:
    """What starts a command in a control group."""
    return ("sh", "-c", f'echo 0 > "{group}/cgroup.procs" && exec "$@"', "sh")


def test_quota__a_real_group_with_half_a_cpu__half(cpu_group: Callable[[int], Path]) -> None:
    code = "from gossamer.shards.machine.cgroup import read_cpu_quota; print(read_cpu_quota())"
    argv = [*inside(cpu_group(50)), sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "1/2\n"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_serve__a_real_group_with_one_cpu_of_two__one_worker_on_no_cpu_of_its_own(
    cpu_group: Callable[[int], Path], serve: Callable[..., Server]
) -> None:
    server = serve("--workers", "auto", prefix=inside(cpu_group(100))).wait_ready()
    (worker,) = server.status()["workers"]
    assert os.sched_getaffinity(worker["pid"]) == os.sched_getaffinity(0)
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_end() == 0


def test_read_cpu_quota__this_process__no_error() -> None:
    assert (read_cpu_quota() or 1) > 0
