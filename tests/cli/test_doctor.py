"""gossamer doctor as its users run it: where all is there, without rights, and without a network's rights."""

import json
import subprocess
import sys
from typing import Any

import pytest

from gossamer.loadtest.namespaces import Namespace

COMMAND = [sys.executable, "-P", "-c", "from gossamer.cli.main import main; main()", "doctor"]
NO_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"]
ROWS = {"Python", "rights", "kernel", "system calls", "a queue", "rules", "run directory", "package click"}


def said(argv: list[str]) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.needs("nfqueue")
def test_doctor__all_rights__both_stacks_run_and_nothing_is_left(namespace: Namespace) -> None:
    code, found = said(namespace.command([*COMMAND, "--stack", "nfqueue", "--json"]))
    amiss = [row for row in found["findings"] if row["way_out"] and row["needed_for"] != "some users"]
    # The namespace's `lo` is down before somebody sets it up, or up, as a fixture has it.
    assert [row["name"] for row in amiss] in ([], ["lo"])
    assert {row["name"] for row in found["findings"]} >= ROWS
    assert code == (3 if amiss else 0)
    assert found["runs"] is (not amiss)
    assert "gossamer" not in namespace.run(["iptables-save"]).lower()


@pytest.mark.needs("setpriv")
def test_doctor__without_rights__kernel_sockets_and_what_the_functional_tcp_lacks() -> None:
    argv = [*NO_RIGHTS, *COMMAND, "--json"]
    code, found = said(argv)
    rows = {row["name"]: row for row in found["findings"]}
    assert (code, found["runs"], found["wanted"]) == (0, True, "auto")
    assert found["verdict"].startswith("kernel sockets serve, and auto takes them")
    assert "CAP_NET_ADMIN" in rows["rights"]["way_out"]
    assert rows["netfilter's netlink"]["way_out"]
    assert rows["rules"]["found"] == "not tried"
    code, found = said([*argv, "--stack", "nfqueue"])
    assert (code, found["runs"]) == (3, False)


def test_doctor__for_people__a_row_each_and_the_verdict_last() -> None:
    done = subprocess.run([*COMMAND], capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    assert sum(line.startswith(("ok", "!", "no")) for line in lines) >= len(ROWS)
    assert "stack" in lines[-1] or "sockets" in lines[-1]
    assert done.stderr == ""
