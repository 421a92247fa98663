"""What lies in deploy/ is what its readers take, and asks for no more rights than it says."""

import configparser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[1] / "deploy"
SERVICES = ("gossamer.service", "gossamer-ambient.service", "gossamer-sockets.service")
UNITS = (*SERVICES, "gossamer-sockets.socket")
OURS = "/opt/gossamer/bin/gossamer"


def unit(name: str) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read_string((DEPLOY / name).read_text())
    return parser["Service"]


@pytest.mark.needs("systemd-analyze")
def test_units__systemd_finds_no_fault(tmp_path: Path) -> None:
    for name in UNITS:
        text = (DEPLOY / name).read_text()
        (tmp_path / name).write_text(text.replace(OURS, sys.executable).replace("/bin/kill", sys.executable))
    command = ["systemd-analyze", "verify", *(str(tmp_path / name) for name in UNITS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.long
@pytest.mark.needs("namespaces", "systemd-analyze")
@pytest.mark.parametrize("name", ["gossamer", "gossamer-ambient", "gossamer-sockets"])
def test_units__under_a_real_systemd__start_reload_watchdog_and_end(name: str) -> None:
    script = str(DEPLOY.parent / "scripts" / "real-systemd")
    done = subprocess.run([script, name], capture_output=True, text=True, timeout=400, check=False)
    assert (done.returncode, "BAD" in done.stdout) == (0, False), done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.needs("namespaces", "runc")
def test_containerfile__played_and_run_by_runc__two_rights_or_the_reason_why_not() -> None:
    script = str(DEPLOY.parent / "scripts" / "container-image")
    done = subprocess.run([script], capture_output=True, text=True, timeout=900, check=False)
    assert (done.returncode, "BAD" in done.stdout) == (0, False), done.stdout + done.stderr


def test_units__no_more_rights_than_are_needed() -> None:
    functional, ambient, sockets = map(unit, SERVICES)
    of_workers = {"CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_KILL"}
    assert set(functional["CapabilityBoundingSet"].split()) == {"CAP_NET_ADMIN", "CAP_NET_RAW"} | of_workers
    two = ambient["AmbientCapabilities"]
    assert (set(two.split()), ambient["CapabilityBoundingSet"]) == ({"CAP_NET_ADMIN", "CAP_NET_RAW"}, two)
    assert (sockets["CapabilityBoundingSet"], sockets["DynamicUser"]) == ("", "yes")
    assert {each["NoNewPrivileges"] for each in (functional, ambient, sockets)} == {"yes"}
    assert {each["Type"] for each in (functional, ambient, sockets)} == {"notify"}


def test_kubernetes__two_rights_and_not_privileged() -> None:
    manifest = json.loads((DEPLOY / "kubernetes.json").read_text())
    template = manifest["spec"]["template"]
    assert manifest["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    (container,) = template["spec"]["containers"]
    context = container["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]}
    assert not context["privileged"]
    assert not context["allowPrivilegeEscalation"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in template["spec"]["volumes"]
    }


@pytest.mark.parametrize("name", ["kubernetes.json", "Containerfile", *SERVICES])
def test_commands__the_server_takes_their_options(name: str) -> None:
    text = (DEPLOY / name).read_text()
    options = re.findall(r"--(?:host|stack|run-dir|admin|set|config)(?=[\" =])", text)
    assert options
    if name == "Containerfile":
        users = re.findall(r"^USER (\d+)", text, re.MULTILINE)
        assert users
        assert "0" not in users


@pytest.mark.needs("haproxy")
def test_haproxy__finds_no_fault() -> None:
    haproxy = shutil.which("haproxy") or ""
    command = [haproxy, "-c", "-f", str(DEPLOY / "haproxy.cfg")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
