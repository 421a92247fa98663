"""Rows about files and packages."""

from pathlib import Path

import pytest

from gossamer.shards.doctor import files
from gossamer.shards.doctor.findings import For


def test_packages__bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"click": "8.1.3", "msgspec": "0.20.0", "locust": "1.0"}
    monkeypatch.setattr(files, "_is_installed", there.__contains__)
    monkeypatch.setattr(files, "version", there.__getitem__)
    asked = ["click>=8.1", "msgspec>=0.21", "httptools>=0.6.3", 'locust>=2.0; extra == "load"']
    rows = {row.name: row for row in files._packages([*asked, 'trio>=0.22; extra == "test"'])}
    assert {name: row.way_out for name, row in rows.items()} == {
        "package click": "",
        "package msgspec": "pip install 'msgspec>=0.21'",
        "package httptools": "pip install 'httptools'",
        "package locust": "pip install 'locust>=2.0'",
    }
    assert rows["package locust"].needed_for is For.SOME


@pytest.mark.needs("another-user")
def test_folder__closed_to_the_workers_user__named(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (row,) = [row for row in files.rows(str(tmp_path)) if row.name == "folder"]
    assert row.is_amiss
    assert str(tmp_path) in row.found
    assert "nobody" in row.way_out
