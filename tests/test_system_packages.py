"""The packages that set-up asks the system for, with stand-ins for apt-get, dpkg, and others' managers."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


class Machine:
    """A machine with nothing but a package manager that takes notes, and what every machine has."""

    def __init__(self, place: Path, manager: str, user: int) -> None:
        self.bin = place / "bin"
        self.bin.mkdir()
        self.notes = place / "notes"
        self.notes.touch()
        for name in ("sh", "id", "seq"):
            found = shutil.which(name)
            assert found is not None
            (self.bin / name).symlink_to(found)
        self.stub("id", f"echo {user}")
        if manager:
            self.stub(manager, "")
        if manager == "apt-get":
            self.stub("dpkg", f'echo "dpkg $*" >>"{self.notes}"')
            self.installs()

    def stub(self, name: str, body: str) -> None:
        (self.bin / name).unlink(missing_ok=True)
        executable(self.bin / name, f"#!/bin/sh\n{body}\n")

    def installs(self, failing: str = "nothing fails") -> None:
        """apt-get takes notes, brings a Python, and fails where an argument is FAILING."""
        self.stub(
            "apt-get",
            f'echo "apt-get $*" >>"{self.notes}"\ncase "$* " in *" {failing} "*) exit 100 ;; esac\n'
            f'echo "#!/bin/sh" >"{self.bin}/python3"; "{shutil.which("chmod")}" +x "{self.bin}/python3"',
        )

    def has(self, *names: str) -> None:
        for name in names:
            if name[0] == "/":
                path = self.bin.parent / name[1:]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            else:
                self.stub(name, "exit 0")

    def set_up(self, what: str = "run", **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["sh", "scripts/system-packages", what, str(self.bin.parent)],
            cwd=ROOT,
            env={"PATH": str(self.bin), **settings},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def calls(self, of: str) -> list[str]:
        """The arguments of apt-get or dpkg, without the options that are always there."""
        lines = [line.split() for line in self.notes.read_text().splitlines()]
        always = {"-qq", "-o", "DPkg::Lock::Timeout=300", "-y", "--no-install-recommends"}
        return [" ".join(word for word in line[1:] if word not in always) for line in lines if line[0] == of]


REQUIRED = ("gcc", "/usr/include/stdio.h", "flock", "python3")
OPTIONAL = ("/usr/include/libnetfilter_queue/libnetfilter_queue.h", "iptables", "ip")
FOR_TESTS = (
    "tc",
    "sysctl",
    "curl",
    "wrk",
    "fio",
    "nginx",
    "haproxy",
    "redis-server",
    "tshark",
    "ethtool",
    "tmux",
    "chromium",
    "newuidmap",
    "setcap",
)
NFQUEUE = "libnetfilter-queue-dev iptables iproute2"


def debian(place: Path, *names: str) -> Machine:
    machine = Machine(place, "apt-get", user=0)
    machine.has(*names)
    return machine


def test_packages__bare_debian__python_with_headers_and_venv_in_one_pass(tmp_path: Path) -> None:
    machine = debian(tmp_path)
    assert machine.set_up().returncode == 0
    assert machine.calls("apt-get") == [
        "update",
        f"install --fix-broken gcc libc6-dev util-linux python3 python3-dev python3-venv {NFQUEUE}",
    ]
    assert machine.calls("dpkg") == ["--audit", "--configure -a"]  # without which a killed apt-get refuses


def test_packages__for_the_tests__sysctl_too(tmp_path: Path) -> None:
    machine = debian(tmp_path, *REQUIRED, *OPTIONAL)
    assert machine.set_up("test").returncode == 0
    tools = "wrk fio nginx-light haproxy redis-server tshark ethtool tmux chromium uidmap libcap2-bin"
    wanted = f"iproute2 procps curl {tools}"
    assert machine.calls("apt-get") == ["update", f"install --fix-broken {wanted}"]


def test_packages__nothing_is_missing__apt_is_not_asked(tmp_path: Path) -> None:
    machine = debian(tmp_path, *REQUIRED, *OPTIONAL, *FOR_TESTS)
    assert machine.set_up("test").returncode == 0
    assert machine.calls("apt-get") == []


def test_packages__optional_ones_not_to_be_had__goes_on(tmp_path: Path) -> None:
    machine = debian(tmp_path)
    machine.installs(failing="iptables")
    done = machine.set_up()
    assert done.returncode == 0
    assert (
        machine.calls("apt-get")[-1]
        == "install --fix-broken gcc libc6-dev util-linux python3 python3-dev python3-venv"
    )
    assert f"Going on without what is optional: {NFQUEUE}" in done.stderr


def test_packages__required_ones_not_to_be_had__ends(tmp_path: Path) -> None:
    machine = debian(tmp_path)
    machine.installs(failing="gcc")
    assert machine.set_up().returncode == 100


def test_packages__no_network_and_nothing_required__goes_on(tmp_path: Path) -> None:
    machine = debian(tmp_path, *REQUIRED)
    machine.stub("apt-get", "exit 100")
    assert machine.set_up().returncode == 0


def test_packages__dpkg_was_interrupted__it_is_finished_before_python_is_asked(tmp_path: Path) -> None:
    """python3 is unpacked and does not run yet: what it is then asked must not end set-up."""
    machine = debian(tmp_path, *REQUIRED, *OPTIONAL)
    machine.stub("python3", "exit 127")
    machine.stub("dpkg", f'echo "dpkg $*" >>"{machine.notes}"; [ "$1" != --audit ] || echo python3 half')
    assert machine.set_up().returncode == 0
    assert machine.calls("dpkg") == ["--audit", "--configure -a"]
    assert machine.calls("apt-get") == ["update", "install --fix-broken"]


def test_packages__an_apt_that_was_left_running__is_waited_for(tmp_path: Path) -> None:
    machine = debian(tmp_path)
    machine.stub("sleep", f'echo "sleep $*" >>"{machine.notes}"')
    locked = "dpkg: error: dpkg frontend lock was locked by another process with pid 7"
    machine.stub(
        "dpkg",
        f'echo "dpkg $*" >>"{machine.notes}"\n'
        f'case "$1" in --configure) read -r last <"{machine.notes}.turn"; echo x >"{machine.notes}.turn"; '
        f'[ -n "$last" ] || {{ echo "{locked}" >&2; exit 2; }} ;; esac',
    )
    machine.notes.with_suffix(".turn").write_text("\n")
    assert machine.set_up().returncode == 0
    assert machine.calls("dpkg") == ["--audit", "--configure -a", "--configure -a"]
    assert machine.calls("sleep") == ["1"]


def test_packages__ordinary_user__they_are_named(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "apt-get", user=1000)
    done = machine.set_up()
    assert done.returncode == 1
    assert "sudo apt-get install --no-install-recommends gcc libc6-dev" in done.stderr
    machine.has(*REQUIRED)
    assert machine.set_up().returncode == 0
    assert machine.notes.read_text() == ""


OTHERS = {
    "dnf": "dnf install gcc glibc-devel util-linux-core python3 python3-devel"
    " libnetfilter_queue-devel iptables-nft iproute",
    "apk": "apk add gcc musl-dev flock python3 python3-dev libnetfilter_queue-dev iptables iproute2",
    "pacman": "pacman -S --needed gcc glibc util-linux python libnetfilter_queue iptables iproute2",
    "": "gcc /usr/include/stdio.h flock python3 Python.h venv"
    " /usr/include/libnetfilter_queue/libnetfilter_queue.h iptables ip",
}


@pytest.mark.parametrize("manager", OTHERS)
def test_packages__other_distributions__are_named_in_one_line(tmp_path: Path, manager: str) -> None:
    machine = Machine(tmp_path, manager, user=0)
    done = machine.set_up()
    assert done.returncode == 1
    assert re.fullmatch(rf".*: {re.escape(OTHERS[manager])}\n", done.stderr)
    machine.has(*REQUIRED)
    assert machine.set_up().returncode == 0


def test_packages__the_python_asked_for_is_not_there__one_line_says_so(tmp_path: Path) -> None:
    done = debian(tmp_path).set_up(PYTHON="python3.99")
    assert (done.returncode, done.stderr) == (1, "PYTHON=python3.99: there is no such command\n")


def test_packages__headers_of_a_python_asked_for_by_its_number__are_those_of_its_package(
    tmp_path: Path,
) -> None:
    machine = debian(tmp_path, *REQUIRED, *OPTIONAL)
    machine.stub("python3.12", 'case "$*" in -c*) exit 1 ;; esac')
    assert machine.set_up(PYTHON="python3.12").returncode == 1
    assert machine.calls("apt-get")[-1] == "install --fix-broken python3.12-dev python3.12-venv"
