"""Run directories."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gossamer.shards import rundir
from gossamer.shards.exitcode import CannotStartError, NotRunningError
from gossamer.shards.procfs import own_identity
from gossamer.shards.rundir import CONTROL, STATE, RunDirectory, RunState, find_run_dir, read_state


def state(pid: int | None = None, start_ticks: int | None = None) -> RunState:
    own = own_identity()
    return RunState(
        own.pid if pid is None else pid,
        own.start_ticks if start_ticks is None else start_ticks,
        "127.0.0.1",
        80,
        "kernel",
        "http://127.0.0.1/",
    )


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    made = RunDirectory(tmp_path / "run")
    made.acquire()
    return made


def test_acquire__made_for_us_alone(directory: RunDirectory) -> None:
    assert directory.path.stat().st_mode & 0o777 == 0o700


def test_acquire__held__second_one_is_refused_with_the_way_out(directory: RunDirectory) -> None:
    with pytest.raises(CannotStartError, match="a server is running there; stop it"):
        RunDirectory(directory.path).acquire()


def test_acquire__left_behind_by_a_killed_process__taken_over(directory: RunDirectory) -> None:
    (directory.path / CONTROL).touch()
    directory.write_state(state(pid=4_000_000, start_ticks=1))
    os.close(directory._lock_fd)
    RunDirectory(directory.path).acquire()


def test_acquire__released_meanwhile__lock_of_the_new_file_counts(directory: RunDirectory) -> None:
    directory.release()
    assert not directory.path.exists()
    again = RunDirectory(directory.path)
    again.acquire()
    with pytest.raises(CannotStartError):
        RunDirectory(directory.path).acquire()


def test_acquire__not_a_directory_or_too_long__refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path / "file", tmp_path / "link", tmp_path / ("x" * 120)):
        with pytest.raises(CannotStartError, match="--run-dir"):
            RunDirectory(path).acquire()


def test_release__foreign_file__directory_stays(directory: RunDirectory) -> None:
    (directory.path / "notes").touch()
    directory.release()
    assert [path.name for path in directory.path.iterdir()] == ["notes"]


def test_read_state__living_process__its_state(directory: RunDirectory) -> None:
    directory.write_state(state())
    assert read_state(directory.path) == state()
    assert find_run_dir(str(directory.path), None) == directory.path


def test_read_state__dead_process_or_rubbish__none(directory: RunDirectory) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    directory.write_state(state(pid=process.pid))
    assert read_state(directory.path) is None
    (directory.path / STATE).write_bytes(b"{")
    assert read_state(directory.path) is None


def test_find_run_dir__none_one_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rundir, "base_directory", lambda: tmp_path)
    with pytest.raises(NotRunningError, match="no server runs"):
        find_run_dir(None, None)
    for port in (80, 81):
        made = RunDirectory(tmp_path / str(port))
        made.acquire()
        made.write_state(state())
        if port == 80:
            assert find_run_dir(None, None) == tmp_path / "80"
    with pytest.raises(NotRunningError, match=r"several servers run \(80, 81\)"):
        find_run_dir(None, None)
    assert find_run_dir(None, 81) == tmp_path / "81"


@pytest.mark.needs("file-permissions")
def test_read_state__of_another_user__said_so(directory: RunDirectory) -> None:
    directory.path.chmod(0)
    with pytest.raises(NotRunningError, match="belongs to another user"):
        read_state(directory.path)
    directory.path.chmod(0o700)


@pytest.mark.needs("chown")
def test_acquire__in_a_directory_of_another_user__refused(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65534, 65534)
    with pytest.raises(CannotStartError, match="a directory of another user"):
        RunDirectory(tmp_path / "theirs" / "run").acquire()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user has no /run")
def test_base_directory__root_may_not_write_to_run__a_folder_of_its_own() -> None:
    """As in a container whose root is read-only, and in a user namespace of an ordinary user."""
    mount = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro none /run && exec "$@"', "sh"]
    if subprocess.run([*mount, "true"], capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("needs a mount namespace")
    code = "from gossamer.shards.rundir import base_directory; print(base_directory())"
    argv = [*mount, "env", "-u", "XDG_RUNTIME_DIR", "TMPDIR=/tmp", sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "/tmp/gossamer-0\n"
