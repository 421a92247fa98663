"""Examples in worker processes, on each of the two stacks."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import Namespace

from .programs import Program, running

PORT = 18095
WORKERS_LOG = r"(?s).*"


class Place:
    """Where `gossamer serve` serves, and its clients are: here, or in a namespace on the functional TCP."""

    def __init__(self, stack: str, namespace: Namespace | None, run_dir: Path) -> None:
        self.stack = stack
        self.namespace = namespace
        self.run_dir = run_dir

    @contextlib.contextmanager
    def serving(self, target: str, *options: str) -> Iterator[Program]:
        """A server of that target, until the end of the block, which stands inside: sockets that its thread
        makes reach the server."""
        gossamer = str(Path(sys.executable).parent / "gossamer")
        port = "0" if self.namespace is None else str(PORT)
        command = [gossamer, "serve", target, "--stack", self.stack, "--port", port, "--workers", "1"]
        command += ["--run-dir", str(self.run_dir), *options]
        inside: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        if self.namespace is not None:
            command = self.namespace.command(command)
            inside = self.namespace.entered()
        with running(command, WORKERS_LOG, on_standard_error=True) as program, inside:
            yield program


@pytest.fixture(params=["kernel", pytest.param("nfqueue", marks=pytest.mark.needs("nfqueue"))])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """On kernel sockets, and on the functional TCP."""
    namespace = request.getfixturevalue("namespace") if request.param == "nfqueue" else None
    return Place(request.param, namespace, tmp_path / "run")
