"""Which request is which number, and what stands in it."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.loadtest.request_set import RequestSet, RequestTemplate, read_rows, weighted_cycle
from gossamer.shards.exitcode import ConfigError


def template(path: str, **others: object) -> RequestTemplate:
    return RequestTemplate("GET", path, "a:1", **others)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(any))
def test_cycle__any_weights__each_as_often_as_it_says_and_spread(weights: list[int]) -> None:
    cycle = weighted_cycle(weights)
    counts = Counter(cycle)
    assert all(counts[index] * sum(weights) == weight * len(cycle) for index, weight in enumerate(weights))
    half = Counter(cycle[: len(cycle) // 2])
    assert all(abs(half[index] - counts[index] / 2) <= 1.5 for index in counts)


def test_cycle__equal_weights__in_their_order() -> None:
    assert weighted_cycle([2, 2, 2]) == [0, 1, 2]


def test_cycle__too_long__refused() -> None:
    with pytest.raises(ConfigError, match="steps to a cycle"):
        weighted_cycle([1_000_000, 999_983])


def test_rows__one_for_each_round() -> None:
    templates = (template("/{a}"), template("/x", fields=(("B", "{b}"),), body=b"\xff{a}{c}"))
    requests = RequestSet(templates, ({"a": "1", "b": "2"}, {"a": "3", "b": "4"}))
    sent = [requests.of(number).data for number in range(5)]
    assert sent[0] == sent[4] == b"GET /1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
    assert sent[1] == b"GET /x HTTP/1.1\r\nHost: a:1\r\nB: 2\r\nContent-Length: 5\r\n\r\n\xff1{c}"
    assert sent[2].startswith(b"GET /3 ")
    assert b"\r\nB: 4\r\n" in sent[3]


def test_rows__a_value_that_would_split_the_request__refused() -> None:
    with pytest.raises(ConfigError, match="line break"):
        RequestSet((template("/", fields=(("B", "{b}"),)),), ({"b": "1\r\nC: 2"},)).of(0)


def test_read_rows__by_the_names_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('a,b\n1,"x,y"\n2,\n')
    assert read_rows(tmp_path / "rows", {"a"}) == ({"a": "1", "b": "x,y"}, {"a": "2", "b": ""})
