"""gossamer bench compare: two runs of a bench, and files that are none."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from gossamer.cli.bench import bench
from gossamer.loadtest.experiments.experiment import point
from gossamer.shards.exitcode import ConfigError

from ..loadtest.invented import AROUND, bench_document, web_result, where_result


def compared(tmp_path: Path, *argv: str, **documents: bytes) -> Result:
    for name, octets in documents.items():
        (tmp_path / name).write_bytes(octets)
    return CliRunner().invoke(bench, ["compare", *(str(tmp_path / name) for name in documents), *argv])


def written(name: str, seed: int, slower: float = 1.0) -> bytes:
    return msgspec.json.encode(made_by(name, seed, slower))


def made_by(name: str, seed: int, slower: float) -> msgspec.Struct:
    if name == "http":
        return web_result(seed=seed, slower=slower)
    if name == "where":
        return where_result(seed=seed, slower=slower)
    return bench_document(name, seed=seed, slower=slower)


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("timers", "gossamer, 1,000,000: arm us"),
        ("shards", "gossamer frames, 4: requests/s"),
        ("http", "keep-alive over veth4, gossamer frames: CPU us / kernel's"),
        ("where", "bulk-down, gossamer kernel: CPU us"),
    ],
)
def test_compare__ours_slower__worse_and_exit_code_5(tmp_path: Path, name: str, figure: str) -> None:
    done = compared(tmp_path, "--json", a=written(name, 1), b=written(name, 2, slower=1.5))
    assert done.exit_code == 5, done.output
    found = json.loads(done.stdout)
    by_name = {each["name"]: each for each in found["figures"]}
    assert by_name[figure]["verdict"] == "worse"
    assert by_name[figure]["least"] < by_name[figure]["ratio"] < by_name[figure]["most"]


def test_compare__ours_faster__better(tmp_path: Path) -> None:
    better = compared(tmp_path, b=written("timers", 2, slower=1.5), a=written("timers", 1))
    assert better.exit_code == 0
    assert "better" in better.stdout


def test_compare__the_same__nothing_decided_and_others_apart(tmp_path: Path) -> None:
    octets = written("sync", 1)
    done = compared(tmp_path, "--json", a=octets, b=octets)
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert {each["verdict"] for each in (*found["figures"], *found["others"])} == {"not decided"}
    assert {each["name"].split(":")[0] for each in found["others"]} == {"asyncio", "trio"}
    assert found["warnings"] == []


def test_compare__two_rounds__nothing_decided(tmp_path: Path) -> None:
    one, other = (msgspec.json.encode(bench_document("sync", 2, 1, slower)) for slower in (1.0, 9.0))
    done = compared(tmp_path, a=one, b=other)
    assert done.exit_code == 0
    assert "worse" not in done.stdout


def test_compare__another_machine_and_other_settings__warnings(tmp_path: Path) -> None:
    document = bench_document("sync")
    around = msgspec.structs.replace(AROUND, processor="another", versions={"trio": "9"})
    other = msgspec.structs.replace(document, environment=around, settings={"rounds": 9, "quick": False})
    done = compared(tmp_path, a=msgspec.json.encode(document), b=msgspec.json.encode(other))
    assert done.exit_code == 0
    said = " ".join(done.stdout.split())
    assert f"not as it was: processor {AROUND.processor} / another; trio 0.27 / 9" in said
    assert "other settings: rounds 6 / 9" in said


def test_compare__others_have_moved__said(tmp_path: Path) -> None:
    document = bench_document("sync")
    slower = [
        msgspec.structs.replace(
            each,
            rounds=[{name: 2 * value for name, value in values.items()} for values in each.rounds if values],
        )
        for each in document.points
    ]
    other = msgspec.structs.replace(document, points=slower)
    done = compared(tmp_path, a=msgspec.json.encode(document), b=msgspec.json.encode(other))
    assert done.exit_code == 5
    assert "6 of 6 figures of others, which no change of ours can move, have moved" in done.stdout


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "no run of gossamer bench: Input data was truncated"),
        (b"[1]", "no run of gossamer bench: Expected `object`"),
        (b"{}", "missing required field `schema`"),
        (b'{"schema": "gossamer-load/1"}', "its schema is 'gossamer-load/1'; known: gossamer-bench/1"),
        (b'{"schema": "gossamer-bench/1"}', "missing required field `name`"),
        (b'{"schema": "\xff"}', "no run of gossamer bench: "),
        (written("timers", 1), "a is of bench timers"),
    ],
)
def test_compare__no_run_or_another_bench__one_line(tmp_path: Path, octets: bytes, said: str) -> None:
    error = compared(tmp_path, a=octets, b=written("sync", 1)).exception
    assert isinstance(error, ConfigError)
    assert said in str(error)
    assert "\n" not in str(error)


def test_compare__samples_that_nothing_divides__no_error(tmp_path: Path) -> None:
    result_of_web = web_result()
    case = result_of_web.cases[0]
    zero = [
        sample and msgspec.structs.replace(sample, units=0, seconds=0) for sample in case.samples["kernel"]
    ]
    odd = msgspec.structs.replace(case, samples={**case.samples, "kernel": zero})
    octets = msgspec.json.encode(msgspec.structs.replace(result_of_web, cases=[odd]))
    assert compared(tmp_path, a=octets, b=octets).exit_code == 0


def test_compare__texts_of_a_file__nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    found = bench_document("sync")
    series = "gossamer \x1b[31m[bold]x[/red]"
    points = [msgspec.structs.replace(each, series=series) for each in found.points[:1]]
    around = msgspec.structs.replace(AROUND, processor="\x1b]0;title\x07")
    odd = msgspec.json.encode(msgspec.structs.replace(found, points=points, environment=around))
    done = compared(tmp_path, a=odd, b=odd)
    assert done.exit_code == 0
    assert "gossamer ?[31m[bold]x[/red]: mutex us" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("figures", "samples"), [(5_001, 1), (1, 1_001)])
def test_compare__more_than_any_run_has__one_line(tmp_path: Path, figures: int, samples: int) -> None:
    found = bench_document("timers")
    one = point("gossamer", 1, [{"us": 1.0}] * samples)
    points = [msgspec.structs.replace(one, series=f"gossamer {number}") for number in range(figures)]
    octets = msgspec.json.encode(msgspec.structs.replace(found, points=points, goals=[]))
    error = compared(tmp_path, a=octets, b=octets).exception
    assert isinstance(error, ConfigError)
    assert "; allowed: " in str(error)
