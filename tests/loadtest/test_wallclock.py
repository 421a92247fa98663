"""A wall clock of their own for processes: it alone moves, while they run."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gossamer.loadtest.wallclock import WallClock

YEAR_S = 365 * 86_400
SAYS_THE_TIME = """
import sys, time
for _ in sys.stdin:
    print(int(time.time()), int(time.monotonic()), flush=True)
"""


@pytest.mark.needs("cc")
def test_set_ahead__a_running_process__its_wall_clock_moves_and_no_other(
    folder: Path,
) -> None:
    clock = WallClock(folder)
    process = subprocess.Popen(
        [sys.executable, "-c", SAYS_THE_TIME],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **clock.environment},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        for ahead_s in (0, YEAR_S, -YEAR_S, 0):
            clock.set_ahead(ahead_s)
            process.stdin.write("\n")
            process.stdin.flush()
            wall_s, monotonic_s = map(int, process.stdout.readline().split())
            assert wall_s == pytest.approx(time.time() + ahead_s, abs=60)
            assert monotonic_s == pytest.approx(time.monotonic(), abs=60)
        process.stdin.close()
