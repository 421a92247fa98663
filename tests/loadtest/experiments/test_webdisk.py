"""The web server with files that no cache holds: as few and as short as it goes."""

from pathlib import Path

import pytest

from gossamer.loadtest.experiments import webdisk
from gossamer.loadtest.experiments.rounds import Pace, Round


def said(text: str) -> None:
    del text


@pytest.mark.needs("direct-io", "others-io", "wrk")
@pytest.mark.long
def test_web_disk__both_servers__every_file_from_the_disk() -> None:
    # In a folder that everybody can walk: pytest's own are root's alone.
    result = webdisk.run(Pace(said, 1), None, 1 << 24, most=1)
    ours = next(point for point in result.points if point.series == webdisk.OURS)
    assert ours.figures["requests/s"].median > 50
    assert ours.figures["disk KB a request"].median > 12
    assert result.notes == [] or result.notes[0].startswith("nginx: not run")


def test_write_site__files__of_their_size_and_in_folders(tmp_path: Path) -> None:
    webdisk.write_site(tmp_path / "site", 600, said)
    assert (tmp_path / "site" / "1" / "87.bin").stat().st_size == webdisk.FILE_BYTES
    assert sum(1 for _ in (tmp_path / "site").rglob("*.bin")) == 600


def test_goals__pairs_of_one_round__median_of_ratios() -> None:
    rates = zip((80.0, 50.0, 90.0), (100.0, 100.0, 100.0), strict=True)
    rounds: list[Round] = [
        {("gossamer", 1): {"requests/s": ours}, ("nginx", 1): {"requests/s": theirs}}
        for ours, theirs in rates
    ]
    (goal,) = webdisk.goals_of(rounds)
    assert (goal.figure.median, goal.samples) == (0.8, [0.8, 0.5, 0.9])
    assert goal.verdict == "not decided"
