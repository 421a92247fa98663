"""Staying awake for what is nearly done: as long as it pays, and hardly ever where it does not."""

from gossamer.core.loop.disk.spin import RESTS, SPIN_US, Spin


def awake_us(spin: Spin, begun_us: int, done_us: int) -> int:
    """How long one operation is stayed awake for, looked at every microsecond."""
    spin.begin(begun_us)
    for now_us in range(begun_us, done_us):
        if not spin.goes_on(now_us):
            return now_us - begun_us
    spin.end()
    return done_us - begun_us


def test_quick_disk__awake_for_each_until_it_is_done() -> None:
    spin = Spin()
    assert [awake_us(spin, at_us, at_us + 80) for at_us in range(1_000, 100_000, 1_000)] == [80] * 99


def test_slow_disk__one_in_many_is_stayed_awake_for() -> None:
    spin = Spin()
    awake = [
        awake_us(spin, at_us, at_us + 5_000) for at_us in range(10_000, 10_000 * 2 * (RESTS + 1), 10_000)
    ]
    assert awake[: RESTS + 1] == [SPIN_US] + [0] * RESTS
    assert awake[RESTS + 1 :] == [SPIN_US] + [0] * (RESTS - 1)


def test_disk_that_became_quick__awake_again_after_its_rests() -> None:
    spin = Spin()
    awake_us(spin, 1, 5_000)
    awake = [awake_us(spin, at_us, at_us + 80) for at_us in range(10_000, 40_000, 1_000)]
    assert awake == [0] * RESTS + [80] * (30 - RESTS)


def test_more_begun_meanwhile__longer() -> None:
    spin = Spin(spin_us=100)
    spin.begin(1)
    spin.begin(51)
    assert spin.goes_on(150)
    assert not spin.goes_on(151)


def test_none__never_awake() -> None:
    spin = Spin(spin_us=0)
    spin.begin(1)
    assert not spin.goes_on(1)
    assert not spin.goes_on(2)
