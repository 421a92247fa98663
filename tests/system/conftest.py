"""A site, a namespace and our server in it, for tests from end to end."""

import hashlib
import itertools
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.servers import Gossamer, start_gossamer

FILES = {
    "index.html": b"<!doctype html><title>site</title><p>the index page\n",
    "one.bin": bytes(range(256)) * 4,
    "empty.txt": b"",
    "style.css": b"p { color: green }\n",
    "a name with blanks.txt": b"blanks\n",
    "sub/index.html": b"<p>below\n",
    "sub/page.html": b"<p>page\n",
    "medium.bin": hashlib.sha256(b"medium").digest() * 4_000,
    "large.bin": hashlib.sha256(b"large").digest() * 100_000,
}
"""Sizes below, around and far above a segment and the cache's bound."""


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """What the site holds."""
    return FILES


@pytest.fixture
def site(folder: Path) -> Path:
    """The folder that both servers serve."""
    return filled(folder)


def filled(folder: Path) -> Path:
    """The folder, with FILES in it."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Gossamer]]:
    """start(place, target, *options, stack=, workers=, port=) starts our server; it ends with the test."""
    servers: list[Gossamer] = []
    numbers = itertools.count()

    def start_one(place: Namespace, target: Path | str, *options: str, **settings: object) -> Gossamer:
        run_dir = tmp_path / f"run{next(numbers)}"
        server = start_gossamer(place, target, run_dir, *options, **settings)  # type: ignore[arg-type]
        servers.append(server)
        return server

    yield start_one
    for server in reversed(servers):
        server.close()


@pytest.fixture(params=["kernel", "nfqueue"])
def stack(request: pytest.FixtureRequest) -> str:
    """Each stack in turn."""
    return str(request.param)


def is_open_to_others(path: Path) -> bool:
    """Whether any user may walk down to `path` and run it."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


@pytest.fixture
def python(folder: Path) -> str:
    """An interpreter that an ordinary user may run, with all that ours has."""
    if os.geteuid() != 0 or is_open_to_others(Path(sys.executable).resolve()):
        return sys.executable
    other = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    if not other.exists():
        pytest.skip(f"{sys.executable} is closed to other users, and there is no {other}")
    environment = folder.parent / "environment"
    subprocess.run([str(other), "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return str(environment / "bin" / "python")
