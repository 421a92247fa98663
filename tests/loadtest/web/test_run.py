"""The comparison from end to end, as short as it goes; and that nothing of it is left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gossamer.cli.bench import bench
from gossamer.loadtest import namespaces
from gossamer.loadtest.cpu import tree
from gossamer.loadtest.namespaces import RIGHT_V4, RIGHT_V6, Namespace
from gossamer.loadtest.web import stage as stages
from gossamer.loadtest.web.congestion import running
from gossamer.loadtest.web.goals import BARS
from gossamer.loadtest.web.links import LINKS
from gossamer.loadtest.web.rows import APPLIED, ROWS
from gossamer.loadtest.web.where import ROOMS

from ..processes import is_alive, wait_for_line

COMMAND = [sys.executable, "-P", "-m", "gossamer", "bench", "http"]


@pytest.mark.needs("nfqueue", "wrk", "curl", "ethtool")
@pytest.mark.long
def test_bench_http__a_round_over_the_link__costs_ratios_and_surroundings() -> None:
    options = ["--rows", "keep-alive,bulk-up", "--links", "veth4", "--contenders", "kernel,frames,asyncio"]
    argv = [*COMMAND, *options, "--rounds", "1", "--bulk", "5MB", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["notes"] == []
    assert [case["row"] for case in found["cases"]] == ["keep-alive", "bulk-up"]
    for case in found["cases"]:
        assert case["kernel_congestion"] == "cubic"
        assert set(case["figures"]) == {"kernel", "frames", "asyncio"}
        assert case["over_kernel"]["frames"]["cpu"]["rounds"] == 1
        for name, figures in case["figures"].items():
            assert figures["cpu_with_client_us_per_unit"] > figures["cpu_us_per_unit"] > 0.1, name
            assert figures["errors_total"] == 0, name
            assert figures["peak_rss_bytes"] > 1 << 20, name
    assert found["cases"][0]["figures"]["kernel"]["latency_us"]["p99_9"] > 0
    assert found["environment"]["sysctls"]["net.ipv4.tcp_rmem"]


@pytest.mark.needs("nfqueue", "wrk", "curl", "ethtool")
@pytest.mark.long
def test_bench_http__rows_of_applications__a_goal_for_each_pair() -> None:
    who = "kernel,asgi-kernel,uvicorn,uvicorn-wsproto,uvicorn-asyncio,uvicorn-gossamer"
    options = ["--rows", ",".join(APPLIED), "--contenders", f"{who},filed-kernel,mounted-kernel"]
    argv = [*COMMAND, *options, "--rounds", "1", "--bulk", "1MiB", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert found["notes"] == []
    assert [case["row"] for case in found["cases"]] == list(APPLIED)
    assert len(found["goals"]) == sum("native" not in bar.above for bar in BARS)
    for goal in found["goals"]:
        assert goal["figure"]["rounds"] == 1
        assert goal["verdict"] == "not decided"
    units = {case["row"]: case["unit"] for case in found["cases"]}
    assert units == dict.fromkeys(APPLIED, "request") | {"websocket": "message"}


@pytest.mark.needs("nfqueue", "wrk", "curl", "ethtool")
@pytest.mark.long
def test_bench_where__a_path__rooms_sum_up_to_its_cost() -> None:
    options = ["--rows", "keep-alive", "--contenders", "frames", "--samples", "10", "--quick", "--json"]
    argv = [*COMMAND[:-1], "where", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = json.loads(done.stdout)["paths"]
    assert path["samples"] >= 10
    assert len(path["rounds"]) >= 2
    assert sum(path["rooms"].values()) == pytest.approx(path["cpu_us_per_unit"]["median"])
    assert ROOMS["core.tcp"] in path["rooms"]


@pytest.mark.needs("nfqueue", "wrk", "curl", "ethtool")
@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_bench_http__asked_to_end_in_mid_run__nothing_is_left(number: int, folder: Path) -> None:
    argv = [*COMMAND, "--rows", "keep-alive", "--links", "veth4", "--contenders", "kernel,frames", "--json"]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        wait_for_line(process, "round 1")
        pids = tree(process.pid)
        assert len(pids) > 3
        process.send_signal(number)
        assert process.wait(60) == 130
        assert "Traceback" not in process.stderr.read()
    assert not [pid for pid in pids if is_alive(pid)]
    prefix = f"{namespaces.PREFIX}{process.pid}-"
    assert prefix not in namespaces.run(["ip", "netns", "list"])
    assert list(folder.iterdir()) == []


@pytest.mark.needs("nfqueue", "wrk", "curl", "ethtool")
def test_bench_http__no_server_comes_up__one_line_that_says_why(tmp_path: Path) -> None:
    too_long = tmp_path / ("x" * 100)
    too_long.mkdir()
    argv = [*COMMAND, "--rows", "keep-alive", "--contenders", "kernel", "--bulk", "1MiB", "--json"]
    environment = {**os.environ, "TMPDIR": str(too_long)}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "its path is too long for a socket" in done.stderr.splitlines()[-1]


@pytest.mark.needs("namespaces", "ethtool")
def test_stage__each_link__the_kernel_runs_what_was_asked_for() -> None:
    with stages.staged("cubic") as stage:
        for link in LINKS.values():
            with stage.set_up(ROWS["keep-alive"], link) as way:
                assert way.congestion == "cubic", link.name
        said = stage.servers.run(["ethtool", "-k", "eth0"])
        assert "tcp-segmentation-offload: off" in said
        stage.switch_offloads(True)
        assert "tcp-segmentation-offload: on" in stage.servers.run(["ethtool", "-k", "eth0"])


@pytest.mark.needs("namespaces", "nfqueue", "ethtool")
def test_stage__losing__a_rule_while_the_block_lasts() -> None:
    with stages.staged("bbr") as stage:
        with stage.set_up(ROWS["loss-1-near"], LINKS["veth6-off"]) as way:
            assert way.congestion == "bbr"
            assert "--probability 0.00999" in stage.clients.run(["ip6tables", "-t", "raw", "-S"])
        assert "statistic" not in stage.clients.run(["ip6tables", "-t", "raw", "-S"])


@pytest.mark.needs("tun", "ethtool")
def test_stage__relay__its_own_addresses_and_gone_afterwards() -> None:
    with stages.staged("cubic") as stage:
        with stage.set_up(ROWS["loss-0.1"], LINKS["veth4-off"]) as way:
            assert way.congestion == "cubic"
            assert "link0" in stage.clients.run(["ip", "route", "get", way.host])
        assert "link0" not in stage.clients.run(["ip", "link"])


@pytest.mark.parametrize("address", [RIGHT_V4, RIGHT_V6])
def test_running__nothing_chosen__what_the_host_chose(
    joined_namespaces: tuple[Namespace, Namespace], address: str
) -> None:
    left, right = joined_namespaces
    chosen = right.run(["cat", "/proc/sys/net/ipv4/tcp_congestion_control"]).strip()
    assert running(left, right, address) == chosen


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rows", "64k,nothing"], "'64k,nothing'; allowed: one or more of keep-alive,"),
        (["--links", "veth5"], "allowed: one or more of veth4,"),
        (["--contenders", ""], "allowed: one or more of kernel,"),
        (["--rounds", "0"], "0 is not in the range"),
        (["--bulk", "1KB"], "allowed: 1MiB to"),
        (["--time-limit", "0s"], "allowed: more than 0"),
        (["--congestion", "vegas"], "'vegas' is not one of"),
    ],
)
def test_bench_http__wrong_option__one_line_and_exit_code_2(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(bench, ["http", *arguments])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_bench_http__schema__printed_and_nothing_measured() -> None:
    done = CliRunner().invoke(bench, ["http", "--schema"])
    assert done.exit_code == 0
    assert json.loads(done.output)["$ref"] == "#/$defs/WebResult"
