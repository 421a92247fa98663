"""The benchmark from end to end, as short as it goes: every figure is there, and none came with errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from gossamer.loadtest.bench import KERNEL, LIMITS, NFQUEUE, NGINX, UVICORN, main
from gossamer.loadtest.bench_idle import FIRST, connections_possible


@pytest.mark.needs("nfqueue", "nginx", "wrk")
@pytest.mark.slow
def test_bench__quick__every_figure_beside_its_target(tmp_path: Path) -> None:
    argv = [sys.executable, "-P", "-m", "gossamer.loadtest.bench", "--quick", "--rounds", "1", "--json"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["notes"] == []
    assert set(found["http"]["keep-alive"]) == {NFQUEUE, KERNEL, NGINX, UVICORN}
    names = [target["name"] for target in found["targets"]]
    assert len(names) == len(LIMITS) + 2
    for servers in found["http"].values():
        for name, figures in servers.items():
            assert figures["cpu_us_per_request"] > 1, name
            assert figures["errors_total"] == 0, name
    (written,) = (tmp_path / "bench-results").iterdir()
    assert json.loads(written.read_text()) == found


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--seconds", "61"], ["--unknown"]])
def test_bench__wrong_option__exit_code_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_connections_possible__wanted_or_what_the_limit_leaves() -> None:
    assert connections_possible(10) == 10
    assert connections_possible(10**9) < 10**9 - FIRST
