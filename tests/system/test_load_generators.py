"""The load generators as a user starts them: gossamer load and locust against both stacks."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gossamer.loadtest.namespaces import Namespace, NamespaceError, end
from gossamer.loadtest.servers import Gossamer, gossamer_command

pytestmark = [pytest.mark.needs("namespaces"), pytest.mark.long]
PORT = 7861
WEB_PORT = 7862
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


def test_engine_user__web_ui_and_a_worker_that_dies__told_and_the_run_goes_on(
    namespace: Namespace, site: Path, start: Start
) -> None:
    start(namespace, site, stack="kernel", workers=1, port=PORT)
    host = f"http://127.0.0.1:{PORT}"
    argv = [str(LOCUST), "-f", str(ENGINES), "--host", host, "--web-host", "127.0.0.1"]
    master = namespace.start([*argv, "--master", "--web-port", str(WEB_PORT), "--expect-workers", "2"])
    workers = [namespace.start([str(LOCUST), "-f", str(ENGINES), "--worker"]) for _ in range(2)]
    try:
        wait_for(lambda: said_of(namespace, "stats/requests").get("worker_count") == 2)
        asked = ["-d", "user_count=2", "-d", "spawn_rate=2", "-d", f"host={host}"]
        assert json.loads(web(namespace, "swarm", *asked))["success"]
        wait_for(lambda: answered(namespace) > 500)
        workers[0].kill()
        wait_for(lambda: "missing" in states(namespace))
        before = answered(namespace)
        wait_for(lambda: answered(namespace) > before + 500)
        assert json.loads(web(namespace, "stop", "-X", "POST"))["success"]
        assert said_of(namespace, "stats/requests")["stats"][-1]["num_failures"] == 0
        assert web(namespace, "stats/requests/csv").startswith("Type,Name,Request Count")
        assert "<html" in web(namespace, "stats/report")
    finally:
        for process in (*workers, master):
            end(process)


def web(namespace: Namespace, path: str, *how: str) -> str:
    """What Locust's web UI says."""
    return namespace.run(["curl", "-sS", "-m", "10", *how, f"http://127.0.0.1:{WEB_PORT}/{path}"])


def said_of(namespace: Namespace, path: str) -> dict[str, Any]:
    """The same, of what is JSON; nothing where it does not listen yet."""
    try:
        found: dict[str, Any] = json.loads(web(namespace, path))
    except NamespaceError:
        return {}
    return found


def answered(namespace: Namespace) -> int:
    """Requests in Locust's own table."""
    return int(said_of(namespace, "stats/requests")["stats"][-1]["num_requests"])


def states(namespace: Namespace) -> list[str]:
    """How the workers are."""
    return [each["state"] for each in said_of(namespace, "stats/requests").get("workers", [])]


def wait_for(holds: Callable[[], bool], patience_s: float = 30.0) -> None:
    """Until it holds."""
    give_up_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < give_up_s, "it never came to that"
        time.sleep(0.2)


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
