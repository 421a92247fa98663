"""ICMP errors of a script, as the connection hears of them.

Source: RFC 792, RFC 1191, RFC 4443; the names are those of the tool.
"""

from collections.abc import Mapping
from typing import Final

from gossamer.core.packetdrill.errors import Unsupported
from gossamer.core.packetdrill.script import IcmpPacket
from gossamer.core.packetdrill.world import ScriptWorld
from gossamer.core.tcp.events import IcmpError, Report
from gossamer.core.tcp.icmp_error import meaning

IPV4_TYPES: Final = {
    "unreachable": 3,
    "source_quench": 4,
    "redirect": 5,
    "time_exceeded": 11,
    "parameter_problem": 12,
}
IPV4_CODES: Final = {
    "net": 0, "network": 0, "net_unreachable": 0, "host": 1, "host_unreachable": 1, "protocol": 2,
    "protocol_unreachable": 2, "port": 3, "port_unreachable": 3, "frag_needed": 4,
    "source_route_failed": 5, "network_unknown": 6, "net_unknown": 6, "host_unknown": 7,
    "source_host_isolated": 8, "net_prohibited": 9, "network_prohibited": 9, "host_prohibited": 10,
    "net_tos": 11, "network_tos": 11, "host_tos": 12, "communication_prohibited": 13,
    "host_precedence": 14, "precedence_cutoff": 15, "packet_filtered": 13, "precedence_violation": 14,
    "net_unreachable_for_tos": 11, "host_unreachable_for_tos": 12, "ttl_exceeded_in_transit": 0,
    "frag_reass_exceeded": 1, "code_0": 0, "code_1": 1, "code_2": 2,
}  # fmt: skip
IPV6_TYPES: Final = {
    "unreachable": 1, "packet_too_big": 2, "time_exceeded": 3, "parameter_problem": 4,
}  # fmt: skip
IPV6_CODES: Final = {
    "no_route": 0, "prohibited": 1, "admin_prohibited": 1, "exceeded_frag_time": 1, "header_field": 0,
    "not_neighbour": 2, "not_neighbor": 2, "beyond_scope": 2,
    "address_unreachable": 3, "port_unreachable": 4, "policy_fail": 5, "reject_route": 6,
    "exceeded_hop_limit": 0, "exceeded_frag_reass": 1, "erroneous_header_field": 0,
    "unknown_next_header": 1, "unknown_option": 2,
}  # fmt: skip
LINUX_ERRORS_IPV4: Final = {
    0: "ENETUNREACH", 1: "EHOSTUNREACH", 2: "ENOPROTOOPT", 3: "ECONNREFUSED", 4: "EMSGSIZE",
    5: "EOPNOTSUPP", 6: "ENETUNREACH", 7: "EHOSTDOWN", 8: "ENONET", 9: "ENETUNREACH", 10: "EHOSTUNREACH",
    11: "ENETUNREACH", 12: "EHOSTUNREACH", 13: "EHOSTUNREACH", 14: "EHOSTUNREACH", 15: "EHOSTUNREACH",
}  # fmt: skip
"""How each code of "unreachable" shows to a user."""
LINUX_ERRORS_IPV6: Final = {
    0: "ENETUNREACH", 1: "EACCES", 2: "EHOSTUNREACH", 3: "EHOSTUNREACH", 4: "ECONNREFUSED", 5: "EACCES",
    6: "EACCES",
}  # fmt: skip
BSD_HARD: Final = {(False, 11, 0): "EHOSTUNREACH", (True, 3, 0): "EHOSTUNREACH", (True, 4, 1): "ECONNREFUSED"}
"""What is hard for BSD beside what RFC 9293 3.9.2.2 has, and how it shows: (whether IPv6, type, code)."""
SOURCE_QUENCH: Final = (4, False)
UNREACHABLE: Final = "unreachable"


def numbers(packet: IcmpPacket, is_ipv6: bool, definitions: Mapping[str, str]) -> tuple[int, int]:
    """Type and code, by the tool's names, by words of --define, or as numbers. Raises: Unsupported."""
    types, codes = (IPV6_TYPES, IPV6_CODES) if is_ipv6 else (IPV4_TYPES, IPV4_CODES)
    kind, code = (definitions.get(word, word) for word in (packet.kind, packet.code))
    if kind not in types or (code and code not in codes and not code.isdigit()):
        raise Unsupported(f"icmp {kind} {code}".rstrip())
    return types[kind], int(code) if code.isdigit() else codes.get(code, 0)


def inject_icmp(world: ScriptWorld, packet: IcmpPacket) -> None:
    """An ICMP error about a segment of ours arrives."""
    kind, code = numbers(packet, world.settings.is_ipv6, world.settings.definitions)
    flow = world.inbound_flow(None)
    endpoint = world.host.endpoints.get(flow.ports)
    if endpoint is None:
        return
    seq = flow.mapping.live_local(packet.quoted_seq)
    if (kind, world.settings.is_ipv6) == SOURCE_QUENCH:
        # RFC 9293 MUST-55: discarded before any connection hears of it.
        return
    report, failure = meaning(kind, code, not world.settings.is_ipv6)
    more = BSD_HARD.get((world.settings.is_ipv6, kind, code))
    is_bsd = world.settings.profile.hard_icmp_is_refused
    report = Report.HARD if is_bsd and more else report
    mtu = packet.mtu or 0
    world.host.step(endpoint, IcmpError(seq, report, world.host.now_us, failure, mtu))
    if is_bsd and report is Report.HARD:
        world.note_icmp(endpoint, more or "ECONNREFUSED")
    elif packet.kind == UNREACHABLE:
        errors = LINUX_ERRORS_IPV6 if world.settings.is_ipv6 else LINUX_ERRORS_IPV4
        world.note_icmp(endpoint, errors.get(code, "EHOSTUNREACH"))
