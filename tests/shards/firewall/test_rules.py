"""The text of the firewall rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.firewall.rules import (
    BEST,
    QueueTarget,
    Variant,
    base36,
    build_removal,
    build_rules,
    chain_name,
    chains_in,
    evaluations_max,
    families,
    is_of_tree,
    owner_of_chain,
    poorer,
    port_ranges_in,
)
from gossamer.shards.machine.procfs import ProcessIdentity

OWNER = ProcessIdentity(pid=4242, start_ticks=36**3 + 1)
IN, OLD = "GSMR-I-8080-4242-1001", "GSMR-I-9090-4242-1001"
TWO = QueueTarget(8080, 8080, (100, 101), "192.0.2.1")

SAVED = f"""# Generated
*security
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:GSMR-I-61000-7-2 - [0:0]
:{IN} - [0:0]
:OTHER - [0:0]
-A INPUT -d 192.0.2.1/32 -p tcp -m tcp --dport 8080 -j {IN}
-A INPUT -p icmp -m u32 --u32 "0x4&0x1fff=0x0" -j {IN}
-A INPUT -p tcp -m tcp --dport 61000:61511 -j GSMR-I-61000-7-2
-A INPUT -p tcp -m tcp --dport 22 -j OTHER
-A {IN} -j NFQUEUE --queue-num 100
COMMIT
# Completed

# Generated
*mangle
:INPUT ACCEPT [0:0]
:{OLD} - [0:0]
-A INPUT -p tcp -m tcp --dport 9090 -j {OLD}
COMMIT
"""


@given(st.integers(0, 65535), st.integers(1, 4_194_304), st.integers(0, 36**7 - 1))
def test_chain_name__any_owner__short_enough_and_read_back(port: int, pid: int, ticks: int) -> None:
    name = chain_name(port, ProcessIdentity(pid, ticks))
    assert len(name) <= 28
    assert owner_of_chain(name) == ProcessIdentity(pid, ticks)


@pytest.mark.parametrize(
    "name",
    ["PREROUTING", "GSMR-X-1-1-1", "GSMR-O-1-1-1", "GSMR-I-1-1", "xGSMR-I-1-1-1", "GSMR-I-1-1-1-1", ""],
)
def test_owner_of_chain__not_ours__none(name: str) -> None:
    assert owner_of_chain(name) is None


@given(st.integers(0, 10**12))
def test_base36__read_back__the_same(number: int) -> None:
    assert int(base36(number), 36) == number


def test_build_rules__two_queues__symmetric_hash_then_mark_to_queue() -> None:
    lines = build_rules(4, OWNER, TWO, 0xABCDEF).splitlines()
    hmark = "--hmark-tuple src,dst,sport,dport --hmark-mod 2 --hmark-offset 2 --hmark-rnd 0x00abcdef"
    assert lines[:7] == [
        "*security",
        f":{IN} - [0:0]",
        f"-F {IN}",
        f"-A {IN} -j HMARK {hmark}",
        f"-A {IN} -m mark --mark 0x2/0xffffffff -j NFQUEUE --queue-bypass --queue-num 100",
        f"-A {IN} -j NFQUEUE --queue-bypass --queue-num 101",
        f"-A INPUT -p tcp -m pkttype --pkt-type unicast -d 192.0.2.1 --dport 8080 -j {IN}",
    ]
    assert lines[-1] == "COMMIT"


def met(lines: list[str], mark: int, *, opens: bool = False) -> tuple[int, int]:
    """The queue of a packet with that mark, and how many rules it has met, that of HMARK counted."""
    chain, rules = IN, 1
    while True:
        for line in lines:
            words = line.split()
            if words[:2] != ["-A", chain] or "HMARK" in words:
                continue
            rules += 1
            if "--tcp-flags" in words and not opens:
                continue
            if "--mark" in words:
                value, mask = (int(word, 16) for word in words[words.index("--mark") + 1].split("/"))
                if mark & mask != value:
                    continue
            target = words[words.index("-j") + 1]
            if target == "NFQUEUE":
                return int(words[-1]), rules
            chain = target
            break


@pytest.mark.parametrize("count", [2, 3, 4, 8, 16, 64, 256])
def test_build_rules__any_number_of_queues__each_mark_comes_to_its_own_by_few_rules(count: int) -> None:
    queues = tuple(range(100, 100 + count))
    target = QueueTarget(8080, 8080, queues, handshake_queues=tuple(1_000 + queue for queue in queues))
    lines = build_rules(4, OWNER, target, 1).splitlines()
    found = [met(lines, count + index) for index in range(count)]
    assert [queue for queue, _ in found] == list(target.queues)
    opens = [met(lines, count + index, opens=True) for index in range(count)]
    assert [queue for queue, _ in opens] == list(target.handshake_queues)
    if count != 3:
        assert max(rules for _, rules in (*found, *opens)) == evaluations_max(count)
    heads = [line[1:].split()[0] for line in lines if line.startswith(":")]
    assert len(heads) == len(set(heads))
    assert all(is_of_tree(name, IN) for name in heads)


def test_build_rules__one_queue__no_hash() -> None:
    text = build_rules(4, OWNER, QueueTarget(8080, 8080, (7,)), 1)
    assert "HMARK" not in text
    assert f"-A {IN} -j NFQUEUE --queue-bypass --queue-num 7" in text


def test_build_rules__one_queue_and_one_for_syns__whatever_may_open_goes_there() -> None:
    target = QueueTarget(8080, 8080, (7,), handshake_queues=(8,))
    lines = build_rules(4, OWNER, target, 1).splitlines()
    to_queue = "NFQUEUE --queue-bypass --queue-num"
    first = lines.index(f"-A {IN} -p tcp -m tcp --tcp-flags SYN,ACK SYN -j {to_queue} 8")
    assert lines[first + 1] == f"-A {IN} -j {to_queue} 7"


def test_build_rules__any_host__only_what_is_for_this_machine() -> None:
    text = build_rules(6, OWNER, QueueTarget(8080, 8080, (7,), "::"), 1)
    to_us = "-m pkttype --pkt-type unicast -m addrtype --dst-type LOCAL"
    assert f"-A INPUT -p tcp {to_us} --dport 8080 -j {IN}" in text.splitlines()
    assert "-d ::" not in text


def test_build_rules__ipv6__has_fragments_joined_by_a_rule_that_decides_nothing() -> None:
    assert build_rules(6, OWNER, TWO, 1).splitlines()[6] == f"-A {IN} -p tcp -m socket -j RETURN"
    assert "-m socket" not in build_rules(4, OWNER, TWO, 1)


def test_build_rules__range__its_ports_and_icmp() -> None:
    text = build_rules(4, OWNER, QueueTarget(61000, 61511, (7,)), 1)
    assert "--dport 61000:61511 -j GSMR-I-61000-" in text
    assert "8>>16=61000:61511" in text


@pytest.mark.parametrize(("family", "count"), [(4, 3), (6, 4)])
def test_build_rules__icmp__only_errors_that_quote_our_port(family: int, count: int) -> None:
    lines = build_rules(family, OWNER, TWO, 1).splitlines()  # type: ignore[arg-type]
    icmp = [line for line in lines if "icmp" in line]
    assert len(icmp) == count
    assert all("-m u32" in line and ">>16=8080" in line for line in icmp)


def test_build_rules__every_rule_of_input__names_our_port() -> None:
    jumps = [line for line in build_rules(4, OWNER, TWO, 1).splitlines() if line.startswith("-A INPUT")]
    assert jumps
    assert all("8080" in line for line in jumps)


def test_build_rules__poorer_variant__leaves_out_what_is_missing() -> None:
    plain = Variant("mangle", hmark=False, icmp=False, addrtype=False, pkttype=False, socket=False)
    text = build_rules(6, OWNER, TWO, 1, plain)
    assert all(word not in text for word in ("HMARK", "u32", "addrtype", "pkttype", "socket", "security"))
    assert text.startswith("*mangle\n")
    assert f"-A {IN} -j NFQUEUE --queue-bypass --queue-num 100" in text


@pytest.mark.parametrize(
    ("modules", "then"),
    [
        (("xt_HMARK",), Variant(hmark=False)),
        (("xt_u32", "xt_socket"), Variant(icmp=False, socket=False)),
        (("xt_NFQUEUE", "xt_HMARK"), Variant(hmark=False)),
        (("xt_NFQUEUE",), None),
        (("iptable_security",), Variant("mangle")),
        (("ip6table_security",), Variant("mangle")),
        ((), Variant(icmp=False)),
    ],
)
def test_poorer__kernel_lacks_a_module__without_that_alone(
    modules: tuple[str, ...], then: Variant | None
) -> None:
    assert poorer(BEST, modules) == then


def test_poorer__nobody_says_what_is_missing__everything_is_tried_in_both_tables() -> None:
    tried = [BEST]
    while (variant := poorer(tried[-1], ())) is not None:
        tried.append(variant)
    assert [each.table for each in tried] == ["security"] * 6 + ["mangle"] * 6
    assert tried[5] == Variant(hmark=False, icmp=False, addrtype=False, pkttype=False, socket=False)


def test_poorer__mangle_is_missing_too__none() -> None:
    assert poorer(Variant("mangle"), ("iptable_mangle",)) is None


def test_families__host__where_its_packets_come() -> None:
    assert [families(host) for host in ("127.0.0.1", "0.0.0.0", "::", "", "::1")] == [
        (4,),
        (4,),
        (4, 6),
        (4, 6),
        (6,),
    ]


def test_chains_in__saved__ours_alone() -> None:
    assert chains_in(SAVED) == ["GSMR-I-61000-7-2", IN, OLD]


def test_build_removal__jumps_first_then_chains_and_nothing_else() -> None:
    assert build_removal(SAVED, frozenset({IN, OLD})).splitlines() == [
        "*security",
        f"-D INPUT -d 192.0.2.1/32 -p tcp -m tcp --dport 8080 -j {IN}",
        f'-D INPUT -p icmp -m u32 --u32 "0x4&0x1fff=0x0" -j {IN}',
        f"-F {IN}",
        f"-X {IN}",
        "COMMIT",
        "*mangle",
        f"-D INPUT -p tcp -m tcp --dport 9090 -j {OLD}",
        f"-F {OLD}",
        f"-X {OLD}",
        "COMMIT",
    ]


def test_build_removal__chain_is_gone_already__nothing() -> None:
    assert build_removal(SAVED, frozenset({"GSMR-I-1-1-1"})) == ""
    assert build_removal("", frozenset({IN})) == ""


def test_port_ranges_in__saved__ours_alone() -> None:
    assert port_ranges_in(SAVED) == [(8080, 8080), (61000, 61511), (9090, 9090)]
