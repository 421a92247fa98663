"""What a request costs beside wrk: what is read of wrk's output, and that each row has a limit."""

from gossamer.loadtest.bench_generator import DONE, ROWS


def test_done__of_wrks_output__the_count() -> None:
    found = DONE.search("  88770 requests in 3.00s, 20.1MB read\nRequests/sec:  29590.11\n")
    assert found is not None
    assert int(found[1]) == 88_770


def test_rows__names_and_limits() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert {row.name: row.must for row in ROWS if row.at_least} == {
        "two engines, rate": 1.8,
        "EngineUser, rate": 3.0,
    }
    assert all(1 < row.must <= 2 for row in ROWS if not row.at_least)


def test_is_met__of_a_cost_and_of_a_rate__on_either_side_of_what_it_must_be() -> None:
    cost, rate = ROWS[0], ROWS[-1]
    assert [cost.is_met(found) for found in (1.74, 1.75, 1.76)] == [True, True, False]
    assert [rate.is_met(found) for found in (2.9, 3.0, 3.1)] == [False, True, True]
