"""What rules the host has: any that is not ours is found, of every kind."""

import errno
import select
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gossamer.ffi import rulesets
from gossamer.ffi.rulesets import (
    RulesetChanges,
    first_legacy_table,
    first_nf_tables_rule,
    has_ipsec_policies,
    legacy_sizes,
    nf_tables_generation,
    nf_tables_rules,
    tables_there_are,
)
from gossamer.loadtest.namespaces import Namespace

pytestmark = pytest.mark.needs("nfqueue")

OURS = b"GSMR-"
OUR_RULES = (
    "iptables -t security -N GSMR-I-80",
    "iptables -t security -A GSMR-I-80 -j NFQUEUE --queue-num 5",
    "iptables -t security -A INPUT -p tcp --dport 80 -j GSMR-I-80",
)
IPSEC = "ip xfrm policy add src 10.0.0.1 dst 10.0.0.2 dir out tmpl proto esp mode tunnel"


def apply(space: Namespace, *commands: str) -> None:
    for command in commands:
        program, *arguments = command.split()
        # Of iptables-legacy one runs at a time, whatever its namespace: it is to wait for others.
        space.run([program, *(["-w"] if "tables" in program else []), *arguments])


def test_none_but_ours__none_is_found(namespace: Namespace) -> None:
    apply(namespace, *OUR_RULES)
    with namespace.entered():
        assert first_nf_tables_rule(OURS) is None
        assert first_nf_tables_rule(b"other") == "ip security GSMR-I-80"
        assert not has_ipsec_policies()


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("iptables -A OUTPUT -p udp -j ACCEPT", "ip filter OUTPUT"),
        ("iptables -P OUTPUT DROP", "ip filter OUTPUT"),
        ("iptables -A INPUT -m conntrack --ctstate INVALID -j DROP", "ip filter INPUT"),
        ("iptables -t nat -A POSTROUTING -j MASQUERADE", "ip nat POSTROUTING"),
        ("iptables -t security -A INPUT -p udp -j ACCEPT", "ip security INPUT"),
        ("ip6tables -t mangle -A OUTPUT -j MARK --set-mark 1", "ip6 mangle OUTPUT"),
    ],
)
def test_rule_of_others__is_named(namespace: Namespace, command: str, found: str) -> None:
    apply(namespace, *OUR_RULES, command)
    with namespace.entered():
        assert first_nf_tables_rule(OURS) == found


def test_tables__of_each_family__as_they_come(namespace: Namespace) -> None:
    with namespace.entered():
        assert tables_there_are("ip") == tables_there_are("ip6") == frozenset()
    apply(namespace, *OUR_RULES, "ip6tables -t mangle -N OTHER")
    with namespace.entered():
        assert (tables_there_are("ip"), tables_there_are("ip6")) == ({"security"}, {"mangle"})
    if shutil.which("iptables-legacy"):
        apply(namespace, "iptables-legacy -t mangle -N OTHER")
        with namespace.entered():
            assert tables_there_are("ip") == {"security", "mangle"}


def test_ipsec_policy__is_seen(namespace: Namespace) -> None:
    apply(namespace, IPSEC)
    with namespace.entered():
        assert has_ipsec_policies()


@pytest.mark.skipif(shutil.which("iptables-legacy") is None, reason="there is no iptables-legacy")
def test_iptables_legacy__table_with_a_rule__is_named(namespace: Namespace) -> None:
    with namespace.entered():
        assert first_legacy_table() is None
    apply(namespace, "iptables-legacy -A OUTPUT -p udp -j ACCEPT")
    with namespace.entered():
        assert first_legacy_table() == "ip filter (iptables-legacy)"
    apply(namespace, "iptables-legacy -F OUTPUT")
    with namespace.entered():
        assert first_legacy_table() is None


@pytest.mark.parametrize("command", ["iptables -A OUTPUT -p udp -j ACCEPT", IPSEC], ids=["rule", "policy"])
def test_change__is_heard(namespace: Namespace, kept: Callable[..., Any], command: str) -> None:
    with namespace.entered():
        changes = kept(RulesetChanges())
    assert not changes.take(9)
    apply(namespace, command)
    assert select.select(changes.fds, [], [], 5)[0]
    assert changes.take(99)
    assert not changes.take(9)


@pytest.mark.parametrize(("ask", "code"), [("nf_tables", errno.EINVAL), ("IPsec", errno.EPROTONOSUPPORT)])
def test_kernel_without_it__nothing_stands_there(
    monkeypatch: pytest.MonkeyPatch, ask: str, code: int
) -> None:
    asked = {"nf_tables": lambda: first_nf_tables_rule(OURS), "IPsec": has_ipsec_policies}[ask]

    def refused(*_: object) -> Iterator[bytes]:
        raise OSError(code, "no")

    monkeypatch.setattr(rulesets, "dump", refused)
    assert not asked()
    code = errno.EPERM
    with pytest.raises(PermissionError):
        asked()


def test_generation__any_change__another_one(namespace: Namespace) -> None:
    with namespace.entered():
        before = nf_tables_generation()
        assert nf_tables_generation() == before
    apply(namespace, *OUR_RULES)
    with namespace.entered():
        assert nf_tables_generation() != before


@pytest.mark.parametrize("command", ["iptables", "ip6tables"])
def test_rules__one_of_ours_is_gone_or_made_anew__seen_and_others_are_not(
    namespace: Namespace, command: str
) -> None:
    def look() -> frozenset[bytes]:
        with namespace.entered():
            return nf_tables_rules(b"GSMR-I-80", ("security", "mangle"))

    assert look() == frozenset()
    apply(namespace, *(each.replace("iptables", command) for each in OUR_RULES))
    before = look()
    assert len(before) == 2
    apply(namespace, f"{command} -t security -I INPUT -p tcp --dport 9 -j ACCEPT")
    assert look() == before
    jump = "INPUT -p tcp --dport 80 -j GSMR-I-80"
    apply(namespace, f"{command} -t security -D {jump}")
    assert len(look()) == 1
    apply(namespace, f"{command} -t security -A {jump}")
    assert len(look()) == 2
    assert look() != before


@pytest.mark.skipif(shutil.which("iptables-legacy") is None, reason="there is no iptables-legacy")
@pytest.mark.parametrize("command", ["iptables-legacy", "ip6tables-legacy"])
def test_legacy_sizes__a_rule_comes_or_goes__seen(namespace: Namespace, command: str) -> None:
    def look() -> tuple[bytes, ...]:
        with namespace.entered():
            return legacy_sizes(("security", "mangle"))

    assert look() == ()
    apply(namespace, f"{command} -t mangle -A INPUT -p udp -j ACCEPT")
    before = look()
    assert len(before) == 1
    apply(namespace, f"{command} -t filter -A INPUT -p udp -j ACCEPT")
    assert look() == before
    apply(namespace, f"{command} -t mangle -F")
    assert look() != before


@pytest.mark.parametrize(("code", "found"), [(errno.EINVAL, None), (errno.EPERM, OSError)])
def test_generation__the_kernel_has_none_or_refuses(
    monkeypatch: pytest.MonkeyPatch, code: int, found: Any
) -> None:
    def refuse(*_arguments: object) -> Iterator[bytes]:
        raise OSError(code, "refused")
        yield b""

    monkeypatch.setattr(rulesets, "dump", refuse)
    if found is None:
        assert nf_tables_generation() is None
        assert nf_tables_rules(b"x", ("security",)) == frozenset()
        return
    with pytest.raises(OSError, match="refused"):
        nf_tables_generation()
