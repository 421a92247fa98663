"""`gossamer load compare`, `--against` and `--find`: from files and servers to a verdict."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from rich.console import Console

from gossamer.cli.load.command import load
from gossamer.cli.load.compare import Compared, alternate
from gossamer.cli.load.find import Found, as_record, find, step_options
from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.loadtest.environment import environment
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.record import schema_text
from gossamer.loadtest.result import RunResult, result_of
from gossamer.loadtest.summary import whole_summary
from gossamer.loadtest.target import Target
from gossamer.loadtest.thresholds import parse_threshold
from gossamer.shards.exitcode import CommandError, ConfigError

from ...loadtest.virtual_server import ANSWER, perform

OPTIONS = LoadOptions(Target("a:1", "/", (("192.0.2.1", 80),)), 4, NEVER_US, 1_000_000_000)


def performed(options: LoadOptions, delay_us: int = 1_000) -> RunResult:
    asked = {name: getattr(options, name) for name in options.__struct_fields__ if name != "target"}
    return result_of(perform(lambda _: (delay_us, ANSWER), **asked))


def write(path: Path, delay_us: int) -> str:
    options = msgspec.structs.replace(OPTIONS, rate=50.0, duration_us=6 * SECOND_US)
    found = whole_summary(performed(options, delay_us), "http://a/", "kernel", environment())
    path.write_text(json.dumps(found))
    return str(path)


def test_compare__files__verdict_and_exit_code(tmp_path: Path) -> None:
    slow, fast = write(tmp_path / "slow.json", 20_000), write(tmp_path / "fast.json", 2_000)
    better = CliRunner().invoke(load, ["compare", slow, fast, "--json"])
    worse = CliRunner().invoke(load, ["compare", fast, slow])
    assert (better.exit_code, worse.exit_code) == (0, 5)
    figures = {each["name"]: each for each in json.loads(better.stdout)["figures"]}
    assert figures["p50"]["verdict"] == "better"
    assert figures["p50"]["ratio"] == pytest.approx(0.1, rel=0.02)
    assert "worse" in worse.stdout
    assert_round_trip(json.loads(better.stdout), Compared, ["compare", "--schema"])


def assert_round_trip(found: dict[str, Any], kind: type[Any], arguments: list[str]) -> None:
    """What was printed is of that type, and the command prints the type's schema."""
    assert json.loads(msgspec.json.encode(msgspec.convert(found, kind))) == found
    printed = CliRunner().invoke(load, arguments)
    assert (printed.exit_code, json.loads(printed.stdout)) == (0, msgspec.json.schema(kind))
    fields = json.loads(printed.stdout)["$defs"][kind.__name__]
    assert fields["required"] == list(found)
    assert fields["additionalProperties"] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no run of gossamer load"), ("{}", "field `schema`"), ("[1]", "no run")],
)
def test_compare__no_run__one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a").write_text(text)
    error = CliRunner().invoke(load, ["compare", str(tmp_path / "a"), str(tmp_path / "a")]).exception
    assert isinstance(error, ConfigError)
    assert said in str(error)


def test_alternate__two_servers__slices_in_turn() -> None:
    one = msgspec.structs.replace(OPTIONS, duration_us=6 * SECOND_US)
    other = msgspec.structs.replace(one, seed=1)
    asked: list[int] = []

    def run(options: LoadOptions) -> RunResult:
        asked.append(options.seed)
        return performed(options, 50_000)

    first, second = alternate(one, other, run, lambda _: None)
    assert len(first) == len(second) == 12
    assert asked[:4] == [0, 1, 1, 0]
    assert {each.duration_us for each in first} == {SECOND_US // 2}


def test_find__a_server_of_four_at_a_time__its_capacity() -> None:
    """Four connections, 10 ms each: 400 a second at most."""
    threshold = parse_threshold("p90<30ms")
    options = msgspec.structs.replace(OPTIONS, duration_us=SECOND_US, rate=50.0)
    with open("/dev/null", "w") as nowhere:
        found = find(options, threshold, lambda each: performed(each, 10_000), Console(file=nowhere))
    assert found.rate == pytest.approx(400, rel=0.06)
    assert found.limited_by == "server"
    assert sorted({step.rate for step in found.steps})[:4] == [50, 100, 200, 400]
    assert_round_trip(json.loads(json.dumps(as_record(found))), Found, ["--find", "p99<1s", "--schema"])


def test_schema__of_a_run_and_of_two_servers__without_a_url() -> None:
    assert CliRunner().invoke(load, ["--schema"]).stdout == schema_text()
    of_two = CliRunner().invoke(load, ["--against", "http://127.0.0.1:2/", "--schema"])
    assert json.loads(of_two.stdout) == msgspec.json.schema(Compared)


def test_find__a_step__as_long_as_its_percentile_needs() -> None:
    found = step_options(OPTIONS, parse_threshold("p99.9<1s"), 1_000.0)
    assert found.duration_us == pytest.approx(10 * SECOND_US, rel=0.01)
    assert step_options(OPTIONS, parse_threshold("p50<1s"), 1_000.0).duration_us == 3 * SECOND_US


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--find", "p99<1s", "--against", "http://127.0.0.1:2/"], "one of the two"),
        (["--find", "p99"], "--find: found 'p99'"),
        (["--find", "p99<1s", "--rate", "1:1s"], "with phases"),
        (["--find", "p99<1s", "-n", "5"], "--requests"),
        (["--against", "http://127.0.0.1:2/", "-o", "a.csv"], "--output"),
        (["--against", "ftp://a/"], "scheme 'ftp'"),
    ],
)
def test_wrong__together__one_line(arguments: list[str], said: str) -> None:
    error: Any = CliRunner().invoke(load, ["http://127.0.0.1:1/", *arguments]).exception
    assert isinstance(error, CommandError)
    assert said in str(error)
