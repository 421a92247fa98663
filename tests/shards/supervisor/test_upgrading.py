"""The command line of a successor, and what of a failed trial is told."""

import pytest

from gossamer.shards.exitcode import CommandError
from gossamer.shards.supervisor.upgrading import last_line, successor_argv

PLAIN = ["python", "/usr/bin/gossamer", "serve", "www", "--port", "0"]


def test_successor_argv__upgraded_again_and_again__grows_no_longer() -> None:
    first = successor_argv(PLAIN, "/run/a", is_trial=False)
    assert first == ["python", "/usr/bin/gossamer", "serve", "--adopt", "/run/a", *PLAIN[3:]]
    assert successor_argv(first, "/run/a", is_trial=False) == first


def test_successor_argv__trial__says_so_before_the_target() -> None:
    first = successor_argv(PLAIN, "/run/a", is_trial=False)
    trial = successor_argv(first, "/run/a", is_trial=True)
    assert trial[2:6] == ["serve", "--adopt", "/run/a", "--trial"]


def test_successor_argv__of_another_program__refused() -> None:
    with pytest.raises(CommandError, match="was not started by gossamer serve"):
        successor_argv(["python", "own.py"], "/run/a", is_trial=True)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (b"", "it said nothing"),
        (b"warning\ngossamer: --port: found 'x'\n\n", "--port: found 'x'"),
        (b"Traceback\n  File\nImportError: no \xff\n", "ImportError: no \\xff"),
    ],
)
def test_last_line__of_what_a_trial_said(said: bytes, line: str) -> None:
    assert last_line(said) == line
