"""What an ordinary user gets: the server on kernel sockets with the reason, and tests that skip with theirs.

Run as root it becomes `nobody` for the programs it starts; run as an ordinary user it starts them as they
are.
"""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import end

pytestmark = [pytest.mark.needs("open-checkout", "setpriv"), pytest.mark.slow]
NOBODY = 65534
COMMAND = "from gossamer.cli.main import main; main()"
REPOSITORY = Path(__file__).resolve().parents[2]
NEED_RIGHTS = ("tests/network", "tests/system")


def as_ordinary_user(argv: list[str]) -> list[str]:
    """The command line that runs `argv` without any privilege."""
    if os.geteuid() != 0:
        return argv
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    return ["setpriv", *ids, "--bounding-set=-all", "--", *argv]


def is_open_to_others(path: Path) -> bool:
    """Whether any user may walk down to `path` and run it."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


@pytest.fixture
def python(folder: Path) -> str:
    """An interpreter that an ordinary user may run, with all that ours has."""
    if os.geteuid() != 0 or is_open_to_others(Path(sys.executable).resolve()):
        return sys.executable
    other = Path(f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}")
    if not other.exists():
        pytest.skip(f"{sys.executable} is closed to other users, and there is no {other}")
    environment = folder.parent / "environment"
    subprocess.run([str(other), "-m", "venv", "--without-pip", str(environment)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return str(environment / "bin" / "python")


def test_serve__without_privileges__kernel_sockets_and_the_reason_in_one_line(
    folder: Path, python: str
) -> None:
    (folder / "index.html").write_bytes(b"served\n")
    run_dir = folder.parent / "run"
    run_dir.mkdir()
    if os.geteuid() == 0:
        os.chown(run_dir, NOBODY, NOBODY)
    argv = [python, "-c", COMMAND, "serve", str(folder), "--port", "0", "--workers", "2"]
    log = folder.parent / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            as_ordinary_user([*argv, "--run-dir", str(run_dir / "r")]), stdout=output, stderr=output
        )
    try:
        lines = announced(log)
        (url,) = (word for line in lines for word in line.split() if word.startswith("http://"))
        assert fetch(url) == b"served\n"
        (said,) = (line for line in lines if line.split()[:1] == ["stack"])
        assert "kernel sockets" in said
        assert "root" in said
    finally:
        assert end(server, signal.SIGTERM) == 0, log.read_text()


def announced(log: Path) -> list[str]:
    """What the server says at its start, once all of it is there; bounded."""
    for _ in range(600):
        lines = log.read_text().splitlines()
        if any("stop" in line for line in lines):
            return lines
        time.sleep(0.05)
    pytest.fail(f"it said only: {lines}")


def fetch(url: str) -> bytes:
    """The page there."""
    with urllib.request.urlopen(url, timeout=15) as response:
        body: bytes = response.read()
        return body


def test_tests_that_need_rights__without_privileges__skip_with_a_reason(folder: Path, python: str) -> None:
    folder.chmod(0o777)
    options = ["-q", "-rs", "-m", "needs", "-p", "no:cacheprovider", f"--basetemp={folder}/base"]
    # Without this file: it would start itself, again and again.
    tests = [*(str(REPOSITORY / folder) for folder in NEED_RIGHTS), f"--ignore={__file__}"]
    done = subprocess.run(
        as_ordinary_user([python, "-m", "pytest", *options, *tests]),
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    reasons = re.findall(r"^SKIPPED \[\d+\] \S+ (.*)$", done.stdout, re.MULTILINE)
    assert reasons
    assert all(reason.startswith("needs to ") for reason in reasons), reasons
    summary = r"^\d+ not run: needs to make a network namespace: .* sudo make test"
    assert re.search(summary, done.stdout, re.MULTILINE)
    assert re.search(r"^\d+ skipped", done.stdout.splitlines()[-1]), done.stdout[-500:]
