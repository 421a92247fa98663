"""What each model loses."""

from random import Random

import pytest

from gossamer.core.sim.loss import AckLoss, Blackout, BurstLoss, DropExactly, LossModel, RandomLoss

COUNT = 50_000


def fates(model: LossModel, is_ack: bool = False, count: int = COUNT) -> list[bool]:
    loses = model.process(Random(5))
    return [loses(number * 10, is_ack) for number in range(count)]


def test_random_loss__loses_its_share() -> None:
    assert sum(fates(RandomLoss(0.1))) == pytest.approx(0.1 * COUNT, rel=0.05)
    assert not any(fates(RandomLoss(0.0)))


def test_burst_loss__has_its_mean_and_its_length() -> None:
    model = BurstLoss(enters=0.01, leaves=0.25)
    lost = fates(model)
    bursts = sum(now and not before for before, now in zip([False, *lost], lost, strict=False))
    assert sum(lost) == pytest.approx(model.mean * COUNT, rel=0.1)
    assert sum(lost) / bursts == pytest.approx(4, rel=0.1)


def test_burst_loss__half_of_a_burst_gets_through() -> None:
    model = BurstLoss(enters=0.02, leaves=0.2, loss=0.5)
    assert sum(fates(model)) == pytest.approx(model.mean * COUNT, rel=0.1)


def test_drop_exactly__counts_data_only() -> None:
    loses = DropExactly(2, 3).process(Random(0))
    data = [loses(0, False) or loses(0, True) for _ in range(8)]
    assert data == [False, False, True, True, True, False, False, False]


def test_ack_loss__leaves_data_alone() -> None:
    assert sum(fates(AckLoss(0.3), is_ack=True)) == pytest.approx(0.3 * COUNT, rel=0.05)
    assert not any(fates(AckLoss(1.0), is_ack=False))


def test_blackout__loses_what_leaves_within_it() -> None:
    lost = fates(Blackout(100, 200), count=40)
    assert lost == [100 <= number * 10 < 200 for number in range(40)]


def test_models__same_seed__same_fates() -> None:
    for model in (RandomLoss(0.3), BurstLoss(0.1, 0.2), AckLoss(0.3)):
        assert fates(model, is_ack=True) == fates(model, is_ack=True)
