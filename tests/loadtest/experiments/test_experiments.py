"""The experiments at tiny counts: they run, in every library, and say what they found."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from gossamer.cli.bench import bench
from gossamer.loadtest.experiments import connections, disk, fifo, shards, simulator, sync, threads, timers
from gossamer.loadtest.experiments.child import MeasurementFailed, measure_in_child
from gossamer.loadtest.experiments.experiment import Axes, Goal, Point, Result
from gossamer.loadtest.experiments.plot import draw
from gossamer.loadtest.experiments.table import number
from gossamer.shards.exitcode import CannotStartError


def said(text: str) -> None:
    del text


@pytest.mark.long
def test_threads__every_library__bytes_and_times() -> None:
    result = threads.run(said, 1_000, quick=True)
    assert {point.series for point in result.points} == set(threads.SUBJECTS)
    assert 200 < result.figures["bytes_per_thread"] < 2_000
    assert all(value > 0 for point in result.points for value in point.values.values())


@pytest.mark.long
def test_fifo__every_library__all_messages_arrive() -> None:
    result = fifo.run(said, idle=20, messages=3, rounds=1)
    assert {(p.series, p.x) for p in result.points} == {(name, x) for name in fifo.SUBJECTS for x in (0, 20)}
    assert all(point.values["MB/s"] > 1 for point in result.points)
    assert result.notes == []


@pytest.mark.long
def test_sync_and_timers__every_library() -> None:
    assert {p.series for p in sync.run(said, 1_000, 1).points} == {"gossamer", "asyncio", "trio"}
    assert {p.series for p in timers.run(said, 10_000, 1).points} == {"gossamer", "asyncio"}


def test_command__json__one_object_with_the_key_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    bench(["threads", "--count", "1000", "--quick", "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "threads"
    assert found["bytes_per_thread"] > 0
    assert found["count"] == 1000


def test_child__measurement_fails__its_last_line() -> None:
    with pytest.raises(MeasurementFailed, match=r"threads.gossamer: TypeError"):
        measure_in_child("threads", "gossamer", wrong=1)


def test_goal__at_least_and_at_most() -> None:
    assert Goal("rate", 2.0, 1.3, "x", is_least=True).is_met
    assert not Goal("cost", 2.0, 1.3, "x").is_met


def test_number__as_people_read_it() -> None:
    assert [number(value) for value in (0.51249, 12.34, 999.6, 1_664.2, 2_048)] == [
        "0.512",
        "12.3",
        "1,000",
        "1,664",
        "2,048",
    ]


def test_plot__png_and_svg(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    points = [Point("ours", x, {"rate": x * 2.0}) for x in (0, 10, 100)]
    result = Result("name", Axes("Title", "threads", (("rate", "MB/s"),)), points, [])
    for path in draw(result, tmp_path / "made" / "plot"):
        assert path.stat().st_size > 1000


def test_output__and_plot__only_one(tmp_path: Path) -> None:
    arguments = ["timers", "--plot", str(tmp_path / "plot"), "--output", str(tmp_path)]
    done = CliRunner().invoke(bench, arguments)
    assert done.exit_code == 2
    assert "--plot and --output: only one of them" in done.output


def test_output__named_by_the_experiment(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = CliRunner().invoke(bench, ["timers", "--count", "1000", "--quick", "--output", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert {path.name for path in tmp_path.iterdir()} == {"timers.png", "timers.svg"}


def test_simulator__more_loss__fewer_segments_all_the_same_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    small = msgspec.structs.replace(simulator.TIMED, transfer_bytes=200_000)
    monkeypatch.setattr(simulator, "TIMED", small)
    monkeypatch.setattr(simulator, "LOSSY_BYTES", 100_000)
    result = simulator.run(said, rounds=1)
    assert [point.x for point in result.points] == [loss * 100 for loss in simulator.LOSSES]
    assert all(point.values["segments/s"] >= point.values["slowest round"] > 0 for point in result.points)
    assert result.figures["segments_per_second"] == result.points[0].values["segments/s"]


@pytest.mark.needs("nfqueue", "wrk", "curl")
@pytest.mark.long
def test_connections__idle_ones__bytes_each_and_a_request_beside_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "ASK_ROUNDS", 1)
    monkeypatch.setattr(connections, "STEPS", (10,))
    result = connections.run(said, 1_200)
    first, last = result.points
    assert (first.x, last.x) == (10, 1_200)
    assert "bytes each" not in first.values
    assert 200 < last.values["bytes each"] < 6_000
    assert result.figures["drained_s"] > 0
    assert last.values["CPU us a request"] > 1


@pytest.mark.needs("nfqueue", "wrk", "curl", "ethtool")
@pytest.mark.long
def test_shards__two_workers__answer_too() -> None:
    result = shards.run(said, most=2, rounds=1)
    assert {(point.series, point.x) for point in result.points} == {
        (name, workers) for name in ("gossamer kernel", "gossamer frames") for workers in (1, 2)
    }
    assert all(point.values["requests/s"] > 10 for point in result.points)


@pytest.mark.needs("direct-io")
@pytest.mark.long
def test_disk__every_reader__some_reads(tmp_path: Path) -> None:
    result = disk.run(said, tmp_path, 1 << 21, seconds=0.1, rounds=1, threads_max=16)
    readers = {point.series for point in result.points}
    assert {"gossamer", "os threads"} <= readers
    assert "fio" in readers or any(note.startswith("fio: not run") for note in result.notes)
    assert all(value > 0 for point in result.points for value in point.values.values())
    assert not list(tmp_path.iterdir())


@pytest.mark.needs("direct-io")
def test_disk__no_room__says_how_much_there_is(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match=r"--size: found .* free"):
        disk.run(said, tmp_path, 1 << 60, seconds=0.1, rounds=1, threads_max=1)


def test_fio__its_json__rate_and_cost() -> None:
    text = 'fio: a warning\n{"jobs": [{"read": {"iops": 50000.0}, "usr_cpu": 5.0, "sys_cpu": 20.0}]}'
    assert disk.fio_answer(text) == {"reads/s": 50000.0, "CPU us a read": 5.0}


def test_fio__engine__as_ours() -> None:
    assert disk.fio_engine("io_uring", 64) == {"ioengine": "io_uring", "iodepth": 64}
    assert disk.fio_engine("pool", 8) == {"ioengine": "psync", "numjobs": 8, "thread": 1}


def reads(rate: float) -> dict[str, float]:
    return {"reads/s": rate, "CPU us a read": 1.0}


def test_disk_points__medians_of_the_rounds_that_did_not_fail() -> None:
    rounds: list[disk.Round] = [
        {("gossamer", 1): reads(10), ("fio", 1): reads(7)},
        {("gossamer", 1): reads(30)},
        {("gossamer", 1): reads(20), ("fio", 1): reads(9)},
    ]
    found = {(point.series, point.x): point.values["reads/s"] for point in disk.points_of(rounds)}
    assert found == {("gossamer", 1): 20, ("fio", 1): 8}


def test_disk_goals__against_everybody_at_their_best__medians_of_pairs() -> None:
    rates = {("gossamer", 64): 100, ("gossamer", 65_536): 90, ("fio", 1): 10, ("fio", 64): 100}
    points = [Point(name, count, reads(rate)) for (name, count), rate in rates.items()]
    compared = disk.compared_of(points)
    assert list(compared) == [("gossamer", 65_536), ("gossamer", 64), ("fio", 64)]
    most, ours, fio = compared
    pairs: list[disk.Round] = [
        {most: reads(90), ours: reads(100), fio: reads(200)},
        {most: reads(95), ours: reads(100)},
        {most: reads(10), ours: reads(100), fio: reads(40)},
        {fio: reads(1)},
    ]
    ratios = {goal.name: goal.figure for goal in disk.goals_of(compared, pairs)}
    assert ratios == {
        "65,536 threads / ours at its best (64)": 0.9,
        "65,536 threads / fio at its best (64)": 0.35,
    }


def test_disk_goals__the_most_are_the_best__ours_with_fewer_beside_them() -> None:
    points = [Point("gossamer", count, reads(count)) for count in (1, 16, 64)]
    assert list(disk.compared_of(points)) == [("gossamer", 64), ("gossamer", 16)]
    assert list(disk.compared_of(points[:1])) == [("gossamer", 1)]


def test_disk_goals__ours_failed__none() -> None:
    assert disk.goals_of(disk.compared_of([Point("fio", 1, reads(1))]), []) == []


def test_draw__rounds__are_a_bar_a_series(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    axes = Axes("t", "round", (("us", "CPU us"),), is_log_x=False, are_rounds=True)
    points = [Point(name, number, {"us": number + 1.0}) for name in ("a", "b") for number in range(3)]
    for path in draw(Result("x", axes, points, []), tmp_path / "bars"):
        assert path.stat().st_size > 1_000
