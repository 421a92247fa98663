"""The experiments at tiny counts: they run, in every library, and say what they found."""

import json
import subprocess
from pathlib import Path

import msgspec
import pytest

from gossamer.cli.bench import bench
from gossamer.loadtest.experiments import (
    child,
    connections,
    disk,
    fifo,
    shards,
    simulator,
    sync,
    threads,
    timers,
)
from gossamer.loadtest.experiments.child import MeasurementFailed, measure_in_child
from gossamer.loadtest.experiments.experiment import Point, goal, point
from gossamer.loadtest.experiments.plot import draw
from gossamer.loadtest.experiments.rounds import Pace, Round
from gossamer.loadtest.experiments.table import number
from gossamer.shards.exitcode import CannotStartError

from ..invented import bench_document
from ..processes import is_alive


def paced(rounds: int = 1, seconds: int = 1) -> Pace:
    return Pace(lambda _: None, rounds, seconds)


def values_of(point: Point) -> list[float]:
    return [value for values in point.rounds if values for value in values.values()]


@pytest.mark.long
def test_threads__every_library__bytes_and_times() -> None:
    result = threads.run(paced(), 1_000, is_quick=True)
    assert {point.series for point in result.points} == set(threads.SUBJECTS)
    assert 200 < result.figures["bytes_per_thread"] < 2_000
    assert all(value > 0 for point in result.points for value in values_of(point))


@pytest.mark.long
def test_fifo__every_library__all_messages_arrive() -> None:
    result = fifo.run(paced(), idle=20, messages=3)
    assert {(p.series, p.x) for p in result.points} == {(name, x) for name in fifo.SUBJECTS for x in (0, 20)}
    assert all(point.figures["MB/s"].least > 1 for point in result.points)
    assert result.notes == []


@pytest.mark.long
def test_sync_and_timers__every_library() -> None:
    assert {p.series for p in sync.run(paced(), 1_000).points} == {"gossamer", "asyncio", "trio"}
    assert {p.series for p in timers.run(paced(), 10_000).points} == {"gossamer", "asyncio"}


def test_command__json__one_object_with_the_key_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    bench(["threads", "--count", "1000", "--quick", "--rounds", "1", "--json"], standalone_mode=False)
    found = json.loads(capsys.readouterr().out)
    assert found["name"] == "threads"
    assert found["bytes_per_thread"] > 0
    assert found["count"] == 1000


def test_child__measurement_fails__its_last_line() -> None:
    with pytest.raises(MeasurementFailed, match=r"threads.gossamer: TypeError"):
        measure_in_child("threads", "gossamer", wrong=1)


def test_child__waited_for_no_longer__it_ends_with_what_it_has_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(child, "TIMEOUT_SECONDS", 0.5)
    script = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60' & wait"
    with pytest.raises(subprocess.TimeoutExpired):
        child.to_its_end(["sh", "-c", script])
    assert not is_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("samples", "is_least", "verdict"),
    [
        ([1.1, 1.2, 1.3, 1.4, 1.5, 1.6], True, "met"),
        ([0.9, 1.2, 1.3, 1.4, 1.5, 1.6], True, "not decided"),
        ([0.4, 0.5, 0.6, 0.7, 0.8, 0.9], True, "missed"),
        ([0.4, 0.5, 0.6, 0.7, 0.8, 1.0], False, "met"),
        ([0.4, 0.5, 0.6, 0.7, 0.8, 1.1], False, "not decided"),
        ([1.1, 1.2, 1.3, 1.4, 1.5, 1.6], False, "missed"),
        ([9.0, 9.0, 9.0, 9.0, 9.0], True, "not decided"),
    ],
)
def test_goal__only_what_the_interval_decides(samples: list[float], is_least: bool, verdict: str) -> None:
    assert goal("a", samples, 1.0, "x", is_least=is_least).verdict == verdict


def test_goal__of_what_must_never_happen__one_round_decides() -> None:
    assert goal("lost", [0], 0, "", is_count=True).verdict == "met"
    assert goal("lost", [1], 0, "", is_count=True).verdict == "missed"


def test_number__as_people_read_it() -> None:
    assert [number(value) for value in (0.51249, 12.34, 999.6, 1_664.2, 2_048)] == [
        "0.512",
        "12.3",
        "1,000",
        "1,664",
        "2,048",
    ]


def test_draw__curves__of_800_points_with_a_caption(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    png, svg = draw(bench_document("web-disk"), tmp_path / "made" / "plot")
    assert int.from_bytes(png.read_bytes()[16:20], "big") == 800
    assert "<!-- Medians of rounds; lines: intervals that hold them 95 times in 100" in svg.read_text()


def test_simulator__more_loss__fewer_segments_all_the_same_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    small = msgspec.structs.replace(simulator.TIMED, transfer_bytes=200_000)
    monkeypatch.setattr(simulator, "TIMED", small)
    monkeypatch.setattr(simulator, "LOSSY_BYTES", 100_000)
    result = simulator.run(paced())
    assert [point.x for point in result.points] == [loss * 100 for loss in simulator.LOSSES]
    assert all(point.figures["segments/s"].least > 0 for point in result.points)
    assert result.figures["segments_per_second"] == result.points[0].figures["segments/s"].median


@pytest.mark.needs("nfqueue", "wrk", "curl")
@pytest.mark.long
def test_connections__idle_ones__bytes_each_and_a_request_beside_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "STEPS", (10,))
    result = connections.run(paced(), 1_200)
    first, last = result.points
    assert (first.x, last.x) == (10, 1_200)
    assert "bytes each" not in first.figures
    assert 200 < last.figures["bytes each"].median < 6_000
    assert result.figures["drained_s"] > 0
    assert last.figures["CPU us a request"].median > 1


@pytest.mark.needs("nfqueue", "wrk", "curl", "ethtool")
@pytest.mark.long
def test_shards__two_workers__answer_too() -> None:
    result = shards.run(paced(), most=2)
    assert {(point.series, point.x) for point in result.points} == {
        (name, workers) for name in ("gossamer kernel", "gossamer frames") for workers in (1, 2)
    }
    assert all(point.figures["requests/s"].least > 10 for point in result.points)
    assert all(point.figures["p99 us"].least > 0 for point in result.points)


@pytest.mark.needs("direct-io")
@pytest.mark.long
def test_disk__every_reader__some_reads(tmp_path: Path) -> None:
    result = disk.run(paced(), tmp_path, 1 << 21, threads_max=16)
    readers = {point.series for point in result.points}
    assert {"gossamer", "os threads"} <= readers
    assert "fio" in readers or any(note.startswith("fio: not run") for note in result.notes)
    assert all(value > 0 for point in result.points for value in values_of(point))
    assert not list(tmp_path.iterdir())


@pytest.mark.needs("direct-io")
def test_disk__no_room__says_how_much_there_is(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match=r"--size: found .* free"):
        disk.run(paced(), tmp_path, 1 << 60, threads_max=1)


def test_fio__its_json__rate_and_cost() -> None:
    text = 'fio: a warning\n{"jobs": [{"read": {"iops": 50000.0}, "usr_cpu": 5.0, "sys_cpu": 20.0}]}'
    assert disk.fio_answer(text) == {"reads/s": 50000.0, "CPU us a read": 5.0}


def test_fio__engine__as_ours() -> None:
    assert disk.fio_engine("io_uring", 64) == {"ioengine": "io_uring", "iodepth": 64}
    assert disk.fio_engine("pool", 8) == {"ioengine": "psync", "numjobs": 8, "thread": 1}


def reads(rate: float) -> dict[str, float]:
    return {"reads/s": rate, "CPU us a read": 1.0}


def test_disk_goals__against_everybody_at_their_best__medians_of_pairs() -> None:
    rates = {("gossamer", 64): 100, ("gossamer", 65_536): 90, ("fio", 1): 10, ("fio", 64): 100}
    points = [point(name, count, [reads(rate)]) for (name, count), rate in rates.items()]
    compared = disk.compared_of(points)
    assert list(compared) == [("gossamer", 65_536), ("gossamer", 64), ("fio", 64)]
    most, ours, fio = compared
    pairs: list[Round] = [
        {most: reads(90), ours: reads(100), fio: reads(200)},
        {most: reads(95), ours: reads(100)},
        {most: reads(10), ours: reads(100), fio: reads(40)},
        {fio: reads(1)},
    ]
    ratios = {goal.name: goal.figure.median for goal in disk.goals_of(compared, pairs)}
    assert ratios == {
        "65,536 threads / ours at its best (64)": 0.9,
        "65,536 threads / fio at its best (64)": 0.35,
    }


def test_disk_goals__the_most_are_the_best__ours_with_fewer_beside_them() -> None:
    points = [point("gossamer", count, [reads(count)]) for count in (1, 16, 64)]
    assert list(disk.compared_of(points)) == [("gossamer", 64), ("gossamer", 16)]
    assert list(disk.compared_of(points[:1])) == [("gossamer", 1)]


def test_disk_goals__ours_failed__none() -> None:
    assert disk.goals_of(disk.compared_of([point("fio", 1, [reads(1)])]), []) == []
