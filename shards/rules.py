"""The firewall rules that bring our packets, and no others, to our queues. Pure: text for iptables-restore.

    raw PREROUTING -p tcp --dport PORT [-d HOST]  -> chain GSMR-I-...: HMARK by flow, then from mark to queue
    raw PREROUTING icmp errors that quote our port -> the same chain
    raw OUTPUT     -p tcp --sport PORT             -> chain GSMR-O-...: CT --notrack

Owns chain names and rules. A chain is named by port, process and the process's start time, so anybody can
tell later whether its owner still lives. The hook is before routing and conntrack: the verdict there is
DROP, so the kernel's TCP never sees what is ours. Runs nothing.

Source: iptables-extensions(8); linux/net/netfilter/xt_HMARK.c.
"""

import re
from typing import Final, Literal

import msgspec

from gossamer.shards.plan import MARK_FIRST

CHAIN_PREFIX: Final = "GSMR"
CHAIN_PATTERN: Final = re.compile(r"GSMR-([IO])-(\d{1,5})-(\d{1,7})-([0-9a-z]{1,7})")
"""At most 28 characters, which is what iptables allows."""

Family = Literal[4, 6]
ANY_HOSTS: Final = ("0.0.0.0", "::", "")

ICMP_ERRORS: Final[dict[Family, tuple[str, ...]]] = {4: ("3", "11", "12"), 6: ("1", "2", "3", "4")}
"""Destination unreachable, (v6: packet too big,) time exceeded, parameter problem. Source: RFC 792, RFC
4443.
"""

QUOTED_PORT: Final[dict[Family, str]] = {
    # To the ICMP header (past the IP header's length, if no fragment), quoted protocol 6, past the quoted IP
    # header: source port.
    4: "4&0x1FFF=0&&0>>22&0x3C@14&0xFF=6&&0>>22&0x3C@8>>22&0x3C@8>>16={ports}",
    # 40 bytes of IPv6 and 8 of ICMPv6 before the quoted IPv6 header, whose own 40 end at 88.
    6: "3>>24&0xFF=58&&51&0xFF=6&&88>>16={ports}",
}


class Owner(msgspec.Struct, frozen=True):
    """The process that a chain belongs to."""

    pid: int
    start_ticks: int
    """Field 22 of /proc/PID/stat: with it a pid is never mistaken for a later one of the same number."""


class QueueTarget(msgspec.Struct, frozen=True):
    """Local ports and the queues that their packets go to."""

    port_first: int
    port_last: int
    queues: tuple[int, ...]
    """Queue of mark 1, of mark 2, ... ; a single one needs no mark."""
    host: str = ""
    """Only packets to this address; "" is any."""


class Variant(msgspec.Struct, frozen=True):
    """What the rules may use on this machine."""

    hmark: bool = True
    notrack: bool = True
    icmp: bool = True
    addrtype: bool = True


VARIANTS: Final = (
    Variant(),
    Variant(icmp=False),
    Variant(notrack=False),
    Variant(icmp=False, notrack=False),
    Variant(icmp=False, notrack=False, addrtype=False),
    Variant(icmp=False, notrack=False, addrtype=False, hmark=False),
)
"""Tried in this order until one is taken."""


def base36(number: int) -> str:
    """The shortest text of digits and lower-case letters."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits


def chain_name(direction: Literal["I", "O"], port: int, owner: Owner) -> str:
    """The chain of a port and its owner."""
    return f"{CHAIN_PREFIX}-{direction}-{port}-{owner.pid}-{base36(owner.start_ticks)}"


def owner_of_chain(name: str) -> Owner | None:
    """Whose chain that is; None when it is none of ours."""
    found = CHAIN_PATTERN.fullmatch(name)
    return Owner(int(found[3]), int(found[4], 36)) if found else None


def families(host: str) -> tuple[Family, ...]:
    """The families in which a host's packets come."""
    if host in ("", "::"):
        return (4, 6)
    return (6,) if ":" in host else (4,)


def _ports(target: QueueTarget) -> str:
    if target.port_first == target.port_last:
        return str(target.port_first)
    return f"{target.port_first}:{target.port_last}"


def _to_queues(chain: str, target: QueueTarget, hmark: str) -> list[str]:
    if len(target.queues) == 1 or not hmark:
        return [f"-A {chain} -j NFQUEUE --queue-num {target.queues[0]}"]
    marks = enumerate(target.queues, MARK_FIRST)
    to_queues = [f"-A {chain} -m mark --mark {mark} -j NFQUEUE --queue-num {queue}" for mark, queue in marks]
    # What HMARK could not hash must not reach the kernel's TCP, which would answer it with a RST.
    return [f"-A {chain} -j HMARK {hmark}", *to_queues, f"-A {chain} -j DROP"]


def _hmark(target: QueueTarget, secret: int) -> str:
    return (
        f"--hmark-tuple src,dst,sport,dport --hmark-mod {len(target.queues)} --hmark-offset {MARK_FIRST} "
        f"--hmark-rnd {secret:#010x}"
    )


def _icmp_jumps(family: Family, chain: str, to_host: str, ports: str) -> list[str]:
    name, option = ("icmp", "--icmp-type") if family == 4 else ("icmpv6", "--icmpv6-type")
    quoted = QUOTED_PORT[family].format(ports=ports)
    return [
        f'-A PREROUTING -p {name}{to_host} -m {name} {option} {kind} -m u32 --u32 "{quoted}" -j {chain}'
        for kind in ICMP_ERRORS[family]
    ]


def _host_matches(host: str, variant: Variant) -> tuple[str, str]:
    """The matches of our side's address in packets that come and that go."""
    if host not in ANY_HOSTS:
        return f" -d {host}", f" -s {host}"
    # What this machine forwards to the same port of another one is not ours.
    return (" -m addrtype --dst-type LOCAL" if variant.addrtype else "", "")


def build_rules(
    family: Family, owner: Owner, target: QueueTarget, secret: int, variant: Variant = VARIANTS[0]
) -> str:
    """The input of iptables-restore --noflush that installs the rules of one target for one family."""
    incoming = chain_name("I", target.port_first, owner)
    outgoing = chain_name("O", target.port_first, owner)
    to_host, from_host = _host_matches(target.host, variant)
    ports = _ports(target)
    hmark = _hmark(target, secret) if variant.hmark else ""
    lines = ["*raw", f":{incoming} - [0:0]", f"-F {incoming}", *_to_queues(incoming, target, hmark)]
    lines.append(f"-A PREROUTING -p tcp{to_host} --dport {ports} -j {incoming}")
    if variant.icmp:
        lines += _icmp_jumps(family, incoming, to_host, ports)
    if variant.notrack:
        lines += [f":{outgoing} - [0:0]", f"-F {outgoing}", f"-A {outgoing} -j CT --notrack"]
        lines.append(f"-A OUTPUT -p tcp{from_host} --sport {ports} -j {outgoing}")
    return "\n".join([*lines, "COMMIT", ""])


def chains_in(saved: str) -> list[str]:
    """Our chains in the output of iptables-save."""
    names = (line[1:].split()[0] for line in saved.splitlines() if line.startswith(":"))
    return [name for name in names if owner_of_chain(name)]


def build_removal(saved: str, chains: frozenset[str]) -> str:
    """The input of iptables-restore --noflush that removes these chains and the jumps; "" for none."""
    present = [name for name in chains_in(saved) if name in chains]
    if not present:
        return ""
    jumps = [
        "-D" + line[2:]
        for line in saved.splitlines()
        if line.startswith("-A ") and line.split()[1] not in chains and line.split()[-1] in chains
    ]
    flushes = [f"-F {name}" for name in present]
    deletions = [f"-X {name}" for name in present]
    return "\n".join(["*raw", *jumps, *flushes, *deletions, "COMMIT", ""])


def port_ranges_in(saved: str) -> list[tuple[int, int]]:
    """The local ports that our chains take, from the output of iptables-save."""
    ranges: list[tuple[int, int]] = []
    for line in saved.splitlines():
        words = line.split()
        if line.startswith("-A PREROUTING") and "--dport" in words and owner_of_chain(words[-1]):
            first, _, last = words[words.index("--dport") + 1].partition(":")
            ranges.append((int(first), int(last or first)))
    return ranges
