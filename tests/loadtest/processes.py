"""What tests ask of processes that benches start: what they say, and whether they are gone."""

import subprocess
import time
from pathlib import Path

import pytest


def wait_for_line(process: "subprocess.Popen[str]", text: str) -> None:
    """Until it says that on standard error."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    pytest.fail(f"it ended before it said {text!r}")


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not), after it was given a moment to end."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True
