"""A result as tables, pictures and JSON, from samples made up here."""

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from gossamer.loadtest.intervals import figure
from gossamer.loadtest.surroundings import Surroundings
from gossamer.loadtest.web.contenders import OURS_AND_NGINX
from gossamer.loadtest.web.goals import goals_of
from gossamer.loadtest.web.links import LINKS, Case
from gossamer.loadtest.web.picture import draw_web
from gossamer.loadtest.web.report import WIDTH, ratio_text, show
from gossamer.loadtest.web.result import SCHEMA, CaseResult, WebResult, case_result
from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.sample import Latency, WebSample
from gossamer.loadtest.web.settings import WebSettings
from gossamer.loadtest.web.where import draw_paths

from ..invented import where_result


def sample(cost_us: float, latency: bool) -> WebSample:
    seen = Latency(250, 1_500, 4_000) if latency else None
    return WebSample(100, 0, 0.5, round(cost_us * 1e5), 200_000, 900, 5 << 20, seen)


def case(row: str, link: str, costs: dict[str, list[float]]) -> CaseResult:
    is_asked = ROWS[row].has_latency
    samples: dict[str, list[WebSample | None]] = {
        name: [sample(cost, is_asked) for cost in each] for name, each in costs.items()
    }
    return case_result(Case(ROWS[row], LINKS[link], tuple(costs)), samples, "cubic")


def result() -> WebResult:
    around = Surroundings(
        "2026-11-30 00:00:00 UTC",
        "gossamer bench http",
        "abc",
        "3.11.7",
        "6.18",
        "a processor",
        2,
        (0.5, 0.4, 0.3),
        {"wrk": "4.1"},
        {},
    )
    settings = WebSettings(("64k",), (), OURS_AND_NGINX, 2, 1, 1_000_000, 60, "cubic")
    cases = [
        case(
            "keep-alive", "veth4", {"kernel": [10, 11], "frames": [12, 15], "raw": [13, 14], "nginx": [9, 9]}
        ),
        case("bulk-down", "lo6", {"kernel": [10, 10], "frames": [30, 20], "raw": [], "nginx": [5, 5]}),
        case("loss-1", "veth4-off", {"frames": [30, 20]}),
    ]
    notes = ["hypercorn: not run, it is not installed"]
    return WebResult(SCHEMA, around, settings, 12.5, cases, notes)


def test_show__figures_ratios_conditions_and_notes() -> None:
    out = io.StringIO()
    show(result(), Console(file=out, width=WIDTH))
    for expected in (
        "~1.28x 1.2-1.36",  # frames over kernel, of two rounds
        "2.5x 2-3",
        "0.859x 0.818-0.9",  # nginx
        "0.25 ",
        "1.5 ",
        "veth, MTU 1500, IPv4, TSO and GRO on; the kernel ran cubic",
        "loopback, MTU 65536, IPv6",
        "commit abc, Python 3.11.7, wrk 4.1",
        "hypercorn: not run",
        "~ not decided",
    ):
        assert expected in out.getvalue()


@pytest.mark.parametrize("width", [80, 150, WIDTH])
def test_show__figures_of_many_digits__none_is_cut_however_narrow_the_output(width: int) -> None:
    out, made = io.StringIO(), result()
    wild = {"kernel": [0.00123, 98_765.4], "frames": [123_456.0, 0.00234], "raw": [98_765.0, 0.00345]}
    made.cases.append(case("keep-alive", "veth6-off", wild))
    show(made, Console(file=out, width=width))
    assert "…" not in out.getvalue()
    (line,) = (line for line in out.getvalue().splitlines() if "veth6-off" in line and "frames" in line)
    assert line.split()[-1] == "2", "its last column is there"


def test_goals__pairs_of_one_row__and_what_six_of_them_decide() -> None:
    asked = case("asgi", "veth4", {"asgi-kernel": [7, 7, 7, 7, 7, 9], "uvicorn": [10.0] * 6, "granian": [5]})
    others = case("keep-alive", "veth4", {"asgi-kernel": [7], "uvicorn": [10]})
    (found,) = goals_of([asked, others])
    assert found.name == "asgi over veth4: CPU of gossamer ASGI kernel / uvicorn"
    assert (found.samples, found.limit) == ([0.7] * 5 + [0.9], 0.75)
    assert found.verdict == "not decided"  # of six all count
    (few,) = goals_of([case("tls", "veth4", {"asgi-native": [3], "uvicorn": [10]})])
    assert (few.figure.median, few.verdict) == (0.3, "not decided")
    (met,) = goals_of([case("tls", "veth4", {"asgi-native": [3] * 6, "uvicorn": [10] * 6})])
    assert met.verdict == "met"


def test_show__goals__and_messages_as_unit() -> None:
    out = io.StringIO()
    made = msgspec.structs.replace(
        result(), cases=[case("websocket", "veth4", {"asgi-kernel": [7.0] * 6, "uvicorn": [10.0] * 6})]
    )
    made = msgspec.structs.replace(made, goals=goals_of(made.cases))
    show(made, Console(file=out, width=WIDTH))
    assert "messages/s" in out.getvalue()
    assert "at most 1 x" in out.getvalue()


def test_pictures__both_kinds_in_both_forms(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = draw_web(result(), tmp_path / "made" / "http")
    assert {path.name for path in paths} == {
        f"http-{kind}.{form}" for kind in ("cost", "ratios") for form in ("png", "svg")
    }
    assert all(path.stat().st_size > 1_000 for path in paths)


def test_where__a_picture_of_both_rows(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = draw_paths(where_result(), tmp_path / "where")
    assert {path.name for path in paths} == {"where.png", "where.svg"}
    assert all(path.stat().st_size > 1_000 for path in paths)


def test_ratio__six_pairs_beyond_1__decided() -> None:
    assert ratio_text(figure([1.1, 1.2, 1.3, 1.4, 1.5, 1.6])) == "1.35x 1.1-1.6"
    assert ratio_text(figure([0.9, 1.2, 1.3, 1.4, 1.5, 1.6])) == "~1.35x 0.9-1.6"
    assert ratio_text(None) == "-"
