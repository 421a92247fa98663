"""The algorithm of docs/congestion-control.md, taken out of the page and run."""

import re
from pathlib import Path

import pytest

from gossamer.core.sim.report import SimulationReport
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.tcp.congestion.named import KNOWN, named

PAGE = (Path(__file__).parents[2] / "docs" / "congestion-control.md").read_text()


def block() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    return str(code)


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "patient.py").write_text(block())
    monkeypatch.syspath_prepend(str(tmp_path))
    return "patient:Patient"


def transferred(congestion: str) -> SimulationReport:
    scenario = Scenario(
        congestion=(congestion,),
        transfer_bytes=8 << 20,
        rate_bps=10_000_000,
        delay_us=25_000,
        queue_bytes=1 << 20,
    )
    return Simulation(scenario).run()


def test_tutorial__fewer_than_40_lines() -> None:
    assert len(block().splitlines()) < 40


def test_tutorial__fills_the_path_and_leaves_the_queue_empty(patient: str) -> None:
    assert named(patient).name == "patient"
    report = transferred(patient)
    assert report.utilisation is not None
    assert report.utilisation > 0.95
    assert report.migrations > 0, "its memory went through the codec"
    assert report.forward.queue_bytes_max < transferred("cubic").forward.queue_bytes_max // 4


def test_page__names_every_algorithm_there_is() -> None:
    for name in KNOWN:
        assert f"| `{name}` |" in PAGE
