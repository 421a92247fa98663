"""The text of the firewall rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.rules import (
    Owner,
    QueueTarget,
    Variant,
    base36,
    build_removal,
    build_rules,
    chain_name,
    chains_in,
    families,
    owner_of_chain,
    port_ranges_in,
)

OWNER = Owner(pid=4242, start_ticks=36**3 + 1)
IN, OUT = "GSMR-I-8080-4242-1001", "GSMR-O-8080-4242-1001"
TWO = QueueTarget(8080, 8080, (100, 101), "192.0.2.1")

SAVED = f"""# Generated
*raw
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:GSMR-I-61000-7-2 - [0:0]
:{IN} - [0:0]
:{OUT} - [0:0]
:OTHER - [0:0]
-A PREROUTING -d 192.0.2.1/32 -p tcp -m tcp --dport 8080 -j {IN}
-A PREROUTING -p icmp -m u32 --u32 "0x4&0x1fff=0x0" -j {IN}
-A PREROUTING -p tcp -m tcp --dport 61000:61511 -j GSMR-I-61000-7-2
-A PREROUTING -p tcp -m tcp --dport 22 -j OTHER
-A OUTPUT -p tcp -m tcp --sport 8080 -j {OUT}
-A {IN} -j NFQUEUE --queue-num 100
COMMIT
"""


@given(st.integers(0, 65535), st.integers(1, 4_194_304), st.integers(0, 36**7 - 1))
def test_chain_name__any_owner__short_enough_and_read_back(port: int, pid: int, ticks: int) -> None:
    name = chain_name("I", port, Owner(pid, ticks))
    assert len(name) <= 28
    assert owner_of_chain(name) == Owner(pid, ticks)


@pytest.mark.parametrize(
    "name", ["PREROUTING", "GSMR-X-1-1-1", "GSMR-I-1-1", "xGSMR-I-1-1-1", "GSMR-I-1-1-1-1", ""]
)
def test_owner_of_chain__not_ours__none(name: str) -> None:
    assert owner_of_chain(name) is None


@given(st.integers(0, 10**12))
def test_base36__read_back__the_same(number: int) -> None:
    assert int(base36(number), 36) == number


def test_build_rules__two_queues__symmetric_hash_then_mark_to_queue_then_drop() -> None:
    lines = build_rules(4, OWNER, TWO, 0xABCDEF).splitlines()
    hmark = "--hmark-tuple src,dst,sport,dport --hmark-mod 2 --hmark-offset 1 --hmark-rnd 0x00abcdef"
    assert lines[:7] == [
        "*raw",
        f":{IN} - [0:0]",
        f"-F {IN}",
        f"-A {IN} -j HMARK {hmark}",
        f"-A {IN} -m mark --mark 1 -j NFQUEUE --queue-num 100",
        f"-A {IN} -m mark --mark 2 -j NFQUEUE --queue-num 101",
        f"-A {IN} -j DROP",
    ]
    assert f"-A PREROUTING -p tcp -d 192.0.2.1 --dport 8080 -j {IN}" in lines
    assert f"-A OUTPUT -p tcp -s 192.0.2.1 --sport 8080 -j {OUT}" in lines
    assert f"-A {OUT} -j CT --notrack" in lines
    assert lines[-1] == "COMMIT"


def test_build_rules__one_queue__no_hash() -> None:
    text = build_rules(4, OWNER, QueueTarget(8080, 8080, (7,)), 1)
    assert "HMARK" not in text
    assert f"-A {IN} -j NFQUEUE --queue-num 7" in text


def test_build_rules__any_host__only_what_is_for_this_machine() -> None:
    text = build_rules(6, OWNER, QueueTarget(8080, 8080, (7,), "::"), 1)
    assert f"-A PREROUTING -p tcp -m addrtype --dst-type LOCAL --dport 8080 -j {IN}" in text.splitlines()
    assert "-d ::" not in text


def test_build_rules__range__both_directions_and_icmp() -> None:
    text = build_rules(4, OWNER, QueueTarget(61000, 61511, (7,)), 1)
    assert "--dport 61000:61511 -j GSMR-I-61000-" in text
    assert "--sport 61000:61511 -j GSMR-O-61000-" in text
    assert "8>>16=61000:61511" in text


@pytest.mark.parametrize(("family", "count"), [(4, 3), (6, 4)])
def test_build_rules__icmp__only_errors_that_quote_our_port(family: int, count: int) -> None:
    lines = build_rules(family, OWNER, TWO, 1).splitlines()  # type: ignore[arg-type]
    icmp = [line for line in lines if "icmp" in line]
    assert len(icmp) == count
    assert all("-m u32" in line and ">>16=8080" in line for line in icmp)


def test_build_rules__every_prerouting_rule__names_our_port() -> None:
    jumps = [line for line in build_rules(4, OWNER, TWO, 1).splitlines() if line.startswith("-A PREROUTING")]
    assert jumps
    assert all("8080" in line for line in jumps)


def test_build_rules__poorer_variant__leaves_out_what_is_missing() -> None:
    text = build_rules(6, OWNER, TWO, 1, Variant(hmark=False, notrack=False, icmp=False, addrtype=False))
    assert all(word not in text for word in ("HMARK", "CT", "u32", "addrtype"))
    assert f"-A {IN} -j NFQUEUE --queue-num 100" in text


def test_families__host__where_its_packets_come() -> None:
    assert [families(host) for host in ("127.0.0.1", "0.0.0.0", "::", "", "::1")] == [
        (4,),
        (4,),
        (4, 6),
        (4, 6),
        (6,),
    ]


def test_chains_in__saved__ours_alone() -> None:
    assert chains_in(SAVED) == ["GSMR-I-61000-7-2", IN, OUT]


def test_build_removal__jumps_first_then_chains_and_nothing_else() -> None:
    assert build_removal(SAVED, frozenset({IN, OUT})).splitlines() == [
        "*raw",
        f"-D PREROUTING -d 192.0.2.1/32 -p tcp -m tcp --dport 8080 -j {IN}",
        f'-D PREROUTING -p icmp -m u32 --u32 "0x4&0x1fff=0x0" -j {IN}',
        f"-D OUTPUT -p tcp -m tcp --sport 8080 -j {OUT}",
        f"-F {IN}",
        f"-F {OUT}",
        f"-X {IN}",
        f"-X {OUT}",
        "COMMIT",
    ]


def test_build_removal__chain_is_gone_already__nothing() -> None:
    assert build_removal(SAVED, frozenset({"GSMR-I-1-1-1"})) == ""
    assert build_removal("", frozenset({IN})) == ""


def test_port_ranges_in__saved__ours_alone() -> None:
    assert port_ranges_in(SAVED) == [(8080, 8080), (61000, 61511)]
