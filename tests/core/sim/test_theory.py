"""The formulas, against figures that can be worked out by hand or stand in their sources."""

from math import inf

import pytest

from gossamer.core.sim import theory


def test_bandwidth_delay__of_ten_megabit_and_100_ms() -> None:
    assert theory.bandwidth_delay_bytes(10e6, 100_000) == 125_000
    assert theory.window_bps(125_000, 100_000) == 10e6


def test_mathis__one_loss_in_a_hundred__is_its_closed_form() -> None:
    # sqrt(3 / (2 * 0.01)) = 12.247 segments a round trip.
    assert theory.mathis_bps(1_000, 100_000, 0.01) == pytest.approx(12.2474 * 8_000 / 0.1, rel=1e-4)
    assert theory.mathis_bps(1_000, 100_000, 0.0) == inf


def test_pftk__is_below_mathis__and_near_it_where_loss_is_rare() -> None:
    for loss in (0.001, 0.01, 0.1):
        assert theory.pftk_bps(1_460, 100_000, loss, 200_000) < theory.mathis_bps(1_460, 100_000, loss)
    rare = 1e-5
    near = theory.pftk_bps(1_460, 100_000, rare, 200_000) / theory.mathis_bps(1_460, 100_000, rare)
    assert near == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("loss", "segments"), [(1e-4, 187.4), (1e-5, 1_054), (1e-6, 5_926), (1e-7, 33_325), (1e-8, 187_400)]
)
def test_cubic__average_windows__are_those_of_rfc_9438_table_1(loss: float, segments: float) -> None:
    """RTT 0.1 s. With more loss the table has the Reno-friendly region."""
    window = theory.cubic_bps(1_000, 100_000, loss) * 0.1 / 8_000
    assert window == pytest.approx(segments, rel=0.001)


def test_bbr__loses_what_is_lost_and_half_of_what_a_probe_finds_again() -> None:
    assert theory.bbr_bps(1_448, 50_000, 0.0, 100e6) == 100e6
    rare = theory.bbr_bps(1_448, 50_000, 1e-6, 100e6)
    assert rare == pytest.approx(100e6, rel=1e-4)
    # Fifty round trips of 50 ms between two probes: the rate falls to 0.99 ** 50 of what it was.
    often = theory.bbr_bps(1_448, 50_000, 0.01, 100e6)
    assert often == pytest.approx(99e6 * (1 - 0.99**50) / 0.5)
    # A product of ten segments: Reno would grow by as much in ten round trips.
    small = theory.bbr_bps(1_000, 8_000, 0.01, 10e6)
    assert small == pytest.approx(9.9e6 * (1 - 0.99**10) / 0.1)


def test_jain__between_one_of_n_and_one() -> None:
    assert theory.jain([5.0] * 10) == pytest.approx(1)
    assert theory.jain([1.0, 0, 0, 0]) == 0.25
    assert theory.jain([2.0, 1.0]) == pytest.approx(0.9)
    assert theory.jain([0.0, 0.0]) == 1
