"""How long responses of the site take, by where each was answered: at once, from the disk, in many turns."""

from typing import Any

import pytest

from gossamer.core.clock import NEVER_US, VirtualClock
from gossamer.core.loop.streamcall import said_of
from gossamer.shards.web.response_times import COUNTS, LAYOUT, SUM, ResponseTimes

from .conftest import Bench

GET = b"GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n"


def counted(times: ResponseTimes) -> dict[int, int]:
    """How many in each bucket that is not empty, by its top."""
    return {LAYOUT.top_of(bucket): count for bucket, count in enumerate(times.counts) if count}


def bucket_top(us: int) -> int:
    return LAYOUT.top_of(LAYOUT.bucket_of(us))


@pytest.fixture
def busy(bench: Bench) -> Bench:
    """A site whose responses take 700 us to be sent."""
    bench.write("a.txt", b"text")
    bench.write("large", bytes(3 << 20))
    return bench


def serve(bench: Bench, *script: Any, send_us: int = 700) -> None:
    stream = bench.stream(*script)
    stream.after_send = lambda: bench.clock.advance(send_us)
    bench.serve(stream)


def test_turn__hot_responses_of_it__have_taken_as_long_as_the_turn() -> None:
    clock = VirtualClock(now_us=1_000_000)
    times = ResponseTimes(clock)
    times.hits_total, times.at_once = 3, 2
    clock.advance(300)
    assert times.turn(1_000_000) == NEVER_US
    assert counted(times) == {bucket_top(300): 2}
    assert (times.sum_us, times.at_once, times.turned_us) == (600, 0, 1_000_300)
    clock.advance(5_000)
    times.turn(1_005_000)
    assert times.turned_us == 1_000_300
    assert counted(times) == {bucket_top(300): 2}


def test_statistics__by_the_names_of_a_row() -> None:
    times = ResponseTimes(VirtualClock())
    times.record(5)
    found = dict(times.statistics())
    assert (found["responses_in_5_us_total"], found[SUM]) == (1, 5)
    assert set(found) == {*COUNTS, SUM}


def test_site__hot_in_its_turn__waits_for_the_turns_end(busy: Bench) -> None:
    times = busy.site.times
    serve(busy, GET, GET, GET)
    assert (times.hits_total, times.at_once) == (2, 2)
    assert counted(times) == {bucket_top(700): 1}  # The first was read from the disk.
    times.turn(busy.clock() - 1500)
    assert counted(times) == {bucket_top(700): 1, bucket_top(1500): 2}


def test_site__hot_and_its_peer_does_not_read__as_long_as_that_took(busy: Bench) -> None:
    times = busy.site.times
    stream = busy.stream(GET, GET)

    def block() -> None:
        """The turn ends while the second response waits for room; it is sent much later."""
        if len(stream.sends) == 2:
            busy.clock.advance(100)
            times.turn(busy.clock() - 100)
            busy.clock.advance(400_000)

    stream.after_send = block
    busy.serve(stream)
    assert times.at_once == 0
    assert counted(times) == {0: 1, bucket_top(400_100): 1}


@pytest.mark.parametrize(
    ("name", "script", "count"),
    [
        ("another method", [b"HEAD /a.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\n\r\n"], 1),
        ("a refusal", [b"GET /a.txt HTTP/9.1\r\n\r\n"], 1),
        ("in pieces", [GET[:9], GET[9:]], 1),
        ("pipelined", [GET * 3], 3),
        ("missing", [b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n"], 1),
        ("large", [b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n"], 1),
    ],
)
def test_site__any_other_response__counted_once_it_is_sent(
    busy: Bench, name: str, script: list[bytes], count: int
) -> None:
    serve(busy, *script)
    times = busy.site.times
    assert sum(times.counts) == count, name
    assert min(counted(times)) >= bucket_top(700), name
    assert busy.site.statistics()["requests_total"] == count


def test_site__small_file_asked_for_by_a_known_head__counted_once_it_is_sent(busy: Bench) -> None:
    """The straight way."""
    busy.write("b.txt", b"text")
    serve(busy, GET, GET.replace(b"a.txt", b"b.txt"))
    assert counted(busy.site.times) == {bucket_top(700): 2}


def test_site__a_response_that_could_not_be_sent__not_counted(busy: Bench) -> None:
    stream = busy.stream(GET)

    def fail() -> None:
        raise said_of(stream, ConnectionResetError())

    stream.after_send = fail
    busy.serve(stream)
    assert sum(busy.site.times.counts) == 0
