"""What `gossamer serve` prints at its start."""

import os
import shutil
import subprocess

import pytest

from gossamer.cli.serve import shell_word

PATHS = [b"/run/gossamer/8080", b"/tmp/a b", b"/tmp/it's", b"/tmp/caf\xe9", b"/tmp/it's a\\b caf\xe9 $HOME"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="it is bash that reads the quotes")
@pytest.mark.parametrize("path", PATHS)
def test_shell_word__bash_reads_the_path_in_it(path: bytes) -> None:
    word = shell_word(os.fsdecode(path))
    assert word.isascii()
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True, timeout=30)
    assert done.stdout == path


def test_shell_word__a_plain_path__as_it_is() -> None:
    assert shell_word("/run/gossamer/8080") == "/run/gossamer/8080"
