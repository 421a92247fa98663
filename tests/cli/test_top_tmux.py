"""`gossamer top` in a terminal that somebody else draws: tmux, as wide as a small one and as a large one."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..shards.conftest import GOSSAMER, wait_until
from .test_top import run_dir

pytestmark = pytest.mark.needs("tmux")

__all__ = ["run_dir"]


class Tmux:
    """A server of tmux of its own, with one window."""

    def __init__(self, folder: Path, width: int, command: list[str]) -> None:
        self._socket = str(folder / "tmux")
        self.run("-f", os.devnull, "new-session", "-d", "-x", str(width), "-y", "24", *command)

    def run(self, *argv: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in ("TMUX", "COLUMNS")}
        environment |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        command = ["tmux", "-u", "-S", self._socket, *argv]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        return done.stdout

    def screen(self) -> list[str]:
        """What stands in the window, without empty lines."""
        return [line.rstrip() for line in self.run("capture-pane", "-p").splitlines() if line.strip()]

    def has_ended(self) -> bool:
        return self.run("list-sessions") == ""


@pytest.fixture(params=[80, 132])
def tmux(request: pytest.FixtureRequest, tmp_path: Path, run_dir: str) -> Iterator[tuple[Tmux, int]]:
    command = [GOSSAMER, "top", "--run-dir", run_dir, "--interval", "200ms"]
    started = Tmux(tmp_path, request.param, command)
    yield started, request.param
    started.run("kill-server")


def test_top__in_tmux__every_column_and_bars_that_grow__until_q(tmux: tuple[Tmux, int]) -> None:
    window, width = tmux
    wait_until(lambda: any("q ends" in line for line in window.screen()), "it is drawn")
    if width > 100:
        wait_until(lambda: any("▁▁▁" in line for line in window.screen()), "its bars grow")
    screen = window.screen()
    assert screen[0].startswith("http://127.0.0.1:80/  www  on nfqueue")
    (head,) = [line for line in screen if line.startswith("worker")]
    at = screen.index(head)
    for name in ("conns", "req/s", "p50 ms", "p99 ms", "cpu %", "drop/s", "queue", "restarts"):
        assert name in head
    assert [line.split()[0] for line in screen[at + 1 : at + 4]] == ["0", "1", "all"]
    assert not any("…" in line for line in screen)
    window.run("send-keys", "q")
    wait_until(window.has_ended, "q ends it")
