"""Kernel modules that iptables misses: named, and loaded where that is possible."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gossamer.ffi.privileges import CAP_SYS_MODULE, effective_capabilities
from gossamer.shards.firewall import firewall
from gossamer.shards.firewall.rules import QueueTarget
from gossamer.shards.machine.modules import load_module, missing_modules
from gossamer.shards.machine.procfs import ProcessIdentity

needs_modules = pytest.mark.skipif(
    CAP_SYS_MODULE not in effective_capabilities(), reason="needs CAP_SYS_MODULE: without it none is loaded"
)

NFQUEUE_MISSING = "Warning: Extension NFQUEUE revision 0 not supported, missing kernel module?"
HMARK_MISSING = "Warning: Extension HMARK revision 0 not supported, missing kernel module?"
TARGET = QueueTarget(18080, 18080, (300,), "0.0.0.0")
Programs = Callable[..., Path]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """A function that makes shell programs, the only ones on the search path; returns where they write."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(**scripts: str) -> Path:
        for name, script in scripts.items():
            program = folder / name.replace("_", "-")
            program.write_text(f"#!/bin/sh\ncd '{tmp_path}'\n{script}\n")
            program.chmod(0o755)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("said", "modules"),
    [
        (NFQUEUE_MISSING, ("xt_NFQUEUE",)),
        (
            f"{NFQUEUE_MISSING}\n{NFQUEUE_MISSING}\n{HMARK_MISSING}\niptables-restore: line 3 failed",
            ("xt_NFQUEUE", "xt_HMARK"),
        ),
        (
            "v1.8.9 (legacy): can't initialize ip6tables table `raw': Table does not exist (do you",
            ("ip6table_raw",),
        ),
        (
            "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'security'\nE",
            ("iptable_security",),
        ),
        (
            "ip6tables-restore v1.8.9 (legacy): ip6tables-restore: unable to initialize table 'security'",
            ("ip6table_security",),
        ),
        ("iptables-restore: line 2 failed", ()),
        ("", ()),
    ],
)
def test_missing_modules__standard_error_of_iptables__their_names(
    said: str, modules: tuple[str, ...]
) -> None:
    assert missing_modules(said) == modules


@needs_modules
@pytest.mark.parametrize("code", [0, 1])
def test_load_module__modprobe_is_there__asked_once_and_believed(programs: Programs, code: int) -> None:
    made = programs(modprobe=f'echo "$@" >> asked; exit {code}')
    assert load_module("xt_NFQUEUE") == (code == 0)
    assert (made / "asked").read_text() == "-q -- xt_NFQUEUE\n"


def test_load_module__no_modprobe__false(programs: Programs) -> None:
    programs()
    assert not load_module("xt_NFQUEUE")


def iptables(programs: Programs, modprobe: str) -> Path:
    """A machine whose kernel has no NFQUEUE until modprobe has loaded it."""
    return programs(
        iptables_save="",
        iptables_restore=f'[ -e loaded ] || {{ echo "{NFQUEUE_MISSING}" >&2; exit 4; }}',
        modprobe=modprobe,
    )


@needs_modules
def test_install__module_can_be_loaded__loaded_and_installed(programs: Programs) -> None:
    made = iptables(programs, 'echo "$@" >> asked; : > loaded')
    assert firewall.install_rules(ProcessIdentity(1, 1), TARGET, 1).warnings == ()
    assert (made / "asked").read_text() == "-q -- xt_NFQUEUE\n"


def test_install__module_is_not_to_be_had__its_name_and_the_way_out(programs: Programs) -> None:
    iptables(programs, "exit 1")
    said = "iptables-restore: the kernel lacks the module xt_NFQUEUE; modprobe -a xt_NFQUEUE on the host"
    with pytest.raises(firewall.FirewallError, match=said):
        firewall.install_rules(ProcessIdentity(1, 1), TARGET, 1)


LEGACY_WITHOUT_SECURITY = """
read -r table
if [ "$table" = "*security" ]; then
    echo "iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'security'" >&2
    exit 1
fi
"""


def test_install__kernel_has_no_table_security__mangle_and_what_it_means(programs: Programs) -> None:
    programs(
        iptables_save='[ "$2" = mangle ] || { echo "Cannot initialize: Table does not exist" >&2; exit 1; }',
        iptables_restore=LEGACY_WITHOUT_SECURITY,
        modprobe="exit 1",
    )
    (warning,) = firewall.install_rules(ProcessIdentity(1, 1), TARGET, 1).warnings
    assert "no table security, and mangle comes before the host's filter" in warning


def test_saved_rules__no_table_is_to_be_had__error(programs: Programs) -> None:
    programs(iptables_save='echo "Cannot initialize: Table does not exist" >&2; exit 1', iptables_restore="")
    with pytest.raises(firewall.FirewallError, match="Cannot initialize"):
        firewall.saved_rules(4)
