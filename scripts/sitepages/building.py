"""Has Sphinx make HTML of a folder of sources: every warning is an error, as is a reference to nothing."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
NEEDED = ("sphinx", "myst_parser", "furo", "sphinx_copybutton")


def missing() -> list[str]:
    """What of the extra `site` is not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def build(source: Path, output: Path) -> int:
    """The exit code; what is wrong is said on standard error, all of it."""
    command = [sys.executable, "-m", "sphinx", "-W", "-n", "--keep-going", "-q", "-b", "html", source, output]
    # The configuration names functions of ours, which it imports.
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    return subprocess.run(command, check=False, env=environment).returncode
