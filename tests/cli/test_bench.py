"""The dialect of gossamer bench: one set of options, one JSON that its schema describes, one way to end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from gossamer.cli import bench_http, bench_options, bench_where
from gossamer.cli.bench import bench
from gossamer.loadtest.cpu import tree
from gossamer.loadtest.experiments.experiment import Document
from gossamer.loadtest.web.result import WebResult
from gossamer.loadtest.web.where import WhereResult
from gossamer.shards.exitcode import ConfigError

from ..json_schema import faults
from ..loadtest.invented import AROUND, BENCHES, result, web_result, where_result
from ..loadtest.processes import is_alive, wait_for_line

SHARED = {"rounds", "time_limit", "quick", "as_json", "schema", "prefix", "folder"}
WITH_SECONDS = {"http", "where", "disk", "web-disk", "connections", "shards"}
DOCUMENTS: dict[str, type[msgspec.Struct]] = {"http": WebResult, "where": WhereResult}
MEASURING = [name for name in bench.commands if name != "compare"]


def invoked(*argv: str) -> Result:
    return CliRunner().invoke(bench, argv)


def invent(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have nothing measured."""
    if name == "http":
        monkeypatch.setattr(bench_http, "compare", lambda *_: web_result())
    elif name == "where":
        monkeypatch.setattr(bench_where, "measure_paths", lambda *_: where_result())
    else:
        module, _ = BENCHES[name]

        def run(*_: Any, **__: Any) -> Any:
            return result(name)

        monkeypatch.setattr(module, "run", run)
        monkeypatch.setattr(bench_options, "surroundings", lambda: AROUND)


@pytest.mark.parametrize("name", MEASURING)
def test_options__of_every_bench__the_same(name: str) -> None:
    options = {option.name: option for option in bench.commands[name].params}
    assert set(options) >= SHARED
    assert ("seconds" in options) == (name in WITH_SECONDS)
    for each in SHARED:
        assert isinstance(options[each], click.Option)
        sync = next(option for option in bench.commands["sync"].params if option.name == each)
        assert options[each].opts == sync.opts
    help_text = invoked(name, "--help").output
    assert f"gossamer bench {name}" in help_text.split("Examples:")[1]


@pytest.mark.parametrize("name", MEASURING)
def test_json__of_every_bench__as_its_schema_says_and_back(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = json.loads(invoked(name, "--schema").stdout)
    invent(monkeypatch, name)
    done = invoked(name, "--json", "--rounds", "7", "--time-limit", "90s")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert faults(found, schema) == []
    assert (
        json.loads(msgspec.json.encode(msgspec.json.decode(done.stdout, type=DOCUMENTS.get(name, Document))))
        == found
    )
    assert found["schema"].startswith("gossamer-bench")
    environment = found["environment"]
    for key in (
        "started",
        "command",
        "commit",
        "python",
        "kernel",
        "processor",
        "versions",
        "sysctls",
        "load_average",
    ):
        assert key in environment
    if name not in DOCUMENTS:
        assert (found["name"], found["settings"]["rounds"]) == (name, 7)
        assert found["settings"]["time_limit_s"] == 90
        del found["environment"]["kernel"]
        assert len(faults(found, schema)) == 1


@pytest.mark.parametrize("name", MEASURING)
def test_table__of_every_bench__intervals_rounds_and_where_it_was(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    invent(monkeypatch, name)
    output = " ".join(invoked(name).stdout.split())
    for expected in ("rounds", "the interval that holds it 95 times in 100", "commit ", "Linux ", "load "):
        assert expected in output


def test_output__json_and_pictures__named_by_the_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    invent(monkeypatch, "restart")
    done = invoked("restart", "--output", str(tmp_path / "made"))
    assert done.exit_code == 0, done.output
    assert {path.name for path in (tmp_path / "made").iterdir()} == {
        "restart.json",
        "restart.png",
        "restart.svg",
    }
    msgspec.json.decode((tmp_path / "made" / "restart.json").read_bytes(), type=Document)


def test_output__and_plot__only_one(tmp_path: Path) -> None:
    done = invoked("timers", "--plot", str(tmp_path / "plot"), "--output", str(tmp_path))
    assert done.exit_code == 2
    assert "--plot and --output: only one of them" in done.output


def test_output__no_folder__one_line_before_anything_is_measured(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    error = invoked("sync", "--output", str(tmp_path / "file" / "folder")).exception
    assert isinstance(error, ConfigError)
    assert str(error).startswith("--output: ")


def test_quick__said_in_the_notes__and_what_is_said_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    module, _ = BENCHES["sync"]

    def run(pace: Any, count: int) -> Any:
        asked.append((pace.rounds, count, pace.notes))
        return result("sync")

    monkeypatch.setattr(module, "run", run)
    invoked("sync", "--quick", "--json")
    invoked("sync", "--quick", "--rounds", "9", "--json")
    invoked("sync", "--json")
    assert [each[:2] for each in asked] == [(2, 10_000), (9, 10_000), (6, 200_000)]
    assert asked[0][2] == ["--quick: a look, no figures to quote"]
    assert asked[2][2] == []


@pytest.mark.needs("direct-io")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_end__in_mid_run__no_file_and_no_process_is_left(number: int, folder: Path) -> None:
    argv = [sys.executable, "-P", "-m", "gossamer", "bench", "disk", "--size", "1MiB", "--threads", "1"]
    argv += ["--directory", str(folder), "--seconds", "60"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        wait_for_line(process, "round 1")
        pids = tree(process.pid)
        assert list(folder.iterdir()) == []  # The file has no name: even SIGKILL leaves nothing of it.
        process.send_signal(number)
        assert process.wait(20) == 130
        assert "Traceback" not in process.stderr.read()
    assert not [pid for pid in pids if is_alive(pid)]


@pytest.mark.parametrize("name", ["sync", "threads"])
def test_bench__without_trio__help_is_there_and_the_extra_is_named(name: str) -> None:
    """In a process of its own: one that has not imported it yet."""
    hidden = "import sys; sys.modules['trio'] = None; from gossamer.cli.main import main; main()"
    for argv, code, said in (
        (["bench", "--help"], 0, ""),
        (["bench", name, "--quick"], 3, "gossamer[bench]"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", hidden, *argv], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr.count("\n")) == (code, 1 if said else 0), done.stderr
        assert said in done.stderr
