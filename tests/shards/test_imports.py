"""Handlers whose later imports would fail, as another user: said at the start."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.shards.confinement import OVERFLOW, find_unreadable
from gossamer.shards.workerplan import Confinement

from .conftest import Server

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
    server = serve("--workers", "1", target="hidden:handler", PYTHONPATH=str(private)).wait_ready()
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
