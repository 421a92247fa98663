"""The figures of the threads, in a process of its own, smaller than the benchmark."""

import json
import subprocess
import sys

from gossamer.loadtest.bench_threads import measure_switch

BYTES_PER_THREAD_MAX = 600


def test_json__keys_and_memory_bound() -> None:
    command = [sys.executable, "-P", "-m", "gossamer.loadtest.bench_threads", "--count", "100000", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    cost = json.loads(done.stdout)
    assert sorted(cost) == ["bytes_per_thread", "count", "create_us", "switch_us"]
    assert cost["count"] == 100_000
    assert 200 < cost["bytes_per_thread"] <= BYTES_PER_THREAD_MAX
    assert 0 < cost["create_us"] < 1000


def test_switch__is_measured() -> None:
    assert 0 < measure_switch() < 1000
