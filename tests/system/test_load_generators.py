"""The load generators as a user starts them: gossamer load and locust against both stacks."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.servers import Gossamer, gossamer_command

pytestmark = [pytest.mark.needs("namespaces"), pytest.mark.long]
PORT = 7861
LOCUSTFILE = Path(__file__).resolve().parents[2] / "loadtest" / "locustfile.py"
ENGINES = LOCUSTFILE.with_name("engineuser.py")
LOCUST = Path(sys.executable).with_name("locust")
Start = Callable[..., Gossamer]


def test_locust__headless__no_failures(
    namespace: Namespace, site: Path, tmp_path: Path, start: Start, stack: str
) -> None:
    start(namespace, site, stack=stack, workers=2, port=PORT)
    argv = [str(LOCUST), "-f", str(LOCUSTFILE), "--host", f"http://127.0.0.1:{PORT}", "--headless"]
    argv += ["-u", "10", "-r", "10", "-t", "5s", "--json-file", str(tmp_path / "result"), "--only-summary"]
    namespace.run(argv)
    entries = json.loads((tmp_path / "result.json").read_text())
    assert {entry["name"] for entry in entries} >= {
        "page",
        "page 304",
        "page, head only",
        "page, a range",
        "missing",
    }
    assert sum(entry["num_requests"] for entry in entries) > 50
    assert sum(entry["num_failures"] for entry in entries) == 0


def test_engine_user__master_and_two_workers__one_table(
    namespace: Namespace, site: Path, tmp_path: Path, start: Start
) -> None:
    start(namespace, site, stack="kernel", workers=2, port=PORT)
    argv = [str(LOCUST), "-f", str(ENGINES), "--host", f"http://127.0.0.1:{PORT}", "--headless"]
    argv += ["-u", "2", "-r", "2", "-t", "12s", "--processes", "2", "--csv", str(tmp_path / "run")]
    namespace.run([*argv, "--json-file", str(tmp_path / "result"), "--html", str(tmp_path / "run.html")])
    (entry,) = json.loads((tmp_path / "result.json").read_text())
    assert entry["num_requests"] > 1_000
    assert entry["num_failures"] == 0
    assert sum(entry["response_times"].values()) == entry["num_requests"]
    assert (tmp_path / "run_stats.csv").exists()
    assert (tmp_path / "run.html").exists()


STAGES = """
from locust import LoadTestShape

class Stages(LoadTestShape):
    def tick(self):
        second = self.get_run_time()
        return None if second >= 6 else (300, 1) if second < 3 else (60, 1)
"""


def test_engine_shape__master_and_two_workers__the_rates_of_the_shape(
    namespace: Namespace, site: Path, tmp_path: Path, start: Start
) -> None:
    start(namespace, site, stack="kernel", workers=2, port=PORT)
    (tmp_path / "stages.py").write_text(STAGES)
    argv = ["env", f"GOSSAMER_LOAD_SHAPE={tmp_path}/stages.py:Stages", str(LOCUST), "-f", str(ENGINES)]
    argv += ["--host", f"http://127.0.0.1:{PORT}", "--headless", "--processes", "2"]
    namespace.run([*argv, "--json-file", str(tmp_path / "result"), "--only-summary"])
    (entry,) = json.loads((tmp_path / "result.json").read_text())
    assert (entry["num_requests"], entry["num_failures"]) == (3 * 300 + 3 * 60, 0)
    seconds = [entry["num_reqs_per_sec"][second] for second in sorted(entry["num_reqs_per_sec"])]
    assert max(seconds[:3]) > 200 > 100 > max(seconds[-2:])


SHAPES = ("", "--pipeline 8", "--no-keepalive", "--rate 500", "--method HEAD")


def test_gossamer_load__every_shape__no_errors(
    namespace: Namespace, site: Path, files: dict[str, bytes], start: Start, stack: str
) -> None:
    start(namespace, site, stack=stack, workers=2, port=PORT)
    argv = [*gossamer_command(), "load", f"http://127.0.0.1:{PORT}/one.bin", "-c", "16", "--requests", "400"]
    for shape in SHAPES:
        found = json.loads(namespace.run([*argv, "-d", "20s", "--json", *shape.split()]))
        assert (found["requests_total"], found["errors_total"]) == (400, 0), shape
        body_bytes = 0 if "HEAD" in shape else 400 * len(files["one.bin"])
        assert found["body_bytes"] == body_bytes, shape
