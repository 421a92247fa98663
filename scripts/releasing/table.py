"""The table of a release: what was asked, what was seen, and whether it is well."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

OK, FAILED, NOT_HERE = "ok", "FAILED", "not here"


class NotHereError(Exception):
    """This machine cannot say; the message says why."""


class FailedError(Exception):
    """It is not as it must be; the message says what was seen."""


class Row(NamedTuple):
    """One thing that was asked."""

    outcome: str
    what: str
    seen: str


def asked(what: str, ask: Callable[[], str]) -> Row:
    """Ask it, print the row, and go on whatever comes of it."""
    try:
        row = Row(OK, what, ask())
    except NotHereError as reason:
        row = Row(NOT_HERE, what, str(reason))
    except (FailedError, OSError, subprocess.SubprocessError) as reason:
        row = Row(FAILED, what, str(reason))
    print(line(row), flush=True)
    return row


def line(row: Row) -> str:
    """The row as a line of Markdown."""
    return f"| {row.outcome} | {row.what} | {' '.join(row.seen.split())[:300].replace('|', '/')} |"


def run(
    argv: Sequence[str | Path],
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    wait_s: float = 600,
) -> str:
    """A command to its end; what it said on both streams. Raises: FailedError."""
    done = subprocess.run(
        [str(each) for each in argv],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=wait_s,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout.strip().splitlines()[-3:]
        raise FailedError(f"{Path(argv[0]).name} ended with {done.returncode}: {' '.join(said)}")
    return done.stdout
