"""docs/status.md has a line for each field of `gossamer status --json` and for each metric, and no other."""

import re
from collections.abc import Iterator

import msgspec
import pytest

from gossamer.shards.admin.metrics import metrics_of
from gossamer.shards.machine.procfs import Held
from gossamer.shards.seen.counters import DROPS, TOTALS
from gossamer.shards.seen.status import KeeperStatus, ResponseTimesStatus, ServerStatus, WorkerStatus

from ..shards.admin.sample import sample_status, sample_worker
from .pages import DOCS

PAGE = (DOCS / "status.md").read_text()
SECTION = re.compile(r"^##+ (.+?)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
SECTIONS = dict(SECTION.findall(PAGE))


def lines(title: str) -> Iterator[tuple[list[str], str]]:
    """Of each line of a section's table: the names, and what is said of them."""
    for names, said in re.findall(r"^\| (.*?) \| (.*) \|$", SECTIONS[title], re.MULTILINE)[1:]:
        yield re.findall(r"`(\w+)`", names), said


def named(title: str) -> list[str]:
    """Every name that stands first in a line."""
    return [name for names, _ in lines(title) for name in names]


def fields(record: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(record)]


@pytest.mark.parametrize(
    ("title", "names"),
    [
        ("The server", fields(ServerStatus)),
        ("A worker", fields(WorkerStatus)),
        ("held", fields(Held)),
        ("response times", fields(ResponseTimesStatus)),
        ("totals", list(TOTALS)),
        ("drops", list(DROPS)),
    ],
)
def test_fields__each_has_a_line_and_no_other_has(title: str, names: list[str]) -> None:
    assert sorted(named(title)) == sorted(names)
    assert all(said.strip() for _, said in lines(title))


def test_keeper__its_fields_stand_in_its_line() -> None:
    (said,) = (said for names, said in lines("The server") if names == ["keeper"])
    assert re.findall(r"`(\w+)`", said) == fields(KeeperStatus)


def test_states__each_is_named() -> None:
    (metric,) = (each for each in metrics_of(sample_status()) if each.name == "worker_state")
    states = {dict(labels)["state"] for labels, _ in metric.samples}
    (said,) = (said for names, said in lines("A worker") if names == ["state"])
    assert set(re.findall(r"`(\w+)`", said)) == states


def test_metrics__each_has_a_line_and_no_other_has() -> None:
    status = sample_status(sample_worker(0))
    found = {f"{metric.name}{'_total' if metric.kind == 'counter' else ''}" for metric in metrics_of(status)}
    of_totals = {f"worker_{name}" for name in TOTALS}
    assert of_totals <= found
    assert set(named("Metrics")) - {"totals"} == found - of_totals


@pytest.mark.parametrize(
    "name",
    ["connections", "parked", "checkpoints", "half_open", "accept_queue", "time_wait", "threads", "tasks"],
)
def test_gauge__of_a_worker__what_its_row_says(name: str) -> None:
    assert getattr(sample_worker(0, **{name: 3}), name) == 3
