"""What docs/lab-sheets.md answers its questions with is what its commands show."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .pages import commands

COMMANDS = [command.line for command in commands("lab-sheets.md") if command.line.startswith("gossamer sim")]


@cache
def shown(line: str) -> dict[str, Any]:
    """What such a line says, as JSON."""
    options = line.partition(" 2>")[0].split()[2:]
    gossamer = str(Path(sys.executable).parent / "gossamer")
    done = subprocess.run(
        [gossamer, "sim", *options, "--json"], capture_output=True, text=True, timeout=120, check=True
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def pair(sheet: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the two commands of a sheet, from the second on, say."""
    first = 2 * (sheet - 2)
    return shown(COMMANDS[first]), shown(COMMANDS[first + 1])


def flows(document: dict[str, Any], field: str) -> list[float]:
    return [flow[field] for flow in document["flows"]]


@pytest.mark.slow
def test_answer_2__without_sack__longer_and_more_sent_again() -> None:
    sack, none = pair(2)
    assert flows(sack, "retransmitted")[0] < flows(none, "retransmitted")[0]
    assert flows(sack, "goodput_bps")[0] > flows(none, "goodput_bps")[0]


@pytest.mark.slow
def test_answer_3__the_large_queue__a_little_more_goodput_for_a_long_round_trip() -> None:
    small, large = pair(3)
    assert 1 < flows(large, "goodput_bps")[0] / flows(small, "goodput_bps")[0] < 1.1
    assert flows(large, "rtt_max_us")[0] > 300_000 > 100_000 > flows(small, "rtt_max_us")[0]
    marked = shown(f"{COMMANDS[3].partition(' 2>')[0]} --mark 16KiB 2>")
    assert flows(marked, "rtt_max_us")[0] < 100_000
    assert flows(marked, "retransmitted")[0] == 0


@pytest.mark.slow
def test_answer_4__random_loss__bbr_keeps_its_rate() -> None:
    cubic, bbr = pair(4)
    assert flows(bbr, "goodput_bps")[0] > 1.5 * flows(cubic, "goodput_bps")[0]


@pytest.mark.slow
def test_answer_5__cubic_has_twice_as_much_and_so_has_the_shorter_round_trip_more() -> None:
    mixed, apart = pair(5)
    newreno, cubic = flows(mixed, "goodput_bps")
    assert 1.6 < cubic / newreno < 2.6
    near, far = flows(apart, "goodput_bps")
    assert near > far
