"""The metrics, read by the parsers of prometheus_client."""

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

from gossamer.shards.admin.metrics import expose, metrics_of
from gossamer.shards.rundir.rundir import ADMIN

from ..conftest import Place
from .sample import sample_status, sample_worker


def samples(families: list[Metric]) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_both_formats__read_by_prometheus_client__the_same_samples() -> None:
    status = sample_status(sample_worker(0, connections=9), sample_worker(1, drop_tcp_bad_checksum=4))
    metrics = list(metrics_of(status))
    old = list(read_prometheus(expose(metrics, is_openmetrics=False)))
    new = list(read_openmetrics(expose(metrics, is_openmetrics=True)))
    found = samples(old)
    assert found == samples(new)
    assert found["gossamer_worker_connections", "0"] == 9
    assert found["gossamer_worker_requests_total", "1"] == 7
    assert found["gossamer_worker_cpu_seconds_total", "0"] == 2.5
    assert found["gossamer_worker_queue_waiting", "0"] == 3
    assert found["gossamer_worker_drops_total", "kernel_queue_full", "1"] == 5
    assert found["gossamer_worker_drops_total", "tcp_bad_checksum", "1"] == 4
    states = {key[1]: value for key, value in found.items() if key[0::2] == ("gossamer_worker_state", "0")}
    assert states.pop("serving") == 1
    assert set(states) == {"unsound", "starting", "waiting", "draining", "ended"}
    assert set(states.values()) == {0}
    assert found["gossamer_uptime_seconds",] == 1.5
    assert found["gossamer_build_info", "native", status.output, "nfqueue"] == 1
    assert (
        {family.type for family in old}
        == {family.type for family in new}
        == {"gauge", "counter", "histogram"}
    )


@pytest.mark.needs("promtool")
def test_promtool__metrics_of_a_running_server__it_finds_nothing(place: Place) -> None:
    server = place.start("--set", "admin.address=unix").wait_ready()
    with place.connect(server.port()) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"hello\n")
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(10)
        admin.connect(str(server.directory / ADMIN))
        admin.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        head, _, metrics = admin.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\ngossamer_worker_response_seconds_bucket{" in metrics
    check = ["promtool", "check", "metrics"]
    done = subprocess.run(check, input=metrics, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_response_times__a_histogram_of_what_the_buckets_say() -> None:
    row = {"responses_in_5_us_total": 3, "responses_in_79_us_total": 2, "response_us_total": 171}
    slow = {"responses_in_67108863_us_total": 1}
    text = expose(
        metrics_of(sample_status(sample_worker(0, **row), sample_worker(1, **slow))), is_openmetrics=True
    )
    (family,) = [each for each in read_openmetrics(text) if each.type == "histogram"]
    assert family.name == "gossamer_worker_response_seconds"
    found = {
        (each.name.rpartition("_")[2], each.labels["worker"], each.labels.get("le", "")): each.value
        for each in family.samples
    }
    assert found["bucket", "0", "1.6e-05"] == 3
    assert found["bucket", "0", "6.4e-05"] == 3
    assert found["bucket", "0", "0.000256"] == found["count", "0", ""] == found["bucket", "0", "+Inf"] == 5
    assert found["sum", "0", ""] == pytest.approx(171e-6)
    assert (found["bucket", "1", "16.777216"], found["bucket", "1", "+Inf"]) == (0, 1)


def test_names__each_once() -> None:
    names = [metric.name for metric in metrics_of(sample_status())]
    assert len(set(names)) == len(names)


def test_grafana__every_panel_asks_for_metrics_that_there_are() -> None:
    board = json.loads((Path(__file__).parents[3] / "deploy" / "grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    found = {name for expression in asked for name in re.findall(r"gossamer_\w+", expression)}
    names = {name.removesuffix("_bucket") for name in found}
    text = expose(metrics_of(sample_status()), is_openmetrics=False)
    assert names <= set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE))
    assert len(names) > len(board["panels"])
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
