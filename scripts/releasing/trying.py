"""The wheel in the hands of a stranger: a bare environment, each command, a server on each stack, by whom."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from releasing.table import FailedError, NotHereError, run

NAMES = ("aio", "lowlevel", "tcp", "testing", "websocket", "wsgi")
FRONTS = ", ".join(["gossamer", *(f"gossamer.{name}" for name in NAMES)])
LEAST = (3, 11)
NOBODY = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--no-new-privs",
    "--bounding-set=-all",
]
SERVES_WITHIN_S = 60.0


def pythons() -> dict[str, Path]:
    """Each Python from 3.11 on that is to be had, by its version."""
    places = [Path(place) for place in os.environ.get("PATH", os.defpath).split(":")]
    places += sorted(Path.home().glob(".pyenv/versions/*/bin"))
    found: dict[str, Path] = {}
    for minor in range(LEAST[1], 20):
        for place in places:
            python = place / f"python3.{minor}"
            if python.exists() and f"3.{minor}" not in found and is_whole(python):
                found[f"3.{minor}"] = python
    return found


def is_whole(python: Path) -> bool:
    """Whether it starts (a shim of pyenv may not) and can make environments."""
    done = subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False)
    return done.returncode == 0


class Environment:
    """A bare virtual environment with the wheel and what it needs, and nothing else."""

    def __init__(self, folder: Path, wheel: Path, python: Path, resolution: str) -> None:
        self._folder = folder
        uv = Path(sys.executable).parent / "uv"
        run([uv, "venv", "--quiet", "--python", python, folder])
        run([uv, "pip", "install", "--quiet", "--python", folder, "--resolution", resolution, wheel])
        self.python = folder / "bin" / "python"
        self.gossamer = folder / "bin" / "gossamer"
        self.site = folder / "site"
        self.site.mkdir()
        (self.site / "index.html").write_text("served\n")

    def imported(self) -> str:
        """All that programs import, where a warning is an error."""
        run([self.python, "-W", "error", "-c", f"import {FRONTS}"], self._folder)
        return run([self.gossamer, "--version"], self._folder)

    def commands(self) -> str:
        """Each command of the help says how it is used."""
        listed = run(
            [self.python, "-c", "from gossamer.cli.main import COMMANDS; print(*COMMANDS)"], self._folder
        )
        for name in listed.split():
            run([self.gossamer, name, "--help"], self._folder)
        return f"{len(listed.split())} commands show their help"

    def offline(self) -> str:
        """What needs no network and no right."""
        given = self._folder / "given"
        run([self.gossamer, "examples", given])
        run([self.python, "-W", "error", "examples/handshake.py"], given)
        played = run([self.gossamer, "packetdrill", "packets/rfc5961"], given)
        run([self.gossamer, "sim", "--loss", "1%", "--bytes", "100KB"], given)
        run([self.gossamer, "serve", "www", "--config", "config.toml", "--check-config"], given)
        return played.strip().splitlines()[-1]

    def core(self) -> str:
        """Which build of the core runs: the native one, and the sources where they are asked for. Raises:
        FailedError."""
        said = [
            run([self.gossamer, "--version"], self._folder, {**os.environ, "GOSSAMER_NATIVE": asked}).strip()
            for asked in ("", "0")
        ]
        if [line.rpartition(", ")[2] for line in said] != ["native", "interpreted (GOSSAMER_NATIVE=0)"]:
            raise FailedError("; ".join(said))
        return "; ".join(said)

    def served(self, stack: str, prefix: list[str], inside: bool = False) -> str:
        """A server answers, and ends when it is told to."""
        if prefix and shutil.which(prefix[0]) is None and not Path(prefix[0]).exists():
            raise NotHereError(f"there is no {prefix[0]}")
        script = [self.python, "-c", SERVE, self.gossamer, self.site, stack]
        said = run([*prefix, *([self.gossamer, "rootless", "--"] if inside else []), *script], Path("/tmp"))
        if "b'served" not in said:
            raise FailedError(said)
        return next(line for line in said.splitlines() if line.split()[:1] == ["stack"])


SERVE = """
import re, subprocess, sys, tempfile, time, urllib.request

gossamer, site, stack = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    options = ["--port", "0", "--workers", "1", "--stack", stack, "--run-dir", folder + "/r"]
    argv = [gossamer, "serve", site, *options]
    server = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    url = ""
    for line in server.stdout:
        print(line, end="")
        url = (re.findall("http://[^ ]+", line) or [url])[0].strip()
        if line.split()[:1] == ["stop"]:
            break
    print(urllib.request.urlopen(url, timeout=30).read())
    server.terminate()
    raise SystemExit(server.wait(60))
"""
