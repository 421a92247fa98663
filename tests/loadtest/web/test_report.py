"""A result as tables, pictures and JSON, from samples made up here."""

import io
import json
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from gossamer.loadtest.web.contenders import OURS_AND_NGINX
from gossamer.loadtest.web.links import LINKS, Case
from gossamer.loadtest.web.picture import draw_web
from gossamer.loadtest.web.report import WIDTH, show
from gossamer.loadtest.web.result import SCHEMA, CaseResult, WebResult, case_result, json_schema
from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.sample import Latency, WebSample
from gossamer.loadtest.web.settings import WebSettings
from gossamer.loadtest.web.surroundings import Surroundings


def sample(cost_us: float, latency: bool) -> WebSample:
    seen = Latency(250, 1_500, 4_000) if latency else None
    return WebSample(100, 0, 0.5, round(cost_us * 1e5), 200_000, 900, 5 << 20, seen)


def case(row: str, link: str, costs: dict[str, list[float]]) -> CaseResult:
    is_asked = ROWS[row].work == "ask"
    samples: dict[str, list[WebSample | None]] = {
        name: [sample(cost, is_asked) for cost in each] for name, each in costs.items()
    }
    return case_result(Case(ROWS[row], LINKS[link], tuple(costs)), samples, "cubic")


def result() -> WebResult:
    around = Surroundings("3.11.7", "6.18", "a processor", 2, (0.5, 0.4, 0.3), "abc", {"wrk": "4.1"}, {})
    settings = WebSettings(("64k",), (), OURS_AND_NGINX, 2, 1, 1_000_000, 60, "cubic")
    cases = [
        case(
            "keep-alive", "veth4", {"kernel": [10, 11], "frames": [12, 15], "raw": [13, 14], "nginx": [9, 9]}
        ),
        case("bulk-down", "lo6", {"kernel": [10, 10], "frames": [30, 20], "raw": [], "nginx": [5, 5]}),
        case("loss-1", "veth4-off", {"frames": [30, 20]}),
    ]
    notes = ["hypercorn: not run, it is not installed"]
    return WebResult(
        SCHEMA, "2026-11-30T00:00:00Z", 12.5, "gossamer bench http", settings, around, cases, notes
    )


def test_show__figures_ratios_conditions_and_notes() -> None:
    out = io.StringIO()
    show(result(), Console(file=out, width=WIDTH))
    for expected in (
        "1.28x 1.2-1.36",  # frames over kernel
        "2.5x 2-3",
        "0.859x 0.818-0.9",  # nginx
        "0.25 ",
        "1.5 ",
        "veth, MTU 1500, IPv4, TSO and GRO on; the kernel ran cubic",
        "loopback, MTU 65536, IPv6",
        "commit abc, Python 3.11.7, wrk 4.1",
        "hypercorn: not run",
    ):
        assert expected in out.getvalue()


def test_json__there_and_back__and_as_its_schema_says() -> None:
    text = msgspec.json.encode(result())
    assert msgspec.json.decode(text, type=WebResult) == result()
    schema = json_schema()
    described = schema["$defs"]["WebResult"]
    assert set(described["required"]) == set(json.loads(text))
    assert set(schema["$defs"]["CaseResult"]["required"]) == set(json.loads(text)["cases"][0])


def test_pictures__both_kinds_in_both_forms(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = draw_web(result(), tmp_path / "made" / "http")
    assert {path.name for path in paths} == {
        f"http-{kind}.{form}" for kind in ("cost", "ratios") for form in ("png", "svg")
    }
    assert all(path.stat().st_size > 1_000 for path in paths)
