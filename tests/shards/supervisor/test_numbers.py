"""How many workers there are to be: the steps to it, as a table."""

import pytest

from gossamer.shards.supervisor.numbers import ScalingStep, scaling_step


@pytest.mark.parametrize(
    ("present", "wanted", "is_joining", "is_settled", "step"),
    [
        (2, 2, False, True, ScalingStep.NONE),
        (2, 3, False, True, ScalingStep.ADD),
        (3, 2, False, True, ScalingStep.REMOVE),
        (3, 2, False, False, ScalingStep.NONE),
        (2, 3, False, False, ScalingStep.NONE),
        (3, 3, True, False, ScalingStep.JOIN),
        (3, 2, True, False, ScalingStep.JOIN),
    ],
)
def test_scaling_step__one_at_a_time(
    present: int, wanted: int, is_joining: bool, is_settled: bool, step: ScalingStep
) -> None:
    assert scaling_step(present, wanted, is_joining=is_joining, is_settled=is_settled) is step
