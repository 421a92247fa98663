"""A run of pytest over files that a test has written, with the plugins of ours."""

from pathlib import Path

import pytest

OPTIONS = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", "/dev/null")


def run_given(
    folder: Path, plugins: list[object], monkeypatch: pytest.MonkeyPatch, times: int = 1
) -> int | pytest.ExitCode:
    """The exit code of a run over the folder, named so many times."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)  # what this run was asked for is not for that one
    return pytest.main([*OPTIONS, "--rootdir", str(folder), *[str(folder)] * times], plugins=plugins)
