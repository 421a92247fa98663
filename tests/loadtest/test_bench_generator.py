"""What a request costs beside wrk: what is read of wrk's output, and that each row has a limit."""

from gossamer.loadtest.bench_generator import DONE, ROWS


def test_done__of_wrks_output__the_count() -> None:
    found = DONE.search("  88770 requests in 3.00s, 20.1MB read\nRequests/sec:  29590.11\n")
    assert found is not None
    assert int(found[1]) == 88_770


def test_rows__names_and_limits() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(1 < row.most <= 2 for row in ROWS)
