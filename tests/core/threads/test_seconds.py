"""Sleeping in seconds."""

import math
from typing import Any

import pytest

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import MisuseError
from gossamer.core.threads.seconds import sleep


@pytest.mark.parametrize(
    ("seconds", "us"),
    [
        (0.5, 500_000),
        (1, 1_000_000),
        (0, 0),
        (-1, -1_000_000),
        (1e-6, 1),
        (math.inf, NEVER_US),
        (1e30, NEVER_US),
    ],
)
def test_sleep__seconds__so_many_microseconds(seconds: float, us: int) -> None:
    assert sleep(seconds).us == us


@pytest.mark.parametrize("wrong", ["1", None, True, math.nan, [1]])
def test_sleep__no_number__misuse_that_shows_one(wrong: Any) -> None:
    with pytest.raises(MisuseError, match=r"sleep: seconds: found .*such as 0\.5"):
        sleep(wrong)
