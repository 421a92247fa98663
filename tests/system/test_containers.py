"""The functional TCP in containers: what an engine gives to whom, played with lines of deploy/Containerfile.

`scripts/container` gives what Docker, Podman and Kubernetes do; the program with the rights is built by the
lines of the Containerfile, with other paths.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gossamer.ffi.privileges import CAP_NET_ADMIN, CAP_NET_RAW

pytestmark = [pytest.mark.needs("open-checkout", "setpriv", "setcap", "cc", "nfqueue"), pytest.mark.slow]
ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text()
BOTH = 1 << CAP_NET_ADMIN | 1 << CAP_NET_RAW
NO_RIGHTS = ("--cap-drop", "ALL")
NO_GAIN = ("--security-opt", "no-new-privileges")

INSIDE = """
import json, os, subprocess, sys, urllib.request

def held(pid):
    lines = open(f"/proc/{pid}/status").read().splitlines()
    fields = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
    return {"uid": int(fields["Uid"].split()[1]), "rights": int(fields["CapEff"], 16)}

gossamer, site, run_dir = sys.argv[1:]
argv = [gossamer, "serve", site, "--port", "8080", "--workers", "1", "--run-dir", run_dir]
server = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
said = ""
for line in server.stderr:
    said += line
    if line.split()[:1] == ["stop"]:
        break
found = {"said": said}
try:
    found["served"] = urllib.request.urlopen("http://127.0.0.1:8080/", timeout=15).read().decode()
    status = json.loads(subprocess.check_output([gossamer, "status", "--json", "--run-dir", run_dir]))
    found["supervisor"], found["worker"] = held(server.pid), held(status["workers"][0]["pid"])
    found["stack"] = status["stack"]
finally:
    server.terminate()
    found["said"] += server.stderr.read()
found["code"] = server.wait(60)
print(json.dumps(found))
"""


class Image(NamedTuple):
    """What of an image the tests run."""

    python: str
    plain: Path
    """gossamer itself."""
    entry: Path
    """The program of the entry point, which runs it."""
    site: Path


@pytest.fixture
def image(folder: Path, python: str) -> Image:
    """The programs of the image, in a folder that any user may read."""
    (folder / "index.html").write_text("served\n")
    programs = folder.parent / "programs"
    programs.mkdir(mode=0o755)
    plain, entry = programs / "plain", programs / "gossamer"
    plain.write_text(f"#!{python}\nfrom gossamer.cli.main import main\nmain()\n")
    plain.chmod(0o755)
    (compiled,) = re.findall(r"^RUN (gcc .*)$", CONTAINERFILE, re.MULTILINE)
    (rights,) = re.findall(r"^    && (setcap .*)$", CONTAINERFILE, re.MULTILINE)
    places = {"/opt/gossamer/bin/with-rights": entry, "/usr/local/bin/gossamer": entry, "/src": ROOT}
    for line in (f"{compiled} -DPROGRAM='\"{plain}\"'", rights):
        for path, ours in places.items():
            line = line.replace(path, str(ours))
        subprocess.run(["sh", "-euc", f"PATH=$PATH:/usr/sbin:/sbin; {line}"], check=True, timeout=60)
    return Image(python, plain, entry, folder)


def rights_in_the_line() -> tuple[str, ...]:
    """Those that the Containerfile's own `podman run` asks for."""
    (line,) = re.findall(r"^# +podman run (.*)$", CONTAINERFILE, re.MULTILINE)
    return tuple(word for pair in re.findall(r"(--cap-\w+) (\w+)", line) for word in pair)


def user_of_the_image() -> tuple[str, ...]:
    (user,) = re.findall(r"^USER (\S+)$", CONTAINERFILE, re.MULTILINE)
    return ("--user", user)


def run(image: Image, program: Path, *options: str) -> dict[str, Any]:
    """What a server says and is, in such a container."""
    run_dir = image.site.parent / "run"
    run_dir.mkdir(mode=0o1777, exist_ok=True)
    run_dir.chmod(0o1777)
    inside = [image.python, "-c", INSIDE, str(program), str(image.site), str(run_dir / "gossamer")]
    command = [str(ROOT / "scripts" / "container"), *options, *inside]
    # TMPDIR does not get past a program that has capabilities as a file.
    environment = {"PYTHON": image.python, "PATH": PATH, "XDG_RUNTIME_DIR": str(run_dir)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=180, check=False, cwd="/", env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["served"], found["code"]) == ("served\n", 0), found
    return found


PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def test_docker_and_kubernetes__two_rights__functional_tcp_as_the_user_of_the_image(image: Image) -> None:
    found = run(image, image.entry, *rights_in_the_line(), *user_of_the_image())
    assert found["stack"] == "nfqueue", found["said"]
    assert found["supervisor"] == {"uid": 65532, "rights": BOTH}
    assert found["worker"] == {"uid": 65532, "rights": 1 << CAP_NET_ADMIN}


def test_docker__the_same_without_that_entry_point__kernel_sockets(image: Image) -> None:
    found = run(image, image.plain, *rights_in_the_line(), *user_of_the_image())
    assert (found["stack"], found["supervisor"]["rights"]) == ("kernel", 0)


def test_podman__two_rights_that_are_ambient__functional_tcp_with_no_new_privileges_too(image: Image) -> None:
    for gains in ((), NO_GAIN):
        options = (*rights_in_the_line(), *user_of_the_image(), "--engine", "podman", *gains)
        found = run(image, image.entry, *options)
        assert found["stack"] == "nfqueue", found["said"]
        assert found["worker"] == {"uid": 65532, "rights": 1 << CAP_NET_ADMIN}


def test_docker__no_new_privileges__kernel_sockets_and_the_reason(image: Image) -> None:
    found = run(image, image.entry, *rights_in_the_line(), *user_of_the_image(), *NO_GAIN)
    assert (found["stack"], found["supervisor"]["rights"]) == ("kernel", 0)
    (reason,) = re.findall(r"^  stack +(.*)$", found["said"], re.MULTILINE)
    assert "no_new_privs" in reason


def test_any_engine__no_rights__starts_and_serves_over_kernel_sockets(image: Image) -> None:
    found = run(image, image.entry, *NO_RIGHTS, *user_of_the_image())
    assert (found["stack"], found["supervisor"]) == ("kernel", {"uid": 65532, "rights": 0})


def test_any_engine__root_with_two_rights__functional_tcp(image: Image) -> None:
    for program in (image.plain, image.entry):
        found = run(image, program, *rights_in_the_line(), *NO_GAIN)
        assert found["stack"] == "nfqueue", found["said"]
        assert found["worker"] == {"uid": 0, "rights": 1 << CAP_NET_ADMIN}
