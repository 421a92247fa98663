"""Whether the generator itself is at its limit, from figures made up here."""

import pytest

from gossamer.loadtest.effort import WINDOW_US, Effort, Used, used


def test_look__own_cpu__saturated_in_that_window_alone() -> None:
    effort = Effort()
    effort.begin(0, Used(0, 0))
    effort.look(WINDOW_US, Used(95_000, 0))
    assert effort.is_saturated
    effort.look(2 * WINDOW_US, Used(100_000, 0))
    assert not effort.is_saturated
    assert effort.cpu_share == pytest.approx(0.5)


def test_look__others_have_the_processor__saturated_too() -> None:
    effort = Effort()
    effort.begin(0, Used(0, 0))
    effort.look(WINDOW_US, Used(40_000, 55_000))
    assert effort.is_saturated
    assert (effort.cpu_share, effort.busy_share) == pytest.approx((0.4, 0.95))


def test_look__sooner_than_a_window__waits_for_more() -> None:
    effort = Effort()
    effort.begin(0, Used(0, 0))
    effort.look(1_000, Used(1_000, 0))
    assert not effort.is_saturated


def test_used__this_process__has_used_something() -> None:
    assert used().cpu_us > 0
