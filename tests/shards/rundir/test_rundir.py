"""Run directories."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gossamer.shards.exitcode import CannotStartError, NotRunningError
from gossamer.shards.machine.procfs import own_identity, user_outside
from gossamer.shards.rundir import rundir
from gossamer.shards.rundir.rundir import CONTROL, STATE, RunDirectory, RunState, find_run_dir, read_state


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
    os.close(directory.lock_fd)
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


STRANGER = 65533
"""No user of ours. 65534 is in a user namespace whoever has no name there, as the owner of "/"."""


def refusal(path: Path) -> str:
    """Why no server would run there."""
    with pytest.raises(CannotStartError) as refused:
        RunDirectory(path).acquire()
    return str(refused.value)


@pytest.mark.needs("chown")
@pytest.mark.parametrize("below", ["run", "a/run", "a/b/c/run", "a/../run"])
def test_acquire__below_a_directory_of_another_user__refused_and_nothing_made(
    tmp_path: Path, below: str
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    if below.startswith("a/"):
        (theirs / "a").mkdir()  # Ours, but its owner may put another one in its place.
    os.chown(theirs, STRANGER, STRANGER)
    assert f"a directory of another user ({theirs})" in refusal(theirs / below)
    assert [path.name for path in theirs.rglob("*")] == (["a"] if below.startswith("a/") else [])


@pytest.mark.needs("chown")
def test_acquire__a_link_of_another_user_on_the_way__refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (tmp_path / "ours").mkdir()
    (shared / "link").symlink_to(tmp_path / "ours")
    os.chown(shared / "link", STRANGER, STRANGER, follow_symlinks=False)
    assert f"a directory of another user ({shared})" in refusal(shared / "link" / "run")
    assert list((tmp_path / "ours").iterdir()) == []


def test_acquire__a_link_of_ours__followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "real" / "up").symlink_to("../l/d")
    (tmp_path / "l").symlink_to("real/.")
    made = RunDirectory(tmp_path / "l" / "up" / ".." / "d" / "r")
    made.acquire()
    made.write_state(state())
    assert read_state(tmp_path / "real" / "d" / "r") == state()
    made.release()
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["up"]


def test_acquire__links_in_a_circle__refused(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert "too many links" in refusal(tmp_path / "one" / "run")


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o775])
def test_acquire__others_may_write_to_it__refused(tmp_path: Path, mode: int) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(mode)
    assert "others may write to it: chmod go-w" in refusal(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_acquire__others_may_write_on_the_way__refused_unless_it_is_sticky(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert "others may write to a directory on the way" in refusal(tmp_path / "open" / "run")
    (tmp_path / "open").chmod(0o1777)
    RunDirectory(tmp_path / "open" / "run").acquire()


def test_acquire__refused__what_was_made_on_the_way_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rundir.fcntl, "flock", refuse)
    (tmp_path / "kept").mkdir()
    assert "No space left on device" in refusal(tmp_path / "kept" / "a" / "b")
    assert "its path is too long" in refusal(tmp_path / "kept" / ("x" * 120))
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize("planted", [f"{STATE}.new", STATE, CONTROL, "lock"])
def test_write_state__a_planted_link__is_not_written_through(tmp_path: Path, planted: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / planted).symlink_to(victim)
    made = RunDirectory(tmp_path / "run")
    if planted == "lock":
        assert "Too many levels of symbolic links" in refusal(tmp_path / "run")
    else:
        made.acquire()
        made.write_state(state())
        assert (tmp_path / "run" / STATE).stat().st_mode & 0o777 == 0o600
        made.release()
    assert victim.read_bytes() == b"precious"


def test_read_state__a_pipe_a_link_or_too_much__none_and_nobody_waits(directory: RunDirectory) -> None:
    place = directory.path / STATE
    os.mkfifo(place)
    assert read_state(directory.path) is None
    place.unlink()
    place.write_bytes(b" " * (rundir.STATE_BYTES_MAX + 1))
    assert read_state(directory.path) is None
    place.unlink()
    place.symlink_to("/dev/zero")
    with pytest.raises(NotRunningError, match="Too many levels of symbolic links"):
        read_state(directory.path)


def test_state__holds_no_secret(directory: RunDirectory) -> None:
    directory.write_state(state())
    assert b"secret" not in (directory.path / STATE).read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: another user has no /run")
def test_base_directory__root_may_not_write_to_run__a_folder_of_its_own() -> None:
    """As in a container whose root is read-only, and in a user namespace of an ordinary user."""
    mount = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro none /run && exec "$@"', "sh"]
    if subprocess.run([*mount, "true"], capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("needs a mount namespace")
    code = "from gossamer.shards.rundir.rundir import base_directory; print(base_directory())"
    argv = [*mount, "env", "-u", "XDG_RUNTIME_DIR", "TMPDIR=/tmp", sys.executable, "-c", code]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"/tmp/gossamer-0{'' if user_outside(0) == 0 else f'-{user_outside(0)}'}\n"
