"""The experiments at tiny counts: they run, in every library, and say what they found."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from gossamer.loadtest.experiments import fifo, sync, threads, timers
from gossamer.loadtest.experiments.child import MeasurementFailed, measure_in_child
from gossamer.loadtest.experiments.command import bench
from gossamer.loadtest.experiments.experiment import Axes, Goal, Point, Result
from gossamer.loadtest.experiments.plot import draw


def said(text: str) -> None:
    del text


def test_threads__every_library__bytes_and_times() -> None:
    result = threads.run(said, 1_000, quick=True)
    assert {point.series for point in result.points} == set(threads.SUBJECTS)
    assert 200 < result.figures["bytes_per_thread"] < 2_000
    assert all(value > 0 for point in result.points for value in point.values.values())


def test_fifo__every_library__all_messages_arrive() -> None:
    result = fifo.run(said, idle=20, messages=3, rounds=1)
    assert {(p.series, p.x) for p in result.points} == {(name, x) for name in fifo.SUBJECTS for x in (0, 20)}
    assert all(point.values["MB/s"] > 1 for point in result.points)
    assert result.notes == []


def test_sync_and_timers__every_library() -> None:
    assert {p.series for p in sync.run(said, 1_000, 1).points} == {"gossamer", "asyncio", "trio"}
    assert {p.series for p in timers.run(said, 10_000, 1).points} == {"gossamer", "asyncio"}


def test_command__json__one_object_with_the_key_for_programs() -> None:
    done = CliRunner().invoke(bench, ["threads", "--count", "1000", "--quick", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["name"] == "threads"
    assert found["bytes_per_thread"] > 0
    assert found["count"] == 1000


def test_child__measurement_fails__its_last_line() -> None:
    with pytest.raises(MeasurementFailed, match=r"threads.gossamer: TypeError"):
        measure_in_child("threads", "gossamer", wrong=1)


def test_goal__at_least_and_at_most() -> None:
    assert Goal("rate", 2.0, 1.3, "x", is_least=True).is_met
    assert not Goal("cost", 2.0, 1.3, "x").is_met


def test_plot__png_and_svg(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    points = [Point("ours", x, {"rate": x * 2.0}) for x in (0, 10, 100)]
    result = Result("name", Axes("Title", "threads", (("rate", "MB/s"),)), points, [])
    for path in draw(result, tmp_path / "made" / "plot"):
        assert path.stat().st_size > 1000
