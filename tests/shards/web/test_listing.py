"""Reading a folder for its list."""

import os
from pathlib import Path
from typing import Any

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
    assert [(entry.name, entry.is_directory, entry.is_link) for entry in entries] == [
        ("a.txt", False, False),
        ("b.txt", False, False),
        ("dangling", False, True),
        ("z", True, False),
    ]
    assert entries[1].size == 3
    assert not is_cut
    shown, _ = read_folder(folder, 100, hidden_files=True)
    assert ".hidden" in [entry.name for entry in shown]
    os.close(folder)


def test_links__shown_as_what_they_lead_to__what_is_not_served_is_not_shown(bench: Any) -> None:
    bench.write("list/target.txt", b"12345")
    for name, target in (
        ("in", "target.txt"),
        ("out", "/etc/passwd"),
        ("gone", "nowhere"),
        ("up", "../folder"),
    ):
        (bench.folder / "list" / name).symlink_to(target)
    bench.rebuild(autoindex=True)
    (page,) = bench.get("/list/?sort=size").bodies
    assert [name in page for name in (b'"./in"', b'"./out"', b'"./gone"', b'"./up/"')] == [
        True,
        False,
        False,
        True,
    ]
    assert page.count(b'title="5 bytes"') == 2
    assert b'aria-sort="ascending"><a href="?sort=size' in page


def test_read_folder__bounded(folder: int) -> None:
    entries, is_cut = read_folder(folder, 1, hidden_files=True)
    assert (len(entries), is_cut) == (1, True)
    os.close(folder)
