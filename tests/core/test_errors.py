"""Errors as a person reads them."""

import os
import re
import socket
from pathlib import Path

import pytest

from gossamer.core.errors import what_failed

ROOT = Path(__file__).parents[2]
NUMBERED = re.compile(r"\b(?:OS|Connection\w*|BrokenPipe|BlockingIO|FileNotFound|Permission)Error\(\s*\d")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            OSError(107, "Transport endpoint is not connected"),
            "Transport endpoint is not connected (ENOTCONN)",
        ),
        (FileNotFoundError(2, "No such file", b"/no/such"), "/no/such: No such file (ENOENT)"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError("all of it"), "all of it"),
        (ValueError("no number"), "no number"),
    ],
)
def test_what_failed__no_number_is_shown(error: BaseException, text: str) -> None:
    assert what_failed(error) == text


@pytest.mark.parametrize("folder", ["core", "ffi", "shards", "loadtest", "gossamer"])
def test_errors_that_we_make__name_their_errno(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in map(Path, python_files(folder))
        for match in NUMBERED.finditer(path.read_text())
        if ">>>" not in path.read_text()[: match.start()].rpartition("\n")[2]
    ]
    assert found == []


def python_files(folder: str) -> list[str]:
    return [
        os.path.join(above, name)
        for above, _, names in os.walk(ROOT / folder)  # does not follow links: each file once
        for name in names
        if name.endswith(".py")
    ]
