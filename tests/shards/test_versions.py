"""An upgrade between two versions that are really different: other code in the place of what runs, with other
counters and other records of connections. Clients notice nothing; or it is refused, and says why."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import gossamer

from .conftest import Place, Server, wait_until

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
CLIENTS = 8
PAUSE_SECONDS = 0.003
COUNTER = '"upgraded_total"'


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the package, as pip would have installed it elsewhere."""
    place = tmp_path / "installed"
    ignored = shutil.ignore_patterns("compiled", "__pycache__", "_*.c", "*.o")
    shutil.copytree(Path(gossamer.__file__).parent, place / "gossamer", ignore=ignored)
    return place


def change(installed: Path, file: str, old: str, new: str) -> None:
    path = installed / "gossamer" / file
    text = path.read_text()
    assert text.count(old) == 1, f"{file} is other than this test thinks"
    path.write_text(text.replace(old, new))


def install_next_version(installed: Path) -> None:
    """A counter more, in the midst of the others; a field more of each connection, and of each letter."""
    counter = '    "accepted_total",\n'
    change(installed, "shards/seen/counters.py", counter, f"    {COUNTER},\n{counter}")
    field = "    record_ends: tuple[Seq, ...] = ()\n"
    change(installed, "core/tcp/tcb.py", field, field + "    upgraded_at_us: int = 0\n")
    letter = "    has_checkpoints: bool = False\n"
    change(installed, "shards/letters/letters.py", letter, letter + "    is_of_next_version: bool = True\n")


class KeptAlive:
    """Clients with one connection each, which they ask again and again; what goes wrong is kept."""

    def __init__(self, port: int, inside: Callable[[], AbstractContextManager[None]]) -> None:
        self.answers_total = 0
        self.troubles: list[str] = []
        self._port, self._inside = port, inside
        self._is_over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._ask_on, daemon=True) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        yield
        self._is_over.set()
        for thread in threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in threads), "a client hangs"

    def _ask_on(self) -> None:
        with self._inside(), socket.create_connection(("127.0.0.1", self._port), 20) as client:
            while not self._is_over.wait(PAUSE_SECONDS):
                try:
                    client.sendall(REQUEST)
                    answer = client.recv(4096)
                except OSError as error:
                    self.troubles.append(repr(error))
                    return
                if not answer.endswith(b"\r\n\r\nhello\n"):
                    self.troubles.append(f"answered {answer!r}")
                    return
                self.answers_total += 1

    def wait_for(self, more: int) -> None:
        goal = self.answers_total + more
        wait_until(lambda: self.troubles or self.answers_total >= goal, "further requests")


def totals(server: Server) -> dict[str, int]:
    found: dict[str, int] = server.status()["workers"][0]["totals"]
    return found


def start(place: Place, installed: Path) -> Server:
    return place.start("--workers", "2", PYTHONPATH=str(installed), GOSSAMER_NATIVE="0").wait_ready()


def test_upgrade__to_another_version_under_keep_alive_requests__none_lost(
    place: Place, installed: Path
) -> None:
    server = start(place, installed)
    clients = KeptAlive(server.port(), place.inside)
    with clients.running():
        clients.wait_for(100)
        assert COUNTER.strip('"') not in totals(server)
        install_next_version(installed)
        done = server.command("upgrade")
        assert done.returncode == 0, done.stderr + server.log()
        assert COUNTER.strip('"') in totals(server), "it is the next version that runs"
        clients.wait_for(100)
    assert clients.troubles == []
    assert "cannot be" not in server.log()
    assert server.command("stop").returncode == 0


@pytest.mark.needs("nfqueue")
@pytest.mark.parametrize("place", ["nfqueue"], indirect=True)
def test_upgrade__to_a_version_that_cannot_read_its_connections__refused_and_none_lost(
    place: Place, installed: Path
) -> None:
    server = start(place, installed)
    clients = KeptAlive(server.port(), place.inside)
    with clients.running():
        clients.wait_for(50)
        change(installed, "core/layout.py", "CONNECTION_LAYOUT: Final = 1", "CONNECTION_LAYOUT: Final = 2")
        refused = server.command("upgrade")
        assert refused.returncode == 1
        assert "its connections (layout 1) cannot be read by this version (layout 2)" in refused.stderr
        clients.wait_for(50)
    assert clients.troubles == []
    assert server.command("stop").returncode == 0
