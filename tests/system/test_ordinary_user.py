"""What an ordinary user gets: the server on kernel sockets with the reason, and tests that skip with theirs.

Run as root it becomes `nobody` for the programs it starts; run as an ordinary user it starts them as they
are.
"""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from gossamer.ffi.nfqueue_netlink import RECEIVE_BUFFER_BYTES, open_queue
from gossamer.ffi.privileges import CAP_NET_ADMIN
from gossamer.ffi.socketbuffers import SO_RCVBUFFORCE
from gossamer.loadtest.namespaces import Namespace, end

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


RIGHTS_OVER_THE_NETWORK = "-all,+net_admin,+net_raw"


def with_rights_over_the_network(argv: list[str]) -> list[str]:
    """The command line that runs `argv` as systemd's DynamicUser with AmbientCapabilities would."""
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
    sets = [f"--{each}={RIGHTS_OVER_THE_NETWORK}" for each in ("bounding-set", "inh-caps", "ambient-caps")]
    return ["setpriv", *ids, *sets, "--", *argv]


INSIDE = """
import os, subprocess, sys, urllib.request

main = [sys.executable, "-c", "from gossamer.cli.main import main; main()"]
options = ["--stack", "nfqueue", "--port", "8080", "--workers", "1"]
server = subprocess.Popen([*main, "serve", sys.argv[1], *options], stderr=subprocess.PIPE, text=True)
try:
    for line in server.stderr:
        sys.stderr.write(line)
        if "gossamer stop" in line:
            break
    print(urllib.request.urlopen("http://127.0.0.1:8080/", timeout=15).read())
finally:
    server.terminate()
    sys.stderr.write(server.stderr.read())
    print(server.wait(30), os.geteuid())
"""


def test_rootless__the_functional_tcp_serves(folder: Path, python: str) -> None:
    (folder / "index.html").write_bytes(b"served\n")
    command = [python, "-c", COMMAND, "rootless", "--", python, "-c", INSIDE, str(folder)]
    done = subprocess.run(
        as_ordinary_user(command), capture_output=True, text=True, timeout=120, check=False, cwd=folder
    )
    if "forbids user namespaces" in done.stderr:
        pytest.skip(done.stderr)
    assert "the functional TCP" in done.stderr, done.stderr
    assert "are not counted" not in done.stderr, "/proc/net is not its own"
    assert done.stdout.splitlines() == ["b'served\\n'", "0 0"], done.stderr


def test_rootless__exit_code_of_the_command__and_a_line_where_there_is_none(python: str) -> None:
    for command, code, said in ((["sh", "-c", "exit 7"], 7, ""), (["/no/such"], 1, "No such file")):
        argv = [python, "-c", COMMAND, "rootless", "--", *command]
        done = subprocess.run(
            as_ordinary_user(argv), capture_output=True, text=True, timeout=60, check=False, cwd="/"
        )
        if "forbids user namespaces" in done.stderr:
            pytest.skip(done.stderr)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr


LEND = 'mount --bind "$1" /etc/subuid && mount --bind "$1" /etc/subgid && shift && exec "$@"'
"""For this process and its children: FILE COMMAND..."""

BECOME = """
import os
print(open("/proc/self/uid_map").read().split(), open("/proc/self/gid_map").read().split())
os.setgroups([])
os.setresgid(33, 33, 33)
os.setresuid(33, 33, 33)
print(os.getuid(), os.getgroups())
"""


@pytest.mark.needs("another-user", "lent-users")
def test_rootless__users_are_lent__are_had_inside_and_others_not(folder: Path, python: str) -> None:
    table = folder.parent / "lent"
    # "--no-new-privs" would keep newuidmap from the rights that it has as a file.
    ids = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--bounding-set=+all", "--"]
    rootless = [*ids, python, "-c", COMMAND, "rootless", "--", python, "-c", BECOME]
    for text, is_lent in ((f"{NOBODY}:1000:60000\n", True), ("root:1000:60000\nnobody:x:y\n", False)):
        table.write_text(text)
        command = ["unshare", "--mount", "sh", "-c", LEND, "sh", str(table), *rootless]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/")
        if "forbids user namespaces" in done.stderr:
            pytest.skip(done.stderr)
        own = ["0", str(NOBODY), "1"]
        mapped = [*own, "1", "1000", "60000"] if is_lent else own
        lines = done.stdout.splitlines()
        assert lines[0] == f"{mapped} {mapped}", done.stderr
        assert lines[1:] == (["33 []"] if is_lent else []), done.stderr


PLAIN_NAMESPACE = ["unshare", "-Urnm", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def test_serve__namespaces_of_unshare_alone__functional_tcp(folder: Path, python: str) -> None:
    """Its /run is that of the machine, and belongs to a root who is nobody there."""
    (folder / "index.html").write_bytes(b"served\n")
    own = folder.parent / "tmp"
    own.mkdir()
    own.chmod(0o1777)
    plain = ["env", "-u", "XDG_RUNTIME_DIR", f"TMPDIR={own}", *PLAIN_NAMESPACE]
    argv = as_ordinary_user([*plain, python, "-c", INSIDE, str(folder)])
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, cwd="/")
    if "Operation not permitted" in done.stderr and not done.stdout:
        pytest.skip(done.stderr)
    assert "the functional TCP" in done.stderr, done.stderr
    assert done.stdout.splitlines() == ["b'served\\n'", "0 0"], done.stderr


@pytest.mark.needs("another-user", "nfqueue")
def test_serve__of_all_rights_those_over_the_network_alone__functional_tcp_and_what_it_does_without(
    folder: Path, python: str, namespace: Namespace
) -> None:
    (folder / "index.html").write_bytes(b"served\n")
    own = folder.parent / "own"
    own.mkdir()
    os.chown(own, NOBODY, NOBODY)
    with namespace.entered():
        taken = [open_queue(number) for number in (100, 102)]
    argv = [python, "-c", COMMAND, "serve", str(folder), "--port", "8080", "--workers", "1"]
    settings = ["--stack", "nfqueue", "--set", "nfqueue.queues=2", "--run-dir", str(own / "r")]
    log = folder.parent / "log"
    with log.open("wb") as output:
        command = namespace.command(with_rights_over_the_network([*argv, *settings]))
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        lines = announced(log)
        with namespace.entered():
            assert fetch("http://127.0.0.1:8080/") == b"served\n"
        said = "\n".join(line for line in lines if "warning" in line)
        assert "packets that the kernel drops before a worker sees them are not counted" in said
        assert ("the socket of a queue has room for" in said) == (not can_force_buffers())
        (worker,) = psutil.Process(server.pid).children()[-1:]
        fields = Path(f"/proc/{worker.pid}/status").read_text()
        assert f"Uid:\t{NOBODY}\t{NOBODY}" in fields
        assert f"CapEff:\t{1 << CAP_NET_ADMIN:016x}" in fields, "of its rights it keeps what it needs"
        queues = namespace.run(["cat", "/proc/net/netfilter/nfnetlink_queue"]).splitlines()
        assert [int(line.split()[0]) for line in queues] == [100, 101, 102, 103, 104, 105]
    finally:
        assert end(server, signal.SIGTERM) == 0, log.read_text()
        for queue in taken:
            queue.close()
    assert "-A" not in namespace.run(["iptables-save"])


def can_force_buffers() -> bool:
    """Whether CAP_NET_ADMIN is enough for any size of a socket's buffer: not in a user namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
        try:
            tried.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        except PermissionError:
            return False
    return True


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
