"""Every request that was due has one outcome, and latencies count from when it was due: in virtual time."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.loadtest.checks import parse_check
from gossamer.loadtest.phases import RatePhase
from gossamer.loadtest.request_set import RequestSet, RequestTemplate
from gossamer.loadtest.run import LoadRun
from gossamer.loadtest.summary import is_whole
from gossamer.loadtest.tally import NotSent

from .virtual_server import ANSWER, Fate, found_of, perform, random_fates


def after(delay_us: int) -> Fate:
    return lambda _now_us: (delay_us, ANSWER)


def outcomes(run: LoadRun) -> tuple[int, int]:
    return run.tally.outcomes_total, run.due


@settings(max_examples=75, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    rate=st.sampled_from([0.0, 3.0, 100.0, 777.7, 5_000.0]),
    connections=st.integers(1, 20),
    pipeline=st.sampled_from([1, 1, 4]),
    keep_alive=st.booleans(),
    requests_max=st.sampled_from([1, 50, 1_000_000]),
    delay_us=st.sampled_from([200, 5_000, 200_000]),
    timeout_us=st.sampled_from([50_000, SECOND_US]),
    drain_us=st.sampled_from([0, 20_000, 2 * SECOND_US]),
    warm_up_us=st.sampled_from([0, 100_000]),
    interrupt_us=st.sampled_from([0, 0, 1_000, 150_000, 300_000]),
    refused=st.sampled_from([0.0, 0.3]),
    process=st.sampled_from(["even", "poisson"]),
)
def test_any_run__every_request_that_was_due__has_one_outcome(
    seed: int,
    rate: float,
    connections: int,
    pipeline: int,
    keep_alive: bool,
    requests_max: int,
    delay_us: int,
    timeout_us: int,
    drain_us: int,
    warm_up_us: int,
    interrupt_us: int,
    refused: float,
    process: str,
) -> None:
    random = Random(seed)
    first = [True]  # the probe's connection opens, else there is no run

    def connect() -> tuple[int, bool]:
        is_open = first.pop() if first else random.random() >= refused
        return random.randrange(2_000), is_open

    run = perform(
        random_fates(seed, delay_us),
        connect,
        interrupt_us,
        rate=rate,
        connections=connections,
        duration_us=400_000,
        pipeline=pipeline if keep_alive else 1,
        keep_alive=keep_alive,
        requests_max=requests_max,
        timeout_us=timeout_us,
        drain_us=drain_us,
        warm_up_us=warm_up_us,
        process=process,
        seed=seed,
    )
    assert run.tally.outcomes_total == run.due
    response = run.tally.response
    assert response.samples_total + response.floors_total == run.due
    assert response.samples_total == run.tally.answered_total
    found = found_of(run)
    unanswered = ("failed_total", "timed_out_total", "in_flight_total")
    left = sum(found[name] for name in unanswered) + sum(found["never_sent"].values())
    assert found["due_total"] == found["requests_total"] + left


def test_open_loop__end_in_a_stall__the_stall_stands_in_the_percentiles() -> None:
    start: list[int] = []

    def stalls(now_us: int) -> tuple[int, bytes | OSError | None]:
        start.append(now_us)
        into_us = now_us - start[0]
        return (max(1_000, 5 * SECOND_US - into_us) if into_us >= 4 * SECOND_US else 1_000), ANSWER

    run = perform(stalls, rate=1_000.0, connections=64, duration_us=4_500_000)
    assert (run.due, run.tally.answered_total) == (4_500, 4_500)
    assert run.tally.response.percentile_us(90) == pytest.approx(550_000, rel=0.03)
    assert run.tally.service.percentile_us(90) < 2_000, "few were sent into the stall"


def test_open_loop__too_few_connections__what_was_never_sent_is_told() -> None:
    run = perform(after(10_000), rate=1_000.0, connections=4, duration_us=5 * SECOND_US)
    assert run.due == 5_000
    assert run.tally.never_sent[NotSent.NO_CONNECTION] == pytest.approx(5_000 - 2_800, abs=30)
    found = found_of(run)
    assert found["requests_per_second"] == pytest.approx(400, rel=0.02)
    assert {each["name"] for each in found["warnings"]} == {"rate-missed", "connection-lag"}
    assert found["response_us"]["at_least"]


def test_timeouts__five_of_a_hundred_hang__percentiles_say_at_least() -> None:
    count = [0]

    def hangs(_now_us: int) -> tuple[int, bytes | OSError | None]:
        count[0] += 1
        return (NEVER_US, None) if count[0] % 20 == 0 else (2_000, ANSWER)

    run = perform(hangs, rate=200.0, connections=64, timeout_us=SECOND_US, duration_us=2 * SECOND_US)
    assert (run.tally.timed_out_total, run.due) == (20, 400)
    found = found_of(run)["response_us"]
    assert found["p90"] == pytest.approx(2_000, rel=0.03)
    assert "p99" in found["at_least"]
    assert found["p99"] == pytest.approx(SECOND_US, rel=0.01)
    assert not is_whole(found_of(run))


def test_rate__divides_by_the_time_that_was_asked_for() -> None:
    assert (
        found_of(perform(after(1_000), rate=10.0, duration_us=2 * SECOND_US))["requests_per_second"] == 10.0
    )


def test_count_without_time__closed_loop__ends_at_the_count() -> None:
    run = perform(after(SECOND_US), requests_max=40, duration_us=NEVER_US)
    assert (run.due, run.tally.answered_total) == (40, 40)
    assert found_of(run)["requests_per_second"] == pytest.approx(4.0, rel=0.01)


def test_count_without_time__open_loop__lasts_as_long_as_the_rate_says() -> None:
    run = perform(after(1_000), requests_max=40, duration_us=NEVER_US, rate=20.0)
    assert (run.due, run.tally.answered_total) == (40, 40)
    assert found_of(run)["asked_us"] == 2 * SECOND_US


def test_warm_up__not_counted_and_the_rate_goes_on() -> None:
    run = perform(after(1_000), rate=100.0, duration_us=SECOND_US, warm_up_us=SECOND_US)
    assert (run.due, run.tally.answered_total) == (100, 100)


def test_no_drain__slow_answers__in_flight_at_the_end() -> None:
    run = perform(after(300_000), rate=100.0, connections=64, duration_us=SECOND_US, drain_us=0)
    assert run.tally.in_flight_total == pytest.approx(30, abs=1)
    assert outcomes(run) == (100, 100)


def test_no_keepalive__open_loop__the_connect_counts() -> None:
    run = perform(
        after(1_000), lambda: (50_000, True), rate=50.0, connections=16, keep_alive=False, requests_max=20
    )
    assert run.tally.response.percentile_us(50) == pytest.approx(51_000, rel=0.03)
    assert run.tally.service.percentile_us(50) == pytest.approx(1_000, rel=0.03)


def test_errors__closed_loop__pauses_grow_to_a_bound() -> None:
    opened = [True]

    def refuses() -> tuple[int, bool]:
        return 0, bool(opened and opened.pop())

    run = perform(after(1_000), refuses, connections=1, duration_us=SECOND_US)
    # 1, 2, 4, 8, 16 ms, and 20 ms from then on.
    assert run.tally.failed_total == pytest.approx(5 + (1_000 - 31) / 20, abs=2)


def test_errors__open_loop__no_pause() -> None:
    opened = [True]

    def refuses() -> tuple[int, bool]:
        return 0, bool(opened and opened.pop())

    run = perform(after(1_000), refuses, connections=1, rate=500.0, duration_us=SECOND_US)
    assert run.tally.failed_total == run.due == 500
    assert run.tally.connection_lag.max_us == 0
    (refused,) = found_of(run)["errors"]
    assert (refused["kind"], refused["phase"], refused["count"]) == ("refused", "connect", 500)
    assert refused["first_us"] == pytest.approx(0, abs=2_000)
    assert refused["last_us"] == pytest.approx(998_000, abs=2_000)


def test_reopened__closed_between_two_requests__no_error() -> None:
    closes = [0]

    def every_third_finds_it_closed(_now_us: int) -> tuple[int, bytes | OSError | None]:
        closes[0] += 1
        return (0, None) if closes[0] % 3 == 0 else (1_000, ANSWER)

    run = perform(every_third_finds_it_closed, connections=1, requests_max=20, duration_us=NEVER_US)
    assert (run.tally.answered_total, run.tally.errors_total) == (20, 0)
    assert run.tally.reopened_total > 5
    assert is_whole(found_of(run))


def test_connections__some_cannot_be_opened__told() -> None:
    tried = [0]

    def fourth_of_four_hangs() -> tuple[int, bool]:
        tried[0] += 1
        return (NEVER_US, True) if tried[0] == 5 else (100, True)

    found = found_of(perform(after(1_000), fourth_of_four_hangs, requests_max=100))
    assert found["connections_stood"] == 3
    assert found["connections_refused"][0]["kind"] == "timeout"
    assert found["warnings"][0]["name"] == "connections-missing"
    assert not found["valid"]


def test_clock__starts_when_all_connections_stand() -> None:
    run = perform(after(1_000), lambda: (300_000, True), connections=10, rate=100.0, connect_rate=10.0)
    assert run.tally.answered_total == run.due == 100
    assert run.tally.response.max_us < 2_000, "no request waited for a connection"


def test_think__closed_loop__fewer_requests() -> None:
    run = perform(after(10_000), connections=2, think=(90_000, 90_000), duration_us=SECOND_US)
    assert run.tally.answered_total == 2 * 10


def test_pace__closed_loop__a_request_each() -> None:
    run = perform(after(30_000), connections=2, pace_us=100_000, duration_us=SECOND_US)
    assert run.tally.answered_total == 2 * 10


def test_checks__one_fails__answered_and_an_error() -> None:
    checks = (parse_check("status=404"), parse_check("body=no"))
    requests = RequestSet((RequestTemplate("GET", "/", "a:1", checks=checks),))
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nyes"
    run = perform(lambda _: (1_000, missing), requests_max=10, duration_us=NEVER_US, requests=requests)
    found = found_of(run)
    assert (run.tally.answered_total, run.tally.errors_total, found["expected_statuses"]) == (
        10,
        10,
        {"404": 10},
    )
    (error,) = found["errors"]
    assert (error["kind"], error["phase"], error["count"]) == ("body=no", "check", 10)
    assert error["example"] == "body=no: '404 yes'"


def test_post__closed_between_two_requests__not_sent_again() -> None:
    closes = [0]

    def every_third(_now_us: int) -> tuple[int, bytes | OSError | None]:
        closes[0] += 1
        return (0, None) if closes[0] % 3 == 0 else (1_000, ANSWER)

    requests = RequestSet((RequestTemplate("POST", "/", "a:1"),))
    run = perform(every_third, connections=1, requests_max=20, duration_us=NEVER_US, requests=requests)
    assert run.tally.reopened_total == 0
    assert run.tally.failed_total > 3


def test_phases__due_by_the_area() -> None:
    phases = (RatePhase(100, 100, SECOND_US), RatePhase(100, 300, 2 * SECOND_US))
    run = perform(after(1_000), rate=166.7, phases=phases, duration_us=3 * SECOND_US, warm_up_us=SECOND_US)
    assert run.due == run.tally.answered_total == 500
