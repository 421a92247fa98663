"""The web server with files that no cache holds: as few and as short as it goes."""

from pathlib import Path

import pytest

from gossamer.loadtest.experiments import webdisk
from gossamer.loadtest.experiments.webdisk import RoundResult


def said(text: str) -> None:
    del text


@pytest.mark.needs("direct-io", "others-io", "wrk")
@pytest.mark.long
def test_web_disk__both_servers__every_file_from_the_disk() -> None:
    # In a folder that everybody can walk: pytest's own are root's alone.
    result = webdisk.run(said, None, 1 << 24, seconds=1, rounds=1, most=1)
    ours = next(point for point in result.points if point.series == webdisk.OURS)
    assert ours.values["requests/s"] > 50
    assert ours.values["disk KB a request"] > 12
    assert result.notes == [] or result.notes[0].startswith("nginx: not run")


def test_write_site__files__of_their_size_and_in_folders(tmp_path: Path) -> None:
    webdisk.write_site(tmp_path / "site", 600, said)
    assert (tmp_path / "site" / "1" / "87.bin").stat().st_size == webdisk.FILE_BYTES
    assert sum(1 for _ in (tmp_path / "site").rglob("*.bin")) == 600


def test_goals__pairs_of_one_round__median_of_ratios() -> None:
    rows = {
        ("gossamer", 1): [RoundResult(80, 1, 0, 0), RoundResult(50, 1, 0, 0), RoundResult(90, 1, 0, 0)],
        ("nginx", 1): [RoundResult(100, 1, 0, 0)] * 3,
    }
    (goal,) = webdisk.goals_of(rows)
    assert goal.figure == 0.8
    assert goal.is_met
    assert webdisk.points_of(rows)[0].values["requests/s"] == 80
