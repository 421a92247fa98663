"""The host's firewall and NAT hold for the functional TCP as for the kernel's: one table, both stacks."""

import contextlib
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from gossamer.loadtest.namespaces import LEFT_V4, RIGHT_V4, RIGHT_V6, Namespace
from gossamer.loadtest.servers import Gossamer

from .reaching import ANSWERED, REFUSED, SILENCE, applied, apply, request

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.slow]
PORT = 7881
OTHER = 7882
"""A port that nobody opened in the firewall, and that the kernel's HTTP of the test does not serve."""
Spaces = tuple[Namespace, Namespace]
Start = Callable[..., Gossamer]

TRACKED_REPLIES = (
    "iptables -A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
    "iptables -P OUTPUT DROP",
    "ip6tables -A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
    "ip6tables -A OUTPUT -p icmpv6 -j ACCEPT",
    "ip6tables -P OUTPUT DROP",
)
INVALID_DROPPED = tuple(
    f"{command} -A {chain} -m conntrack --ctstate INVALID -j DROP"
    for command in ("iptables", "ip6tables")
    for chain in ("INPUT", "OUTPUT")
)


def like_ufw(*allowed: str) -> tuple[str, ...]:
    """What ufw(8) makes of "deny incoming, allow outgoing" and further rules, in one chain."""
    return (
        "iptables -A INPUT -i lo -j ACCEPT",
        "iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "iptables -A INPUT -m conntrack --ctstate INVALID -j DROP",
        "iptables -A INPUT -p icmp --icmp-type echo-request -j ACCEPT",
        "iptables -A INPUT -m addrtype ! --dst-type LOCAL -j RETURN",
        *allowed,
        "iptables -A OUTPUT -o lo -j ACCEPT",
        "iptables -A OUTPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "iptables -A OUTPUT -p tcp -m conntrack --ctstate NEW -j ACCEPT",
        "iptables -P INPUT DROP",
        "iptables -P FORWARD DROP",
    )


def like_firewalld(*allowed: str) -> tuple[str, ...]:
    """What firewalld makes of a zone with some services, with its chains of zones and policies in one."""
    return (
        "iptables -N IN_public",
        *allowed,
        "iptables -A IN_public -p icmp -j ACCEPT",
        "iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT",
        "iptables -A INPUT -i lo -j ACCEPT",
        "iptables -A INPUT -i eth0 -g IN_public",
        "iptables -A INPUT -m conntrack --ctstate INVALID -j DROP",
        "iptables -A IN_public -j REJECT --reject-with icmp-host-prohibited",
        "iptables -A OUTPUT -o lo -j ACCEPT",
    )


UFW_ALLOW = f"iptables -A INPUT -p tcp --dport {PORT} -j ACCEPT"
NEW = f"iptables -A INPUT -p tcp --dport {PORT} -m conntrack --ctstate NEW"
UFW_LIMIT = (
    f"{NEW} -m recent --set",
    f"{NEW} -m recent --update --seconds 30 --hitcount 6 -j REJECT",
    UFW_ALLOW,
)
FIREWALLD_SERVICE = (
    f"iptables -A IN_public -p tcp --dport {PORT} -m conntrack --ctstate NEW,UNTRACKED -j ACCEPT"
)
FIREWALLD_FORWARD_PORT = f"iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports {PORT}"
HASHLIMIT = "--hashlimit-above 2/min --hashlimit-burst 2 --hashlimit-mode srcip"
LIMIT = f"iptables -A INPUT -p tcp --syn --dport {PORT} -m connlimit --connlimit-above 2"


class Case(NamedTuple):
    """Rules on the server's side, and what a client of the other side then meets."""

    name: str
    rules: tuple[str, ...]
    expected: str
    port: int = PORT
    host: str = RIGHT_V4
    earlier: int = 0
    """Connections that the client has opened before, and holds."""


CASES = (
    Case("no rules", (), ANSWERED),
    Case("no rules, IPv6", (), ANSWERED, host=f"[{RIGHT_V6}]"),
    Case("INPUT DROP", (f"iptables -A INPUT -p tcp --dport {PORT} -j DROP",), SILENCE),
    Case(
        "INPUT DROP, IPv6",
        (f"ip6tables -A INPUT -p tcp --dport {PORT} -j DROP",),
        SILENCE,
        host=f"[{RIGHT_V6}]",
    ),
    Case(
        "INPUT REJECT with RST",
        (f"iptables -A INPUT -p tcp --dport {PORT} -j REJECT --reject-with tcp-reset",),
        REFUSED,
    ),
    Case("INPUT REJECT with ICMP", (f"iptables -A INPUT -p tcp --dport {PORT} -j REJECT",), REFUSED),
    Case(
        "INPUT REJECT with ICMP, IPv6",
        (f"ip6tables -A INPUT -p tcp --dport {PORT} -j REJECT",),
        REFUSED,
        host=f"[{RIGHT_V6}]",
    ),
    Case("INPUT DROP of one source", (f"iptables -A INPUT -s {LEFT_V4} -j DROP",), SILENCE),
    Case("INPUT DROP of another source", ("iptables -A INPUT -s 192.0.2.1 -j DROP",), ANSWERED),
    Case("INPUT policy DROP", ("iptables -P INPUT DROP",), SILENCE),
    Case("mangle PREROUTING DROP", ("iptables -t mangle -A PREROUTING -i eth0 -j DROP",), SILENCE),
    Case("connlimit, the last allowed", (f"{LIMIT} -j REJECT --reject-with tcp-reset",), ANSWERED, earlier=1),
    Case("connlimit, one too many", (f"{LIMIT} -j REJECT --reject-with tcp-reset",), REFUSED, earlier=2),
    Case("connlimit DROP, one too many", (f"{LIMIT} -j DROP",), SILENCE, earlier=2),
    Case(
        "hashlimit, one too many",
        (f"{NEW} -m hashlimit --hashlimit-name one {HASHLIMIT} -j DROP",),
        SILENCE,
        earlier=2,
    ),
    Case(
        "REDIRECT",
        (f"iptables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-port {PORT}",),
        ANSWERED,
        80,
    ),
    Case(
        "REDIRECT, IPv6",
        (f"ip6tables -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-port {PORT}",),
        ANSWERED,
        80,
        f"[{RIGHT_V6}]",
    ),
    Case(
        "DNAT of an address that is nobody's",
        (f"iptables -t nat -A PREROUTING -d 10.77.9.9 -p tcp -j DNAT --to {RIGHT_V4}:{PORT}",),
        ANSWERED,
        80,
        "10.77.9.9",
    ),
    Case(
        "DNAT of an address that is nobody's, IPv6",
        (f"ip6tables -t nat -A PREROUTING -d fd99::9 -p tcp -j DNAT --to [{RIGHT_V6}]:{PORT}",),
        ANSWERED,
        80,
        "[fd99::9]",
    ),
    Case(
        "MASQUERADE of what leaves, INVALID dropped both ways",
        ("iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE", *INVALID_DROPPED),
        ANSWERED,
    ),
    Case("OUTPUT policy DROP, ESTABLISHED accepted", TRACKED_REPLIES, ANSWERED),
    Case("OUTPUT policy DROP, ESTABLISHED accepted, IPv6", TRACKED_REPLIES, ANSWERED, host=f"[{RIGHT_V6}]"),
    Case("OUTPUT policy DROP", ("iptables -P OUTPUT DROP",), SILENCE),
    Case("INVALID dropped both ways", INVALID_DROPPED, ANSWERED),
    Case("INVALID dropped both ways, IPv6", INVALID_DROPPED, ANSWERED, host=f"[{RIGHT_V6}]"),
    Case(
        "loose pick-up forbidden, INVALID dropped both ways",
        ("sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0", *INVALID_DROPPED),
        ANSWERED,
    ),
    Case(
        "not tracked, INVALID dropped both ways",
        (
            "iptables -t raw -A PREROUTING -p tcp -j CT --notrack",
            "iptables -t raw -A OUTPUT -p tcp -j CT --notrack",
            *INVALID_DROPPED,
        ),
        ANSWERED,
    ),
    Case("like ufw, allowed", like_ufw(UFW_ALLOW), ANSWERED),
    Case("like ufw, not allowed", like_ufw(), SILENCE),
    Case("like ufw, limited, the last allowed", like_ufw(*UFW_LIMIT), ANSWERED, earlier=4),
    Case("like ufw, limited, one too many", like_ufw(*UFW_LIMIT), REFUSED, earlier=5),
    Case("like firewalld, a service", like_firewalld(FIREWALLD_SERVICE), ANSWERED),
    Case("like firewalld, no service", like_firewalld(), REFUSED),
    Case("like firewalld, a forwarded port", like_firewalld(FIREWALLD_FORWARD_PORT), ANSWERED, 80),
    Case("a port that nobody serves", (), REFUSED, OTHER),
)


def uses_nat(case: Case) -> bool:
    return any(" -t nat " in rule for rule in case.rules)


def test_request__under_rules_of_the_host__as_with_the_kernels_tcp(
    joined_namespaces: Spaces, site: Path, start: Start, stack: str
) -> None:
    """One server: first rules that come in the midst of a connection, then the others one after another;
    those with NAT last, for a table `nat` that was made stays, and has every connection tracked."""
    client, server = joined_namespaces
    start(server, site, stack=stack, port=PORT, host="::")
    rules_before = rules_of(server)
    assert_picked_up(client, server)
    for family, gateway in (("-4", RIGHT_V4), ("-6", RIGHT_V6)):
        client.ip(f"route add default via {gateway}", options=[family])
    met: dict[str, str] = {}
    for case in sorted(CASES, key=uses_nat):
        met[case.name] = meet(client, server, case)
        print(f"{stack:8}{met[case.name]:10}{case.name}")  # the table, with pytest -s
        assert rules_of(server) == rules_before, f"{case.name}: its rules were not taken back"
    assert met == {case.name: case.expected for case in CASES}


def assert_picked_up(client: Namespace, server: Namespace) -> None:
    """Nothing tracked the connection until now: its next packet is what conntrack begins with."""
    later = (*TRACKED_REPLIES, *like_ufw(UFW_ALLOW)[:3], UFW_ALLOW, "iptables -P INPUT DROP")
    with held_connection(client) as connection, applied(server, later):
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def rules_of(place: Namespace) -> list[str]:
    """What stands in its tables, but for counters and tables in which nothing stands."""
    saved = place.run(["iptables-save"]) + place.run(["ip6tables-save"])
    return [line for line in saved.splitlines() if line.startswith("-") or " DROP " in line]


def meet(client: Namespace, server: Namespace, case: Case) -> str:
    """What a client meets under the rules of a case."""
    with applied(server, case.rules), ExitStack() as held:
        try:
            for _ in range(case.earlier):
                held.enter_context(held_connection(client))
        except OSError as error:
            return f"an earlier connection: {error}"
        return request(client, f"http://{case.host}:{case.port}/", case.expected)


def held_connection(client: Namespace) -> "contextlib.closing[socket.socket]":
    """A connection that has had its answer and goes on."""
    with client.entered():
        connection = socket.create_connection((RIGHT_V4, PORT), timeout=10)
    connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(1000)
    return contextlib.closing(connection)


def test_port__of_a_server__listens_for_ss_is_nobody_elses_and_is_redirected_to_on_the_host_itself(
    namespace: Namespace, site: Path, start: Start, stack: str
) -> None:
    start(namespace, site, stack=stack, port=PORT, host="127.0.0.1")
    (line,) = namespace.run(["ss", "-Hltn", f"sport = :{PORT}"]).splitlines()
    assert line.split()[3] == f"127.0.0.1:{PORT}"
    with namespace.entered(), socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", PORT))
    apply(
        namespace,
        (f"iptables -t nat -A OUTPUT -p tcp --dport 80 -j REDIRECT --to-port {PORT}", *INVALID_DROPPED),
    )
    assert request(namespace, "http://127.0.0.1/", ANSWERED) == ANSWERED
