"""Reading a folder for its list."""

import os
from pathlib import Path

import pytest

from gossamer.shards.web.listing import read_folder


@pytest.fixture
def folder(tmp_path: Path) -> int:
    for name in ("b.txt", "a.txt", ".hidden"):
        (tmp_path / name).write_bytes(b"xyz")
    (tmp_path / "z").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    return os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)


def test_read_folder__folders_first__only_what_can_be_served(folder: int) -> None:
    entries, is_cut = read_folder(folder, 100, hidden_files=False)
    assert [(entry.name, entry.is_directory) for entry in entries] == [
        ("z", True),
        ("a.txt", False),
        ("b.txt", False),
    ]
    assert entries[1].size == 3
    assert not is_cut
    shown, _ = read_folder(folder, 100, hidden_files=True)
    assert ".hidden" in [entry.name for entry in shown]
    os.close(folder)


def test_read_folder__bounded(folder: int) -> None:
    entries, is_cut = read_folder(folder, 1, hidden_files=True)
    assert (len(entries), is_cut) == (1, True)
    os.close(folder)
