"""The arithmetic of `make load-truth`, and one of its runs."""

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.loadtest import truth
from gossamer.loadtest.quiet import Disturbance, TrialVerdict
from gossamer.loadtest.truth import CASES, KnownRun, Tried, against, exit_code, expected_us, faults_of, judged


def test_expected__constant__every_percentile() -> None:
    assert expected_us(KnownRun("constant", 1_000, 1, SECOND_US)) == dict.fromkeys(
        ("p50", "p90", "p99"), (10_000, 10_000)
    )


def test_expected__end_in_a_stall__what_the_issue_says() -> None:
    least, most = expected_us(KnownRun("stall", 1_000, 1, 4_500_000))["p90"]
    assert least <= 550_000 <= most
    assert most - least < 20_000


def test_expected__hanging__no_answer_is_the_truth() -> None:
    found = expected_us(KnownRun("hangs", 1_000, 1, SECOND_US))
    assert found["p90"] == (10_000, 10_000)
    assert found["p99"] == (NEVER_US, NEVER_US)


def test_faults__a_figure_that_is_wrong__is_named() -> None:
    case = KnownRun("constant", 1_000, 1, SECOND_US)
    response = {"p50": 10_599, "p90": 10_601, "p99": 9_000, "at_least": []}
    found = {
        "requests_total": 999,
        "failed_total": 0,
        "timed_out_total": 0,
        "in_flight_total": 0,
        "never_sent": {},
        "due_total": 1_000,
        "response_us": response,
    }
    faults = list(faults_of(case, found))
    assert len(faults) == 3
    assert "999 have an outcome" in faults[0]
    assert faults[1].startswith("p90 10601 us")
    assert faults[2].startswith("p99 9000 us")


def test_exit_code__wrong_before_busy_before_true() -> None:
    true, busy, wrong = TrialVerdict.TRUE, TrialVerdict.BUSY, TrialVerdict.WRONG
    assert [exit_code(each) for each in ([true], [true, busy], [busy, wrong, true])] == [0, 3, 1]


def test_judged__tries__until_one_is_true_or_so_many_are_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(truth, "wait_until_quiet", lambda: None)
    busy, quiet = Disturbance(0.63, 0, 0), Disturbance(0, 0, 0)
    wrong_on_busy, true = Tried("9", ["p50 9 us"], busy), Tried("1", [], busy)
    assert judged("a", iter([wrong_on_busy, true]).__next__) is TrialVerdict.TRUE
    assert judged("b", lambda: wrong_on_busy) is TrialVerdict.BUSY
    assert judged("c", lambda: Tried("9", ["p50 9 us"], quiet)) is TrialVerdict.WRONG
    printed = capsys.readouterr().out
    assert (
        printed.count("busy  b: 9\n      p50 9 us (try 1)\n      others used 63% of a processor (try 1)") == 1
    )
    assert printed.count("WRONG c: 9") == truth.TRIES_MAX


@pytest.mark.long
def test_against__each_kind_of_delay__sums_are_exact() -> None:
    """Times are the machine's to say; `make load-truth` looks at them."""
    for delay in ("constant", "hangs"):
        case = next(case for case in CASES if case.delay == delay)
        found, disturbance = against(case)
        assert disturbance.late <= 1
        assert not [fault for fault in faults_of(case, found) if "outcome" in fault]
