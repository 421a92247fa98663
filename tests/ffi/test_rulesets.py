"""What rules the host has: any that is not ours is found, of every kind."""

import errno
import select
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gossamer.ffi import rulesets
from gossamer.ffi.rulesets import RulesetChanges, first_legacy_table, first_nf_tables_rule, has_ipsec_policies
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
        space.run(command.split())


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
