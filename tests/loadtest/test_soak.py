"""What is said of faults, from requests that were made up."""

import pytest

from gossamer.loadtest.soak import PlayedFault, Sample, leaks_of, outcome_of, soak, table_of


def test_outcome__some_requests_lost__recovered_when_the_last_was_given_up() -> None:
    samples = [Sample(at / 10, at / 10 + 0.05, not 12 <= at < 15) for at in range(100)]
    found = outcome_of("cut", 1.0, 5.0, samples)
    assert found.recovery_s is not None
    assert (round(found.recovery_s, 2), found.asked, found.lost) == (0.45, 41, 3)
    assert outcome_of("calm", 2.0, 5.0, samples).recovery_s == 0


def test_outcome__lost_to_the_end_or_not_asked__never() -> None:
    samples = [Sample(at / 10, at / 10, at < 12) for at in range(100)]
    assert outcome_of("cut", 1.0, 5.0, samples).recovery_s is None
    assert outcome_of("cut", 20.0, 25.0, samples).recovery_s is None


def test_table__of_outcomes() -> None:
    assert table_of([PlayedFault("cut", 0.5, 1234, 2), PlayedFault("gone", None, 3, 3)]).splitlines()[2:] == [
        "| cut | 0.50 s | 1,234 | 2 |",
        "| gone | never | 3 | 3 |",
    ]


def test_leaks__more_than_before_and_rules_that_are_missing() -> None:
    before = {"descriptors": 20, "processes": 3, "rules": 9}
    assert leaks_of(before, {"descriptors": 22, "processes": 2, "rules": 9}) == []
    after = {"descriptors": 23, "processes": 4, "rules": 8}
    assert leaks_of(before, after) == ["descriptors: 20, then 23", "processes: 3, then 4", "rules: 9, then 8"]


CLOCK = "the wall clock jumps, and back"
ADDRESS = "the address is gone for 1 s"
DEVICE = "the address moves to another device, and back"
OVERRUN = "a queue's socket is overrun"


@pytest.mark.slow
@pytest.mark.needs("nfqueue", "cc")
@pytest.mark.parametrize(
    ("stack", "faults"),
    [("kernel", {CLOCK, ADDRESS, DEVICE}), ("nfqueue", {CLOCK, ADDRESS, DEVICE, OVERRUN})],
    ids=["kernel", "nfqueue"],
)
def test_soak__clock_address_and_a_queues_socket__the_service_goes_on_and_nothing_is_left(
    stack: str, faults: set[str]
) -> None:
    outcomes, left = soak(1, stack, (CLOCK, ADDRESS, DEVICE, OVERRUN))
    assert {each.fault for each in outcomes} == faults
    assert [each for each in outcomes if each.recovery_s is None] == []
    assert left == []
