"""The firewall rules that bring our packets, and no others, to our queues. Pure: text for iptables-restore.

    security INPUT -p tcp --dport PORT [-d HOST]  -> chain GSMR-I-...: HMARK by flow, then mark to queue, of
                                                     which SYNs have their own, by the same marks
    security INPUT icmp errors that quote our port -> the same chain

Owns chain names and rules. A node of the tree is a chain of at most FANOUT rules, and the last rule of each
asks for nothing: so a packet meets few of them, however many queues there are (`evaluations_max`). A chain is
named by port, process and the process's start time, so anybody can see later whether its owner still lives.
The hook is the last table before the kernel's TCP is called: what comes here has been routed, reassembled,
translated and let through by the host's own filter. Runs nothing.

Source: iptables-extensions(8); linux/net/netfilter/xt_HMARK.c; the order of the tables is that of
linux/netfilter_ipv4.h, enum nf_ip_hook_priorities.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from gossamer.shards.machine.procfs import ProcessIdentity

CHAIN_PREFIX: Final = "GSMR"
CHAIN_PATTERN: Final = re.compile(r"GSMR(?:-I|[0-9a-f]{2})-(\d{1,5})-(\d{1,7})-([0-9a-z]{1,7})")
"""At most 28 characters, which is what iptables allows. Two digits in place of "-I": a node of its tree."""
FANOUT: Final = 4
QUEUES_MAX: Final = 256
"""Of one target: its tree has no more than 84 chains beside the first, and that of SYNs one more."""
OPENS: Final = "-p tcp -m tcp --tcp-flags SYN,ACK SYN"
"""What may open a connection. Whoever floods with anything else is no SYN flood, whatever else it bears."""

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


class QueueTarget(msgspec.Struct, frozen=True):
    """Local ports and the queues that their packets go to."""

    port_first: int
    port_last: int
    queues: tuple[int, ...]
    """In the order of their marks, at most QUEUES_MAX; a single one needs no mark."""
    host: str = ""
    """Only packets to this address; "" is any."""
    handshake_queues: tuple[int, ...] = ()
    """Where SYNs go instead, each in the place of its flow's queue; none: to the same."""


Table = Literal["security", "mangle"]
TABLES: Final[tuple[Table, ...]] = ("security", "mangle")
"""Where the rules stand, the best first: of those with a chain INPUT and the target NFQUEUE, `security` alone
comes after the host's filter.
"""


class Variant(msgspec.Struct, frozen=True):
    """What the rules may use on this machine."""

    table: Table = "security"
    hmark: bool = True
    icmp: bool = True
    addrtype: bool = True
    pkttype: bool = True
    socket: bool = True


BEST: Final = Variant()
"""With all that makes it hold as much as with the kernel's TCP."""

Extension = Literal["icmp", "socket", "pkttype", "addrtype", "hmark"]
DISPENSABLE: Final[tuple[Extension, ...]] = ("icmp", "socket", "pkttype", "addrtype", "hmark")
"""Done without in this order where nobody says what is missing."""
MODULE: Final[dict[Extension, str]] = {
    "icmp": "xt_u32",
    "socket": "xt_socket",
    "pkttype": "xt_pkttype",
    "addrtype": "xt_addrtype",
    "hmark": "xt_HMARK",
}


def poorer(variant: Variant, modules: tuple[str, ...]) -> Variant | None:
    """What to try after a variant was refused because these kernel modules are missing (empty: the error
    named none); None when there is nothing left.
    """
    used = [name for name in DISPENSABLE if getattr(variant, name)]
    missing = [name for name in used if MODULE[name] in modules] if modules else used[:1]
    if missing:
        return msgspec.structs.replace(variant, **dict.fromkeys(missing, False))
    has_table = not any(name.endswith(f"table_{variant.table}") for name in modules)
    if variant.table == "mangle" or (modules and has_table):
        return None
    return Variant(table="mangle")


def base36(number: int) -> str:
    """The shortest text of digits and lower-case letters."""
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
        if not number:
            return digits


def chain_name(port: int, owner: ProcessIdentity) -> str:
    """The chain of a port and its owner."""
    return f"{CHAIN_PREFIX}-I-{port}-{owner.pid}-{base36(owner.start_ticks)}"


def node_name(chain: str, node: int) -> str:
    """A node of a chain's tree: numbered from 0."""
    return f"{CHAIN_PREFIX}{node:02x}{chain[len(CHAIN_PREFIX) + 2 :]}"


def is_of_tree(name: str, chain: str) -> bool:
    """Whether it is that chain, or a node of its tree."""
    begin = len(CHAIN_PREFIX) + 2
    return owner_of_chain(name) is not None and name[begin:] == chain[begin:]


def is_first(name: str) -> bool:
    """Whether it is no node of another chain's tree."""
    return name.startswith(f"{CHAIN_PREFIX}-I-")


def owner_of_chain(name: str) -> ProcessIdentity | None:
    """Whose chain that is; None when it is none of ours."""
    found = CHAIN_PATTERN.fullmatch(name)
    return ProcessIdentity(int(found[2]), int(found[3], 36)) if found else None


def families(host: str) -> tuple[Family, ...]:
    """The families in which a host's packets come."""
    if host in ("", "::"):
        return (4, 6)
    return (6,) if ":" in host else (4,)


def _ports(target: QueueTarget) -> str:
    if target.port_first == target.port_last:
        return str(target.port_first)
    return f"{target.port_first}:{target.port_last}"


class _Tree:
    """The rules from mark to queue. The mark of a queue is their number plus its index: no mark is 0, and its
    bits are those of the index.
    """

    def __init__(self, chain: str, queues: tuple[int, ...], nodes: list[str] | None = None) -> None:
        """From that chain on, or, where there are `nodes` already, from one more of the chain's."""
        self.nodes: list[str] = [] if nodes is None else nodes
        self.lines: list[str] = []
        self._chain = chain
        self._queues = queues
        self.root = chain if nodes is None else self._node()
        self._grow(self.root, 0, len(queues))

    def _node(self) -> str:
        self.nodes.append(node_name(self._chain, len(self.nodes)))
        return self.nodes[-1]

    def _grow(self, chain: str, first: int, count: int) -> None:
        """The rules of one chain, for the queues from `first` on; one for each where they are no power of
        two."""
        step = 1 if count & (count - 1) else max(count // FANOUT, 1)
        for index in range(first, first + count, step):
            is_last = index + step == first + count
            mark, mask = index + len(self._queues), (1 << 32) - step
            match = "" if is_last else f" -m mark --mark {mark:#x}/{mask:#x}"
            self.lines.append(f"-A {chain}{match} -j {self._target(index, step)}")

    def _target(self, first: int, count: int) -> str:
        if count == 1:
            return _to_queue(self._queues[first])
        node = self._node()
        self._grow(node, first, count)
        return node


def evaluations_max(queues: int) -> int:
    """How many rules a packet to the port meets at most in the chain and its tree, HMARK and the one that
    looks for SYNs counted.
    """
    depth = 0
    while queues > 1:
        depth += min(queues, FANOUT)
        queues = queues // FANOUT if queues >= FANOUT else 1
    return depth + 2 if depth else 2


def _to_queue(number: int) -> str:
    # A queue that nobody holds is passed by: the kernel's TCP then refuses at once what comes for a server of
    # which nothing is left, instead of packets vanishing for as long as the rules stand.
    return f"NFQUEUE --queue-bypass --queue-num {number}"


def _to_queues(chain: str, target: QueueTarget, hmark: str) -> list[str]:
    handshakes = target.handshake_queues
    if len(target.queues) == 1 or not hmark:
        opens = [f"-A {chain} {OPENS} -j {_to_queue(handshakes[0])}"] if handshakes else []
        return [*opens, f"-A {chain} -j {_to_queue(target.queues[0])}"]
    tree = _Tree(chain, target.queues)
    opens = []
    if handshakes:
        of_opens = _Tree(chain, handshakes, tree.nodes)
        opens = [f"-A {chain} {OPENS} -j {of_opens.root}", *of_opens.lines]
    heads = [line for node in tree.nodes for line in (f":{node} - [0:0]", f"-F {node}")]
    return [*heads, f"-A {chain} -j HMARK {hmark}", *opens, *tree.lines]


def _hmark(target: QueueTarget, secret: int) -> str:
    queues = len(target.queues)
    return (
        f"--hmark-tuple src,dst,sport,dport --hmark-mod {queues} --hmark-offset {queues} "
        f"--hmark-rnd {secret:#010x}"
    )


def _icmp_jumps(family: Family, chain: str, to_host: str, ports: str) -> list[str]:
    name, option = ("icmp", "--icmp-type") if family == 4 else ("icmpv6", "--icmpv6-type")
    quoted = QUOTED_PORT[family].format(ports=ports)
    return [
        f'-A INPUT -p {name}{to_host} -m {name} {option} {kind} -m u32 --u32 "{quoted}" -j {chain}'
        for kind in ICMP_ERRORS[family]
    ]


def _matches(host: str, variant: Variant) -> str:
    """The matches of what the kernel's TCP would take: neither a frame to others nor a packet to a broadcast
    address.
    """
    frame = " -m pkttype --pkt-type unicast" if variant.pkttype else ""
    if host not in ANY_HOSTS:
        return f"{frame} -d {host}"
    return f"{frame} -m addrtype --dst-type LOCAL" if variant.addrtype else frame


def build_rules(
    family: Family, owner: ProcessIdentity, target: QueueTarget, secret: int, variant: Variant = BEST
) -> str:
    """The input of iptables-restore --noflush that installs the rules of one target for one family."""
    chain, ports = chain_name(target.port_first, owner), _ports(target)
    matches = _matches(target.host, variant)
    hmark = _hmark(target, secret) if variant.hmark else ""
    lines = [f"*{variant.table}", f":{chain} - [0:0]", f"-F {chain}", *_to_queues(chain, target, hmark)]
    if family == 6 and variant.socket:
        # The kernel's TCP gets IPv6 fragments joined behind this hook. That the match stands anywhere has
        # them joined before the first one, as wherever connections are tracked; the rule decides nothing.
        lines.append(f"-A {chain} -p tcp -m socket -j RETURN")
    lines.append(f"-A INPUT -p tcp{matches} --dport {ports} -j {chain}")
    if variant.icmp:
        lines += _icmp_jumps(family, chain, matches, ports)
    return "\n".join([*lines, "COMMIT", ""])


def chains_in(saved: str) -> list[str]:
    """Our chains in the output of iptables-save."""
    names = (line[1:].split()[0] for line in saved.splitlines() if line.startswith(":"))
    return [name for name in names if owner_of_chain(name)]


def tables_in(saved: str) -> Iterator[tuple[str, list[str]]]:
    """Each table in the output of iptables-save, with its lines."""
    for part in f"\n{saved}".split("\n*")[1:]:
        name, *lines = part.splitlines()
        yield name.strip(), lines


def build_removal(saved: str, chains: frozenset[str]) -> str:
    """The input of iptables-restore --noflush that removes these chains and the jumps; "" for none."""
    lines: list[str] = []
    for table, rules in tables_in(saved):
        lines += _removal_from(table, rules, chains)
    return "\n".join([*lines, ""]) if lines else ""


def _removal_from(table: str, rules: list[str], chains: frozenset[str]) -> list[str]:
    present = [name for name in chains_in("\n".join(rules)) if name in chains]
    if not present:
        return []
    jumps = [
        "-D" + line[2:]
        for line in rules
        if line.startswith("-A ") and line.split()[1] not in chains and line.split()[-1] in chains
    ]
    flushes = [f"-F {name}" for name in present]
    deletions = [f"-X {name}" for name in present]
    return [f"*{table}", *jumps, *flushes, *deletions, "COMMIT"]


def port_ranges_in(saved: str) -> list[tuple[int, int]]:
    """The local ports that our chains take, from the output of iptables-save."""
    ranges: list[tuple[int, int]] = []
    for line in saved.splitlines():
        words = line.split()
        if line.startswith("-A INPUT") and "--dport" in words and owner_of_chain(words[-1]):
            first, _, last = words[words.index("--dport") + 1].partition(":")
            ranges.append((int(first), int(last or first)))
    return ranges
