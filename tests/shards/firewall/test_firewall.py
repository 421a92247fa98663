"""The firewall's doer, in a namespace of its own."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.firewall import firewall
from gossamer.shards.firewall.rules import QueueTarget, Variant, chain_name
from gossamer.shards.machine.procfs import ProcessIdentity, own_identity, read_queues
from gossamer.shards.opening.active_opens import active_opens

pytestmark = pytest.mark.needs("nfqueue")

TARGET = QueueTarget(18080, 18080, (300, 301), "0.0.0.0")
BOTH = QueueTarget(18081, 18081, (302, 303), "::")


def rules() -> list[str]:
    shown = firewall.our_rules()
    return shown["iptables"] + shown["ip6tables"]


def dead_owner() -> ProcessIdentity:
    process = subprocess.Popen(["true"])
    process.wait()
    return ProcessIdentity(process.pid, 1)


def test_install_and_remove__everything_there_and_gone(namespace: Namespace) -> None:
    with namespace.entered():
        installed = firewall.install_rules(own_identity(), TARGET, 1)
        assert installed.warnings == ()
        text = "\n".join(rules())
        match = "-A INPUT -p tcp -m pkttype --pkt-type unicast -m addrtype --dst-type LOCAL -m tcp"
        assert f"-t security {match} --dport 18080 -j GSMR-I-18080" in text
        assert "HMARK" in text
        assert "--queue-num 300 --queue-bypass" in text
        assert "--queue-num 301 --queue-bypass" in text
        assert "notrack" not in text
        assert installed.chains == (chain_name(18080, own_identity()),)
        assert firewall.remove_rules_of(own_identity()) == list(installed.chains)
        assert rules() == []


def test_remove__no_table_of_ours__no_command_is_run(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("iptables-save", "ip6tables-save"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho x >> {tmp_path}/ran\nexec {shutil.which(name)} "$@"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with namespace.entered():
        assert firewall.remove_dead_rules() == []
        assert not (tmp_path / "ran").exists()
        firewall.install_rules(dead_owner(), TARGET, 1)
        assert len(firewall.remove_dead_rules()) == 1
        assert (tmp_path / "ran").read_text() == "x\n", "one family, one table"


def test_install__both_families_where_the_host_is_both(namespace: Namespace) -> None:
    with namespace.entered():
        assert firewall.install_rules(own_identity(), BOTH, 1).warnings == ()
        shown = firewall.our_rules()
        assert len(shown["iptables"]) > 5
        assert len(shown["ip6tables"]) > 5


def test_install__twice__the_same_rules_once(namespace: Namespace) -> None:
    with namespace.entered():
        firewall.install_rules(own_identity(), TARGET, 1)
        once = rules()
        firewall.install_rules(own_identity(), TARGET, 1)
        assert rules() == once


def test_remove__twice_or_after_a_flush__no_error(namespace: Namespace) -> None:
    with namespace.entered():
        firewall.install_rules(own_identity(), TARGET, 1)
        subprocess.run(["iptables", "-t", "security", "-F"], check=True)
        assert len(firewall.remove_rules_of(own_identity())) == 1
        assert firewall.remove_rules_of(own_identity()) == []


def test_remove__rules_of_others__stay(namespace: Namespace) -> None:
    foreign = "-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"
    with namespace.entered():
        subprocess.run(["iptables", "-t", "security", *foreign.split()], check=True)
        firewall.install_rules(own_identity(), TARGET, 1)
        firewall.remove_rules_of(own_identity())
        assert foreign in firewall.saved_rules(4)


def test_install__mangle_alone__what_does_not_hold_is_said_and_all_of_it_removed(
    namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with namespace.entered():
        monkeypatch.setattr(firewall, "BEST", Variant(table="mangle"))
        installed = firewall.install_rules(own_identity(), BOTH, 1)
        assert [warning.partition(" has no table security")[0] for warning in installed.warnings] == [
            "iptables",
            "ip6tables",
        ]
        assert rules()
        assert all(rule.startswith("-t mangle ") for rule in rules())
        assert firewall.port_ranges_taken() == ((18081, 18081),)
        firewall.remove_rules_of(own_identity())
        assert rules() == []


def test_remove_dead__owner_lives__stays_and_the_dead_one_goes(namespace: Namespace) -> None:
    with namespace.entered():
        firewall.install_rules(own_identity(), TARGET, 1)
        dead = firewall.install_rules(dead_owner(), BOTH, 1)
        assert set(firewall.remove_dead_rules()) == set(dead.chains)
        assert rules()
        assert not any("18081" in rule for rule in rules())


def test_install__refused_by_iptables__error_and_nothing_left(namespace: Namespace) -> None:
    with namespace.entered():
        with pytest.raises(firewall.FirewallError, match="iptables-restore: exit code"):
            firewall.install_rules(own_identity(), QueueTarget(18080, 18080, (300,), "999.0.0.1"), 1)
        assert rules() == []


def test_active_opens__ports_queue_and_rules__all_given_back(namespace: Namespace) -> None:
    with namespace.entered():
        with active_opens(100) as one, active_opens(50) as two:
            assert one.ports == range(61000, 61100)
            assert two.ports == range(61100, 61150)
            assert {queue.number for queue in read_queues()} == {one.queue_number, two.queue_number}
            assert any("--dport 61000:61099" in rule for rule in rules())
        assert rules() == []
        assert read_queues() == []


def test_active_opens__more_ports_than_there_are__error(namespace: Namespace) -> None:
    with (
        namespace.entered(),
        pytest.raises(CannotStartError, match="no 9999 neighbouring ports"),
        active_opens(9999),
    ):
        pass


def test_own_identity__is_the_process_not_the_thread() -> None:
    assert own_identity().pid == os.getpid()
