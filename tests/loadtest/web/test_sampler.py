"""Samples of a process: what a stack counts as; a process is sampled whoever takes over all signals."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.sampler import ELSEWHERE, counted, counts_of
from gossamer.loadtest.web.where import OTHER, ROOMS, divided, room_of

STACKS = """Current thread 0x0000 (most recent call first):
  File "/usr/lib/python3.11/socket.py", line 3 in send
  File "/home/gossamer/gossamer/core/tcp/step.py", line 30 in step
  File "/home/gossamer/gossamer/core/loop/tcp/door.py", line 3 in ask
Current thread 0x0000 (most recent call first):
  File "/usr/lib/python3.11/runpy.py", line 3 in run
"""


def test_counted__innermost_function_of_ours() -> None:
    assert counted(STACKS) == Counter({"core.tcp.step:step": 1, ELSEWHERE: 1})
    assert counted("") == Counter()


def test_start__all_signals_are_taken_over__samples_all_the_same(tmp_path: Path) -> None:
    program = (
        "import signal, time\n"
        "from gossamer.loadtest.web import sampler\n"
        f"sampler.start({str(tmp_path)!r})\n"
        "for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "from gossamer.loadtest.histogram import Histogram\n"
        "histogram, end = Histogram(), time.process_time() + 0.3\n"
        "while time.process_time() < end:\n"
        "    histogram.percentile_us(99)\n"
    )
    process = subprocess.Popen([sys.executable, "-P", "-c", program])
    assert process.wait(30) == 0
    assert counts_of(tmp_path, process.pid)["loadtest.histogram:_lowest_bucket"] >= 3


@pytest.mark.parametrize(
    ("place", "room"),
    [
        ("core.tcp.prediction.data:on_data", ROOMS["core.tcp"]),
        ("core.loop.tcp.door:ask", ROOMS["core.loop.tcp"]),
        ("core.loop.epoll:wait", ROOMS["core.loop.epoll"]),
        ("ffi.rawout:_send", ROOMS["ffi.rawout"]),
        (ELSEWHERE, OTHER),
    ],
)
def test_room__the_longest_beginning(place: str, room: str) -> None:
    assert room_of(place) == room


def test_divided__as_the_samples_are() -> None:
    counts = Counter({"core.tcp.step:step": 3, "core.wire.cutting:cut": 1, "ffi.rawout:_send": 4})
    found = divided(ROWS["64k"], "frames", [80.0], counts)
    assert found.rooms == {ROOMS["ffi.rawout"]: 40.0, ROOMS["core.tcp"]: 40.0}
    assert found.functions["core.wire.cutting:cut"] == 10.0
