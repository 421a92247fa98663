"""Rounds: their order, their end, and what pairs say."""

import pytest

from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Values
from gossamer.loadtest.experiments.rounds import Key, Pace, Round, interleaved, points_of, ratios, words_of

A: Key = ("a", 1)
B: Key = ("b", None)


def paced(rounds: int, time_limit_s: float = 60.0) -> Pace:
    return Pace(lambda _: None, rounds, time_limit_s=time_limit_s)


def test_interleaved__each_second_round_in_the_reverse_order() -> None:
    taken: list[str] = []

    def take(key: Key) -> Values:
        taken.append(key[0])
        return {"us": float(len(taken))}

    found = interleaved(paced(3), [A, B], take)
    assert "".join(taken) == "abbaab"
    first, second = points_of(found)
    assert [values and values["us"] for values in first.rounds] == [1, 4, 5]
    assert (second.series, second.x, second.figures["us"].median) == ("b", None, 3)


def test_interleaved__one_fails__noted_once_and_the_others_go_on() -> None:
    def take(key: Key) -> Values:
        if key == B:
            raise MeasurementFailed("no memory")
        return {"us": 1.0}

    pace = paced(2)
    (point,) = points_of(interleaved(pace, [A, B], take))
    assert point.rounds == [{"us": 1.0}, {"us": 1.0}]
    assert pace.notes == ["b: no memory"]


def test_interleaved__the_time_is_over__what_is_not_begun_is_named() -> None:
    pace = paced(2, time_limit_s=-1.0)
    assert interleaved(pace, [A], lambda _: {"us": 1.0}) == [{}]
    assert pace.notes == ["round 1, a, 1 and what follows: not begun, the time is over (--time-limit)"]
    with pytest.raises(MeasurementFailed, match="nothing was measured"):
        points_of([{}])


def test_points__a_round_without_one__null_there() -> None:
    rounds: list[Round] = [{A: {"us": 1.0}, B: {"us": 9.0}}, {A: {"us": 3.0}}]
    by_series = {point.series: point for point in points_of(rounds)}
    assert by_series["b"].rounds == [{"us": 9.0}, None]
    assert by_series["b"].figures["us"].rounds == 1


def test_words__of_a_key__as_people_read_it() -> None:
    keys: list[Key] = [A, B, ("c", "reload"), ("d", 1_000_000.0), ("e", 0.1)]
    assert [words_of(key) for key in keys] == ["a, 1", "b", "c, reload", "d, 1,000,000", "e, 0.1"]


def test_ratios__pairs_of_one_round_only() -> None:
    rounds: list[Round] = [
        {A: {"us": 6.0}, B: {"us": 2.0}},
        {A: {"us": 1.0}},
        {A: {"us": 5.0}, B: {"us": 0.0}},
    ]
    assert ratios(rounds, A, B, "us") == [3.0]
