"""Commands of the firewall that hang, or are gone when the server ends: bounded, and said."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.firewall import firewall
from gossamer.shards.firewall.rules import QueueTarget
from gossamer.shards.machine.procfs import own_identity

from .conftest import Server, wait_until

pytestmark = pytest.mark.needs("nfqueue")

Serve = Callable[..., Server]

PORT = 18097
NAMES = tuple(f"{family}-{verb}" for family in ("iptables", "ip6tables") for verb in ("save", "restore"))
HANGING = "#!/bin/sh\nsleep 1000 & wait\n"
LOCKED = "#!/bin/sh\necho 'Another app is currently holding the xtables lock' >&2; exit 4\n"
TARGET = QueueTarget(18081, 18081, (302, 303), "::")


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder with links to the commands, to stand alone in PATH beside what a server needs of it."""
    made = tmp_path / "commands"
    made.mkdir()
    for name in NAMES:
        found = shutil.which(name)
        assert found is not None
        (made / name).symlink_to(found)
    return made


def replace(commands: Path, name: str, script: str) -> None:
    (commands / name).unlink()
    (commands / name).write_text(script)
    (commands / name).chmod(0o755)


def start(serve: Serve, namespace: Namespace, commands: Path, *argv: str) -> Server:
    prefix = (*namespace.command([]), "env", f"PATH={commands}")
    return serve("--stack", "nfqueue", "--port", str(PORT), *argv, prefix=prefix)


@pytest.mark.parametrize("gone", [NAMES[:2], NAMES[2:]])
def test_end__iptables_is_gone__exit_3_and_how_many_rules_stay(
    serve: Serve, namespace: Namespace, commands: Path, gone: tuple[str, ...]
) -> None:
    server = start(serve, namespace, commands, "--host", "::").wait_ready()
    wait_until(lambda: server.status()["workers"][0]["state"] == "serving", "it serves")
    for name in gone:
        (commands / name).unlink()
    server.process.terminate()
    assert server.wait_end() == 3
    last = server.log().splitlines()[-1]
    command = gone[0].removesuffix("-save")
    saved = namespace.run([f"{command}-save"])
    assert f"{command}-save and {command}-restore are not to be found" in last
    assert "gossamer firewall down --dead removes them" in last
    assert any(line.startswith("-A") and "GSMR" in line for line in saved.splitlines())
    assert "Traceback" not in server.log()
    for name in gone:
        (commands / name).symlink_to(shutil.which(name) or "")
    with namespace.entered():
        assert server.command("firewall", "show", PATH=str(commands)).returncode != 1
        assert len(firewall.remove_dead_rules()) == 1
        assert firewall.our_rules() == {"iptables": [], "ip6tables": []}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iptables-restore", "iptables-save"])
def test_start__iptables_hangs__ends_in_time_and_leaves_no_process(
    serve: Serve, namespace: Namespace, commands: Path, name: str
) -> None:
    replace(commands, name, HANGING.replace("sleep", str(shutil.which("sleep"))))
    began = time.monotonic()
    server = start(serve, namespace, commands)
    assert server.wait_end(120) == 3
    assert time.monotonic() - began < 3 * firewall.TIMEOUT_SECONDS
    assert f"{name}: not done after {firewall.TIMEOUT_SECONDS} s, and killed" in server.log()
    assert namespace.pids() == []


def test_install__locked_out_or_hanging__no_other_rules_are_tried(
    namespace: Namespace, commands: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried = tmp_path / "tried"
    for script, said in ((LOCKED, "exit code 4"), (HANGING, "not done after 0.5 s")):
        tried.write_text("")
        counting = script.replace("#!/bin/sh\n", f"#!/bin/sh\necho x >> {tried}\n")
        replace(commands, "iptables-restore", counting)
        monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
        monkeypatch.setattr(firewall, "TIMEOUT_SECONDS", 0.5)
        with namespace.entered(), pytest.raises(firewall.FirewallError, match=said):
            firewall.install_rules(own_identity(), TARGET, 1)
        assert tried.read_text() == "x\n"
