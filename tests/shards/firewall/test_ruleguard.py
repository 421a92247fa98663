"""Rules that somebody removes from under a running server: seen, restored, logged, counted."""

import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.ffi.netlink import request
from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.firewall import firewall
from gossamer.shards.firewall.ruleguard import RuleGuard
from gossamer.shards.firewall.rules import QueueTarget
from gossamer.shards.machine.procfs import own_identity

from ...cli.inside import gossamer
from ..conftest import Server, wait_until

pytestmark = pytest.mark.needs("nfqueue")

Serve = Callable[..., Server]

PORT = 18095
COMMANDS = ("iptables", "ip6tables")
VARIANTS = ("nft", "legacy")
NETLINK_NETFILTER, BATCH_BEGIN, BATCH_END, NFT_MSG_DELTABLE = 12, 16, 17, 2
NFNL_SUBSYS_NFTABLES = 10
SLOW_SECONDS = 20.0
"""In which a loaded machine, too, sees and restores what takes 0.4 s elsewhere."""


class Guarded:
    """A server in a namespace, on one of the two kinds of iptables."""

    def __init__(self, namespace: Namespace, folder: Path, variant: str) -> None:
        self.namespace = namespace
        self.variant = variant
        self.path = folder / variant
        self.path.mkdir()
        for command in COMMANDS:
            for verb in ("", "-save", "-restore"):
                found = shutil.which(f"{command}-{variant}{verb}")
                if found is None:
                    pytest.skip(f"needs {command}-{variant}{verb}")
                (self.path / f"{command}{verb}").symlink_to(found)

    @property
    def search_path(self) -> str:
        """Where a command finds that iptables."""
        return f"{self.path}:{os.environ['PATH']}"

    @property
    def prefix(self) -> tuple[str, ...]:
        """What has a command find it."""
        return (*self.namespace.command([]), "env", f"PATH={self.search_path}")

    def run(self, command: str) -> str:
        done = subprocess.run(
            [*self.prefix, *command.split()], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rules(self) -> list[str]:
        """All rules in which a chain of ours stands, in both families."""
        lines = [line for each in COMMANDS for line in self.run(f"{each}-save").splitlines()]
        return sorted(line for line in lines if line.startswith("-A") and "GSMR" in line)

    def fetch(self) -> str:
        return self.run(f"curl -s -g -m 8 -w %{{http_code}} http://[::1]:{PORT}/") + self.run(
            f"curl -s -m 8 -w %{{http_code}} http://127.0.0.1:{PORT}/"
        )


@pytest.fixture(params=VARIANTS)
def guarded(request: pytest.FixtureRequest, namespace: Namespace, tmp_path: Path) -> Guarded:
    """Each kind of iptables in turn."""
    return Guarded(namespace, tmp_path, request.param)


def start(serve: Serve, guarded: Guarded, *argv: str) -> Server:
    options = ("--stack", "nfqueue", "--host", "::", "--port", str(PORT), *argv)
    return serve(*options, prefix=guarded.prefix).wait_ready()


def flush_nf_tables() -> None:
    """What `nft flush ruleset` sends: remove every table of every family."""
    head = struct.pack("=BBH", 0, 0, NFNL_SUBSYS_NFTABLES << 8)
    everything = struct.pack("=BBH", 0, 0, 0)
    batch = (
        request(BATCH_BEGIN, 0, 0, head)
        + request(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, 0, 1, everything)
        + request(BATCH_END, 0, 2, head)
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        netlink.bind((0, 0))
        netlink.send(batch)


def remove_first_jump(guarded: Guarded, table: str) -> None:
    """Remove one rule out of many."""
    guarded.run(f"iptables -t {table} -D INPUT 1")


def table_of(guarded: Guarded) -> str:
    """Where the rules stand."""
    saved = guarded.run("iptables-save")
    return next(part.split()[0] for part in saved.split("\n*")[0:] if "-j GSMR" in part).lstrip("*")


def flush(guarded: Guarded, how: str) -> None:
    """Do what somebody does."""
    table = table_of(guarded)
    match how:
        case "nft flush ruleset":
            with guarded.namespace.entered():
                flush_nf_tables()
        case "one rule":
            remove_first_jump(guarded, table)
        case "chains too":
            for command in COMMANDS:
                guarded.run(f"{command} -t {table} -F")
                guarded.run(f"{command} -t {table} -X")
        case command:
            guarded.run(f"{command} -t {table} -F")


def time_to_restore(guarded: Guarded, before: list[str]) -> float:
    began = time.monotonic()
    wait_until(lambda: guarded.rules() == before, "the rules stand again", seconds=60)
    return time.monotonic() - began


WAYS = ("iptables", "ip6tables", "chains too", "one rule", "nft flush ruleset")
SAID = re.compile(r"firewall: (\d+) of (\d+) rules were removed by somebody, and are restored")


def test_rules__of_others_or_flushed_or_fought_over__restored_logged_and_counted(
    serve: Serve, guarded: Guarded
) -> None:
    """One server of each kind of iptables; `firewall up` ends what it remembers of a fight."""
    server = start(serve, guarded, "--set", "nfqueue.active_ports_per_worker=8")
    rules_of_others_change_and_nothing_is_restored(server, guarded)
    for how in WAYS:
        if guarded.variant == "nft" or not how.startswith("nft"):  # nf_tables holds none of iptables-legacy
            flushed_seen_restored_logged_and_counted(server, guarded, how)
            bring_up(server, guarded)
    assert "rules were removed by somebody, and restored" in server.command("status").stdout
    removed_again_and_again_restored_ever_later_and_said(server, guarded)
    assert server.command("stop").returncode == 0
    assert guarded.rules() == []


def bring_up(server: Server, guarded: Guarded) -> None:
    with guarded.namespace.entered():
        up = server.command("firewall", "up", PATH=guarded.search_path)
    assert up.returncode == 0, up


def flushed_seen_restored_logged_and_counted(server: Server, guarded: Guarded, how: str) -> None:
    before, total = guarded.rules(), server.status()["rules_restored_total"]
    said = len(SAID.findall(server.log()))
    assert guarded.fetch() == "hello\n200hello\n200", how
    flush(guarded, how)
    assert len(guarded.rules()) < len(before) or len(SAID.findall(server.log())) > said, how
    assert time_to_restore(guarded, before) < SLOW_SECONDS, how
    assert guarded.fetch() == "hello\n200hello\n200", how
    status = wait_until(
        lambda: (s := server.status())["rules_restored_total"] > total and s, f"{how}: it is counted"
    )
    assert status["rules_trouble"] == ""
    found = wait_until(lambda: SAID.findall(server.log())[said:], f"{how}: it is logged")
    assert int(found[0][1]) == len(before)


def rules_of_others_change_and_nothing_is_restored(server: Server, guarded: Guarded) -> None:
    table = table_of(guarded)
    for _ in range(3):
        guarded.run(f"iptables -t {table} -I INPUT -p tcp --dport 9 -j ACCEPT")
        guarded.run("iptables -t filter -A INPUT -p tcp --dport 9 -j ACCEPT")
        time.sleep(0.4)
    assert guarded.fetch() == "hello\n200hello\n200"
    status = server.status()
    assert (status["rules_restored_total"], status["rules_trouble"]) == (0, "")
    assert "firewall:" not in server.log()
    for _ in range(3):
        guarded.run(f"iptables -t {table} -D INPUT -p tcp --dport 9 -j ACCEPT")


def removed_again_and_again_restored_ever_later_and_said(server: Server, guarded: Guarded) -> None:
    before, table = guarded.rules(), table_of(guarded)
    restored = server.log().count("and are restored")

    def trouble_after_a_flush() -> str:
        guarded.run(f"iptables -t {table} -F")
        trouble = str(server.status()["rules_trouble"])
        # One of the flushes may meet a restoring, which then fails and says so first.
        return trouble if "again and again" in trouble else ""

    trouble = wait_until(trouble_after_a_flush, "it is said that somebody fights")
    assert "removed again and again" in trouble
    wait_until(lambda: "removed again and again" in server.log(), "it is logged")
    assert 3 <= server.log().count("and are restored") - restored <= 6
    assert server.log().count("removed again and again") == 1
    bring_up(server, guarded)
    assert guarded.rules() == before
    assert wait_until(lambda: not server.status()["rules_trouble"], "peace")


@pytest.mark.parametrize("host", ["::", "127.0.0.1 -j ACCEPT"])
def test_firewall_up__a_state_that_somebody_wrote__nothing_is_installed(
    namespace: Namespace, tmp_path: Path, host: str
) -> None:
    own = own_identity()
    target = {"port_first": 22, "port_last": 22, "queues": [7], "host": host}
    state = {
        "pid": own.pid, "start_ticks": own.start_ticks, "host": host, "port": 22, "stack": "nfqueue",
        "url": "http://a/", "chains": [], "targets": [target], "hmark_secret": 1,
    }  # fmt: skip
    (tmp_path / "state.json").write_text(json.dumps(state))
    with namespace.entered():
        done = gossamer("firewall", "up", "--run-dir", str(tmp_path))
    assert (done.returncode, len(done.stderr.splitlines())) == (5, 1), done
    assert "GSMR" not in namespace.run(["iptables-save"]) + namespace.run(["ip6tables-save"])


def test_guard__removed_before_it_has_looked__no_guard_of_nothing(namespace: Namespace) -> None:
    target = QueueTarget(PORT, PORT, (300, 301), "::")
    with namespace.entered():
        chain = firewall.install_rules(own_identity(), target, 1).chains[0]
        assert RuleGuard(own_identity(), (target,), 1).families == (4, 6)
        namespace.run(["iptables", "-t", "security", "-F"])
        with pytest.raises(firewall.FirewallError, match=f"{chain} was removed while it was installed"):
            RuleGuard(own_identity(), (target,), 1)
