"""Restart intensity and period."""

from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.supervisor.restart import (
    DELAY_FIRST_US,
    DELAY_MAX_US,
    GiveUp,
    History,
    Restart,
    RestartPolicy,
    WorkerExit,
    decide_restart,
    describe_exit,
)

POLICY = RestartPolicy(intensity=3, period_us=1_000_000)
DEATH = WorkerExit(shard=1, status=-9)
THREE = History(((1, 0), (2, 1), (3, 1)))


def test_first_death__restarted_at_once() -> None:
    assert decide_restart(POLICY, History(), DEATH, 5) == Restart(0, History(((5, 1),)))


def test_further_deaths__delay_doubles() -> None:
    history, delays = History(), []
    for now_us in range(3):
        decision = decide_restart(POLICY, history, DEATH, now_us)
        assert isinstance(decision, Restart)
        history = decision.history
        delays.append(decision.delay_us)
    assert delays == [0, DELAY_FIRST_US, 2 * DELAY_FIRST_US]


def test_more_deaths_than_the_intensity__give_up_with_the_reason() -> None:
    decision = decide_restart(POLICY, THREE, DEATH, 4)
    assert isinstance(decision, GiveUp)
    assert "worker 1 ended (killed by signal 9)" in decision.reason
    assert "restart_intensity" in decision.reason


def test_deaths_before_the_period__forgotten() -> None:
    decision = decide_restart(POLICY, THREE, DEATH, 1_000_003)
    assert decision == Restart(0, History(((1_000_003, 1),)))


def test_further_deaths__of_others__no_delay_but_they_count_for_the_intensity() -> None:
    history = History()
    for shard in range(3):
        decision = decide_restart(POLICY, history, WorkerExit(shard, -9), shard)
        assert isinstance(decision, Restart)
        assert decision.delay_us == 0
        history = decision.history
    assert isinstance(decide_restart(POLICY, history, WorkerExit(3, -9), 3), GiveUp)


def test_intensity_of_zero__the_first_death_is_the_end() -> None:
    assert isinstance(decide_restart(RestartPolicy(0, 1), History(), DEATH, 0), GiveUp)


def test_describe_exit__code_and_signal() -> None:
    assert describe_exit(WorkerExit(0, 3)) == "worker 0 ended (exit code 3)"
    assert describe_exit(WorkerExit(0, -9, 17)) == "worker 0 (pid 17) ended (killed by signal 9)"


@given(st.lists(st.integers(1, 400_000), max_size=60), st.integers(1, 40))
def test_any_deaths__history_and_delay_bounded(gaps_us: list[int], intensity: int) -> None:
    policy, history, now_us = RestartPolicy(intensity, 1_000_000), History(), 0
    for gap_us in gaps_us:
        now_us += gap_us
        decision = decide_restart(policy, history, DEATH, now_us)
        if isinstance(decision, GiveUp):
            return
        assert 0 <= decision.delay_us <= DELAY_MAX_US
        assert len(decision.history.deaths) <= intensity
        history = decision.history
