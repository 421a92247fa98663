"""What rules the host has, in nf_tables, in the older ip_tables and for IPsec: whether any is not ours.

Owns the questions to the kernel, also the cheap ones by which one sees that something has changed; which rule
is ours the caller says, by octets that stand in each. It must never know what the rules do. Needs
CAP_NET_ADMIN.

Source: linux/netfilter/nf_tables.h, linux/netfilter_ipv4/ip_tables.h, linux/xfrm.h.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Final

from gossamer.ffi.netlink import (
    DATAGRAM_BYTES_MAX,
    NETLINK_ADD_MEMBERSHIP,
    SOL_NETLINK,
    attribute,
    attributes,
    dump,
)

NETLINK_XFRM, NETLINK_NETFILTER = 6, 12

NFNL_SUBSYS_NFTABLES: Final = 10
NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE, NFT_MSG_GETGEN = 1, 4, 7, 16
NFTA_TABLE_NAME: Final = 1
NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY = 1, 3, 4, 5
NFTA_RULE_TABLE, NFTA_RULE_CHAIN, NFTA_RULE_HANDLE = 1, 2, 3
NFTA_GEN_ID: Final = 1
NFPROTO_UNSPEC: Final = 0
FAMILIES: Final = {1: "inet", 2: "ip", 5: "netdev", 10: "ip6"}
"""Of tables that a packet of ours may meet."""
FAMILIES_OF_IP: Final = (2, 10)
NF_ACCEPT: Final = 1
NFNLGRP_NFTABLES: Final = 7
_NFGENMSG = struct.Struct("=BBH")

XFRM_MSG_GETPOLICY: Final = 0x15
XFRMNLGRP_POLICY: Final = 4

LEGACY: Final = {
    "ip": (socket.AF_INET, socket.IPPROTO_IP, "/proc/net/ip_tables_names"),
    "ip6": (socket.AF_INET6, socket.IPPROTO_IPV6, "/proc/net/ip6_tables_names"),
}
SO_GET_INFO: Final = 64
"""IPT_SO_GET_INFO and IP6T_SO_GET_INFO."""
_INFO = struct.Struct("=32sI5I5III")


def _text(octets: bytes) -> str:
    return octets.rstrip(b"\0").decode("utf-8", "backslashreplace")


def first_nf_tables_rule(ours: bytes) -> str | None:
    """The first rule or policy that is not ours, as "FAMILY TABLE CHAIN"; None when there is none. Ours are
    chains whose name begins with `ours`, and rules in which it stands. Raises: OSError."""
    try:
        return _first_nf_tables_rule(ours)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None  # The kernel has no nf_tables, so nothing stands there.
        raise


def _first_nf_tables_rule(ours: bytes) -> str | None:
    everything = _NFGENMSG.pack(NFPROTO_UNSPEC, 0, 0)
    for body in dump(NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, everything):
        family, found = FAMILIES.get(body[0]), attributes(body[_NFGENMSG.size :])
        if family is not None and ours not in body:
            return f"{family} {_text(found[NFTA_RULE_TABLE])} {_text(found[NFTA_RULE_CHAIN])}"
    for body in dump(NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, everything):
        family, found = FAMILIES.get(body[0]), attributes(body[_NFGENMSG.size :])
        policy = found.get(NFTA_CHAIN_POLICY, NF_ACCEPT.to_bytes(4, "big"))
        if family is not None and NFTA_CHAIN_HOOK in found and int.from_bytes(policy, "big") != NF_ACCEPT:
            return f"{family} {_text(found[NFTA_CHAIN_TABLE])} {_text(found[NFTA_CHAIN_NAME])}"
    return None


def tables_there_are(family: str) -> frozenset[str]:
    """The names of the tables of "ip" or "ip6" that stand in nf_tables or in ip_tables: iptables-save prints
    no other. Raises: OSError."""
    number = next(number for number, name in FAMILIES.items() if name == family)
    kind = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE
    found = set(_legacy_names(family))
    try:
        for body in dump(NETLINK_NETFILTER, kind, _NFGENMSG.pack(number, 0, 0)):
            found.add(_text(attributes(body[_NFGENMSG.size :])[NFTA_TABLE_NAME]))
    except OSError as error:
        if error.errno != errno.EINVAL:  # The kernel has no nf_tables.
            raise
    return frozenset(found)


def _legacy_names(family: str) -> list[str]:
    """The tables of ip_tables; none where the kernel has none."""
    try:
        with open(LEGACY[family][2]) as lines:
            return lines.read().split()
    except FileNotFoundError:
        return []


def nf_tables_generation() -> int | None:
    """A number that every change of nf_tables makes another one; None where the kernel has none. Raises:
    OSError."""
    kind = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN
    try:
        body = next(dump(NETLINK_NETFILTER, kind, _NFGENMSG.pack(NFPROTO_UNSPEC, 0, 0), 0))
    except OSError as error:
        if error.errno == errno.EINVAL:
            return None
        raise
    return int.from_bytes(attributes(body[_NFGENMSG.size :])[NFTA_GEN_ID], "big")


def nf_tables_rules(ours: bytes, tables: Iterable[str]) -> frozenset[bytes]:
    """Which rules there are in which `ours` stands, in those tables of IPv4 and IPv6: of each, where it
    stands and its handle, which no other rule there will have. Raises: OSError."""
    return frozenset(
        where for family in FAMILIES_OF_IP for table in tables for where in _handles(family, table, ours)
    )


def _handles(family: int, table: str, ours: bytes) -> Iterator[bytes]:
    body = _NFGENMSG.pack(family, 0, 0) + attribute(NFTA_RULE_TABLE, table.encode() + b"\0")
    try:
        for rule in dump(NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, body):
            found = attributes(rule[_NFGENMSG.size :])
            if rule[0] == family and ours in rule:
                yield b"%d/%b/%b" % (family, found[NFTA_RULE_CHAIN], found[NFTA_RULE_HANDLE])
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):  # There is no such table, or no nf_tables.
            raise


def legacy_sizes(tables: Iterable[str]) -> tuple[bytes, ...]:
    """What ip_tables says of the extent of those tables that there are, in IPv4 and IPv6: another one for
    another number of rules. Raises: OSError."""
    sizes = []
    for family, (address_family, level, _) in LEGACY.items():
        there_are = _legacy_names(family)
        if named := [each for each in tables if each in there_are]:
            with socket.socket(address_family, socket.SOCK_DGRAM) as asked:
                sizes += [_getsockopt_with_name(asked, level, each) for each in named]
    return tuple(sizes)


def first_legacy_table() -> str | None:
    """The first table of ip_tables that has rules or chains of its own, as "FAMILY TABLE"; None when there is
    none. A table is not asked for that is not there, or the kernel would make it. Raises: OSError."""
    for family, (address_family, level, _) in LEGACY.items():
        if not (tables := _legacy_names(family)):
            continue
        with socket.socket(address_family, socket.SOCK_DGRAM) as asked:
            for table in tables:
                if _has_rules(asked, level, table):
                    return f"{family} {table} (iptables-legacy)"
    return None


def _has_rules(asked: socket.socket, level: int, table: str) -> bool:
    buffer = _getsockopt_with_name(asked, level, table)
    _, hooks, *rest = _INFO.unpack(buffer)
    # An empty table has the policy of each of its hooks, and one entry that ends it.
    return bool(rest[10] > hooks.bit_count() + 1)


def _getsockopt_with_name(asked: socket.socket, level: int, table: str) -> bytes:
    """What SO_GET_INFO says of a table, which Python's getsockopt has no way to name. Raises: OSError."""
    buffer = ctypes.create_string_buffer(table.encode(), _INFO.size)
    length = ctypes.c_uint32(_INFO.size)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(asked.fileno(), level, SO_GET_INFO, buffer, ctypes.byref(length)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), table)
    return buffer.raw


def has_ipsec_policies() -> bool:
    """Whether what leaves may have to be encrypted. Raises: OSError."""
    try:
        return next(dump(NETLINK_XFRM, XFRM_MSG_GETPOLICY, b""), None) is not None
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            return False  # The kernel has no IPsec.
        raise


class RulesetChanges:
    """Hears when nf_tables or the policies of IPsec change; of ip_tables the kernel says nothing. Raises:
    OSError."""

    def __init__(self) -> None:
        self._heard = [_listening(NETLINK_NETFILTER, NFNLGRP_NFTABLES)]
        try:
            self._heard.append(_listening(NETLINK_XFRM, XFRMNLGRP_POLICY))
        except OSError as error:
            if error.errno != errno.EPROTONOSUPPORT:  # The kernel has no IPsec.
                self.close()
                raise
        self.fds = tuple(netlink.fileno() for netlink in self._heard)
        """Readable when something has changed."""

    def close(self) -> None:
        """Give the sockets back."""
        for netlink in self._heard:
            netlink.close()

    def take(self, datagrams_max: int) -> bool:
        """Whether anything has changed, out of at most so many datagrams of each."""
        news = [_has_news(netlink, datagrams_max) for netlink in self._heard]
        return any(news)


def _listening(family: int, group: int) -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    try:
        netlink.setblocking(False)
        netlink.bind((0, 0))
        netlink.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    except OSError:
        netlink.close()
        raise
    return netlink


def _has_news(netlink: socket.socket, datagrams_max: int) -> bool:
    for count in range(datagrams_max):
        try:
            netlink.recv(DATAGRAM_BYTES_MAX)
        except BlockingIOError:
            return count > 0
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
    return True
