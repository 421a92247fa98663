"""The command line in the process of the tests: a process for each run would be most of what they cost.

That the installed command does the same, `test_main.py` shows.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, NamedTuple

import pytest

from gossamer.cli.main import main


class Done(NamedTuple):
    """What `subprocess.run` would say."""

    returncode: int
    stdout: str
    stderr: str


def gossamer(*argv: str, **environment: str) -> Done:
    """Run `gossamer ARGV...`; of its variables GOSSAMER_..., these alone are set."""
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        for name in [name for name in os.environ if name.startswith("GOSSAMER_")]:
            patch.delenv(name)
        for name, value in {"COLUMNS": "120", **environment}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["gossamer", *argv])
        with standard(1, out), standard(2, err), pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        return Done(end.value.code, all_of(out), all_of(err))


@contextlib.contextmanager
def standard(fd: int, file: IO[str]) -> Iterator[None]:
    """The file stands for standard output (1) or standard error (2), both of Python and of the process."""
    redirected = contextlib.redirect_stdout if fd == 1 else contextlib.redirect_stderr
    before = os.dup(fd)
    os.dup2(file.fileno(), fd)
    try:
        with redirected(file):
            yield
    finally:
        os.dup2(before, fd)
        os.close(before)


def all_of(file: IO[str]) -> str:
    """What was written."""
    file.flush()
    file.seek(0)
    return file.read()
