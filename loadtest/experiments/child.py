"""A measurement in a process of its own: its memory is nobody else's, and nothing of it is left behind.

    python -m gossamer.loadtest.experiments.child MODULE FUNCTION JSON

Owns how the function is called there, and how its answer comes back: one JSON value on standard output. A
child that is waited for no longer ends with all that it has started.
"""

import importlib
import json
import resource
import signal
import subprocess
import sys
from typing import Any, Final

from gossamer.core.errors import GossamerError
from gossamer.ffi.allocator import keep_freed_memory
from gossamer.ffi.privileges import signal_on_parent_death
from gossamer.loadtest.cpu import tree
from gossamer.loadtest.namespaces import kill_all

TIMEOUT_SECONDS: Final = 900
PACKAGE: Final = "gossamer.loadtest.experiments"


class MeasurementFailed(GossamerError):
    """A measurement ended without an answer; the message has the last line of what it said."""


def measure_in_child(module: str, function: str, /, **arguments: Any) -> Any:
    """What `function(**arguments)` of one of this package's modules returns. Raises: MeasurementFailed."""
    command = [sys.executable, "-P", "-m", f"{PACKAGE}.child", module, function, json.dumps(arguments)]
    try:
        status, answer, said = to_its_end(command)
    except subprocess.TimeoutExpired as error:
        raise MeasurementFailed(f"{module}.{function}: not done within {TIMEOUT_SECONDS} s") from error
    if status != 0:
        lines = said.strip().splitlines() or [f"exit code {status}"]
        raise MeasurementFailed(f"{module}.{function}: {lines[-1]}")
    return json.loads(answer)


def to_its_end(command: list[str]) -> tuple[int, str, str]:
    """The exit code of a command, and what it said on both ways. Raises: subprocess.TimeoutExpired."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            answer, said = process.communicate(timeout=TIMEOUT_SECONDS)
        except BaseException:  # Ctrl-C too: what it has started is not left to itself.
            if process.returncode is None:  # Not waited for yet, so that its number is nobody else's.
                kill_all(tree(process.pid))  # One by one: fio's job has a session of its own.
            raise
        return process.returncode, answer, said


def main() -> None:
    """The child's command."""
    signal_on_parent_death(signal.SIGKILL)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    keep_freed_memory()  # As in our workers, and for every library alike.
    module, function, arguments = sys.argv[1:]
    answer = getattr(importlib.import_module(f"{PACKAGE}.{module}"), function)(**json.loads(arguments))
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
