"""What a measurement is worth that something disturbed."""

import os

import pytest

from gossamer.loadtest.quiet import Disturbance, QuietWatch, TrialVerdict, of_tries, verdict_of

CALM = Disturbance(0.02, 0.001, 0.001, 0.0005)


@pytest.mark.parametrize(
    ("disturbance", "said"),
    [
        (CALM, ()),
        (Disturbance(0.63, 0, 0), ("others used 63% of a processor",)),
        (Disturbance(0, 0.04, 0), ("the server waited for a processor 4.0% of the time",)),
        (Disturbance(0, 0, 0.05), ("the generator waited for a processor 5.0% of the time",)),
        (Disturbance(0, 0, 0, 0.01), ("the server itself sent 1.0% of its answers late",)),
    ],
)
def test_said__what_a_quiet_machine_has_not(disturbance: Disturbance, said: tuple[str, ...]) -> None:
    assert disturbance.said() == said
    assert verdict_of(disturbance, is_met=False) is (TrialVerdict.BUSY if said else TrialVerdict.WRONG)
    assert verdict_of(disturbance, is_met=True) is TrialVerdict.TRUE


def test_tries__one_true_is_enough__one_wrong_on_a_quiet_machine_is_wrong() -> None:
    assert of_tries([TrialVerdict.WRONG, TrialVerdict.TRUE]) is TrialVerdict.TRUE
    assert of_tries([TrialVerdict.BUSY, TrialVerdict.WRONG, TrialVerdict.BUSY]) is TrialVerdict.WRONG
    assert of_tries([TrialVerdict.BUSY] * 3) is TrialVerdict.BUSY


def test_watched__this_process__shares() -> None:
    found = QuietWatch(os.getpid()).over(0.25)
    assert found.generator_waited == 0.25
    assert found.others >= 0 <= found.server_waited
