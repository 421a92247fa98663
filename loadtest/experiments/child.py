"""A measurement in a process of its own: its memory is nobody else's, and nothing of it is left behind.

    python -m gossamer.loadtest.experiments.child MODULE FUNCTION JSON

Owns how the function is called there, and how its answer comes back: one JSON value on standard output.
"""

import importlib
import json
import resource
import subprocess
import sys
from typing import Any, Final

from gossamer.core.errors import GossamerError
from gossamer.ffi.allocator import keep_freed_memory

TIMEOUT_SECONDS: Final = 900
PACKAGE: Final = "gossamer.loadtest.experiments"


class MeasurementFailed(GossamerError):
    """A measurement ended without an answer; the message has the last line of what it said."""


def measure_in_child(module: str, function: str, /, **arguments: Any) -> Any:
    """What `function(**arguments)` of one of this package's modules returns. Raises: MeasurementFailed."""
    command = [sys.executable, "-P", "-m", f"{PACKAGE}.child", module, function, json.dumps(arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise MeasurementFailed(f"{module}.{function}: not done within {TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise MeasurementFailed(f"{module}.{function}: {said[-1]}")
    return json.loads(done.stdout)


def main() -> None:
    """The child's command."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    keep_freed_memory()  # As in our workers, and for every library alike.
    module, function, arguments = sys.argv[1:]
    answer = getattr(importlib.import_module(f"{PACKAGE}.{module}"), function)(**json.loads(arguments))
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
