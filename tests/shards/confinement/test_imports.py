"""Where workers look for modules: never in the current folder but for a handler. And handlers whose later
imports would fail, as another user: said at the start.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.shards.confinement.confinement import OVERFLOW, find_unreadable
from gossamer.shards.confinement.imports import environment_without_here, import_folders, look_here_last
from gossamer.shards.letters.workerplan import Confinement

from ..conftest import Place, Server, wait_until

Serve = Callable[..., Server]

LINE = "server.user: workers become nobody, who may not read"
HANDLER = "async def handler(stream):\n    await stream.close()\n"


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder of a handler that nobody else may enter."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    (folder / "hidden.py").write_text(HANDLER)
    return folder


@pytest.mark.needs("another-user")
def test_start__handler_in_a_private_folder__warned_of_with_the_way_out(serve: Serve, private: Path) -> None:
    server = serve(target="hidden:handler", PYTHONPATH=str(private)).wait_ready()
    (line,) = [line for line in server.log().splitlines() if LINE in line]
    assert f"{private}: Permission denied" in line
    assert "name a user who may (server.user)" in line


@pytest.mark.needs("another-user")
def test_start__workers_stay_root_or_serve_a_folder__not_warned_of(serve: Serve, private: Path) -> None:
    stays = serve("--user", "root", target="hidden:handler", name="stays", PYTHONPATH=str(private))
    folder = serve(name="folder")
    for server in (stays, folder):
        assert LINE not in server.wait_ready().log()


@pytest.mark.needs("another-user")
def test_find_unreadable__public_and_private(folder: Path, private: Path) -> None:
    (folder / "module.zip").write_bytes(b"")
    nobody = Confinement(identity=OVERFLOW)
    assert find_unreadable(nobody, "kernel", [str(folder), str(folder / "module.zip")]) == ""
    (folder / "module.zip").chmod(0o600)
    for closed in (private, private / "hidden.py", folder / "module.zip"):
        refused = find_unreadable(nobody, "kernel", [str(folder), str(closed)])
        assert refused.endswith(": Permission denied")
        assert str(closed) in refused


OTHERS = ("gossamer", "click", "msgspec", "psutil", "rich", "cffi", "_cffi_backend", "httptools", "numpy")
DEEP = (
    "async def handler(stream):\n    import select, argparse, resource\n    await stream.send(b'served\\4')\n"
)


@pytest.fixture
def trap(folder: Path) -> Path:
    """A folder with a file for each module that there is, each of which writes its name to the file `ran`."""
    ran = folder / "ran"
    line = f"with open({str(ran)!r}, 'a') as ran: ran.write(__name__ + '\\n')\n"
    for name in (*sys.stdlib_module_names, *OTHERS):
        (folder / f"{name}.py").write_text(line)
    ran.touch()
    ran.chmod(0o666)
    return folder


def test_serve_a_folder__in_a_folder_of_traps__none_is_run(place: Place, trap: Path) -> None:
    server = place.start(prefix=("env", "-C", str(trap))).wait_ready()
    assert server.command("worker", "restart", "0").returncode == 0
    wait_until(lambda: not server.status()["reloading"], "the new worker")
    assert (trap / "ran").read_text() == ""


@pytest.mark.needs("open-checkout")  # its handler imports of Python's own later, as the workers' user
def test_serve_a_handler__in_a_folder_of_traps__none_of_them_is_run(place: Place, trap: Path) -> None:
    (trap / "of_here.py").write_text(f"{DEEP}    await stream.close()\n")
    server = place.start(target="of_here:handler", prefix=("env", "-C", str(trap))).wait_ready()
    assert place.ask(server.port(), "anything") == "served"
    assert (trap / "ran").read_text() == ""


def test_worker__empty_part_of_pythonpath__is_not_handed_on(serve: Serve) -> None:
    tests = str(Path(__file__).parent.parent)
    server = serve(PYTHONPATH=f":{tests}:").wait_ready()
    environment = Path(f"/proc/{server.worker_pids()[0]}/environ").read_bytes().split(b"\0")
    assert f"PYTHONPATH={tests}".encode() in environment


@pytest.mark.parametrize(
    ("found", "handed_on"),
    [
        ({"A": "1"}, {"A": "1"}),
        ({"PYTHONPATH": ""}, {}),
        ({"PYTHONPATH": ":"}, {}),
        ({"PYTHONPATH": ":/a::/b:", "A": "1"}, {"PYTHONPATH": "/a:/b", "A": "1"}),
    ],
)
def test_environment__empty_parts_of_pythonpath__left_out(
    found: dict[str, str], handed_on: dict[str, str]
) -> None:
    assert environment_without_here(found) == handed_on


def test_look_here_last__folder_is_gone__nothing_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["/a"])
    monkeypatch.chdir(tmp_path)
    look_here_last()
    assert sys.path == ["/a", str(tmp_path)]
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setattr(sys, "argv", ["/gossamer"])
    gone.rmdir()
    look_here_last()
    assert sys.path == ["/a", str(tmp_path)]
    assert str(gone) not in import_folders("handler:handler")


SOURCES = Path(__file__).parents[3]
STARTS_MODULE = re.compile(r'sys\.executable,\s*"-m"')


def test_sources__python_started_by_module__never_looks_into_the_current_folder() -> None:
    """`python -m` without -P puts the current folder before all others."""
    for folder in ("core", "ffi", "gossamer", "loadtest", "shards", "tests"):
        for path in (SOURCES / folder).rglob("*.py"):
            assert not STARTS_MODULE.search(path.read_text()), f"{path}: -P is missing"
