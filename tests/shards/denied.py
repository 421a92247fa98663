"""Tries `gossamer serve` where the kernel refuses it one system call: it serves, or says in one line why not.

Owns the start of the server under a filter (`tests/refuse.py`), the requests that find out whether it serves,
and what counts as a good end. Which calls are tried, and how each ends, stands in `denied_calls.py`.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import psutil

BIN: Final = Path(sys.executable).parent
REFUSE: Final = Path(__file__).parents[1] / "refuse.py"
LARGE_BYTES: Final = 3_000_000
READY_SECONDS: Final = 30.0
END_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.02
CANNOT_START: Final = 3


class Outcome(msgspec.Struct, frozen=True):
    """What came of one try."""

    faults: tuple[str, ...]
    """What a client or the user would complain of while it serves, or at its end."""
    exit_code: int | None
    """The code that it ended with by itself; None when it served until it was asked to end."""
    log: str
    """All that it printed."""

    @property
    def serves(self) -> bool:
        """Whether it served, and ended well when it was asked to."""
        return self.exit_code is None and not self.faults

    @property
    def line(self) -> str:
        """The one line that it ended with; "" when it served, said more, or ended otherwise."""
        lines = self.log.splitlines()
        is_ours = len(lines) == 1 and lines[0].startswith("gossamer: ")
        return lines[0] if is_ours and self.exit_code == CANNOT_START else ""

    @property
    def summary(self) -> str:
        """What it did, in a line."""
        if self.serves:
            return "serves"
        if self.faults:
            return f"WRONG: {'; '.join(self.faults)}; {self.log[-200:]!r}"
        last = next(
            (line.strip() for line in reversed(self.log.splitlines()) if line.strip()), "nothing said"
        )
        return self.line or f"exit code {self.exit_code}: {last}"


def make_site(folder: Path) -> Path:
    """A folder with a small file, a large one and a folder to list; every user may read it."""
    site = folder / "site"
    (site / "list").mkdir(parents=True)
    (site / "small.txt").write_bytes(b"small\n")
    (site / "large.bin").write_bytes(bytes(range(256)) * (LARGE_BYTES // 256))
    (site / "list" / "entry.txt").write_bytes(b"x")
    evict(site / "large.bin")
    for path in (folder, site):
        path.chmod(0o755)
    return site


def evict(path: Path) -> None:
    """Have the disk asked for a file, where its file system has one."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def request(prefix: Sequence[str], url: str) -> tuple[str, bytes]:
    """The status and the body that curl gets."""
    command = [*prefix, "curl", "-s", "--max-time", "10", "-w", "%{stderr}%{http_code}", url]
    done = subprocess.run(command, capture_output=True, check=False, timeout=END_SECONDS)
    return done.stderr.decode(), done.stdout


def complaints(prefix: Sequence[str], url: str, site: Path) -> Iterator[str]:
    """What is wrong with the answers of the server at `url`."""
    for name in ("small.txt", "large.bin"):
        status, body = request(prefix, f"{url}{name}")
        if (status, body) != ("200", (site / name).read_bytes()):
            yield f"{name}: {status} and {len(body)} bytes"
    status, body = request(prefix, f"{url}list/")
    if status != "200" or b"entry.txt" not in body:
        yield f"the list of a folder: {status}"
    status, _ = request(prefix, f"{url}missing")
    if status != "404":
        yield f"a missing file: {status}"


class Trial:
    """A server under a filter, started when made."""

    def __init__(
        self,
        filters: Sequence[tuple[str, str]],
        prefix: Sequence[str],
        directory: Path,
        argv: Sequence[str],
        before: Sequence[str] = (),
    ) -> None:
        """`prefix` stands before every command, `before` before the server's alone."""
        self._output, self._directory, self._prefix = directory / "log", directory, prefix
        rules = [f"{call}:{code}" for call, code in filters]
        denied = [sys.executable, str(REFUSE), *rules, "--"] if rules else []
        serve = [str(BIN / "gossamer"), "serve", *argv, "--workers", "1", "--port", "0", "--autoindex"]
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [*prefix, *before, *denied, *serve, "--run-dir", str(directory / "run")],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "COLUMNS": "200"},
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """All that it has printed."""
        return self._output.read_text()

    @property
    def url(self) -> str:
        """Where it serves; "" before it says so."""
        found = re.search(r" on (http://\S+)[^\n]*\n(?s:.*)  stop ", self.log)
        return found[1] if found else ""

    def wait_ready(self) -> bool:
        """Whether it came to say that it serves."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.url and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return bool(self.url)

    def command(self, name: str) -> int:
        """Give it a command, such as reload; the exit code of that."""
        words = [*self._prefix, str(BIN / "gossamer"), name, "--run-dir", str(self._directory / "run")]
        return subprocess.run(words, check=False, timeout=READY_SECONDS, capture_output=True).returncode

    def end(self) -> int:
        """Have it end, by force if need be; its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()

    def kill(self) -> None:
        """Leave no process behind: workers are in process groups of their own, but in the session."""
        for process in psutil.process_iter():
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(process.pid) == self.process.pid:
                    os.kill(process.pid, signal.SIGKILL)


def try_serving(
    filters: Sequence[tuple[str, str]], directory: Path, argv: Sequence[str], prefix: Sequence[str] = ()
) -> Outcome:
    """Start a server that is refused these calls (name, errno), ask it for its files, and end it."""
    site = make_site(directory)
    trial = Trial(filters, prefix, directory, [str(site), *argv])
    with contextlib.ExitStack() as undo:
        undo.callback(trial.kill)
        if not trial.wait_ready():
            has_ended = trial.process.poll() is not None
            faults = () if has_ended else (f"neither serves nor ends within {READY_SECONDS:g} s",)
            return Outcome(faults, trial.process.poll(), trial.log)
        faults = tuple(complaints(prefix, trial.url, site))
        code = trial.end()
        if code != 0:
            faults += (f"exit {code} on SIGTERM",)
        if "Traceback" in trial.log or "a new one starts" in trial.log:
            faults += ("it complains in its log",)
        return Outcome(faults, None, trial.log)
