"""The words of socket calls that stand for numbers.

Owns the numbers as Linux has them on x86-64. Names of socket options stay words: `calls.options` knows them.

Source: the kernel's user-space headers; POSIX.
"""

from typing import Final

ADDRESS_FAMILIES: Final = {"AF_UNSPEC": 0, "AF_INET": 2, "AF_INET6": 10, "PF_INET": 2, "PF_INET6": 10}
SOCKET_TYPES: Final = {
    "SOCK_STREAM": 1,
    "SOCK_DGRAM": 2,
    "SOCK_RAW": 3,
    "SOCK_NONBLOCK": 0o4000,
    "SOCK_CLOEXEC": 0o2000000,
}
PROTOCOLS: Final = {
    "IPPROTO_IP": 0,
    "IPPROTO_ICMP": 1,
    "IPPROTO_TCP": 6,
    "IPPROTO_UDP": 17,
    "IPPROTO_IPV6": 41,
    "IPPROTO_ICMPV6": 58,
    "IPPROTO_SCTP": 132,
    "IPPROTO_MPTCP": 262,
}
FILE_FLAGS: Final = {
    "F_GETFL": 3,
    "F_SETFL": 4,
    "O_RDONLY": 0,
    "O_WRONLY": 1,
    "O_RDWR": 2,
    "O_NONBLOCK": 0o4000,
}
MESSAGE_FLAGS: Final = {
    "MSG_OOB": 1,
    "MSG_PEEK": 2,
    "MSG_DONTROUTE": 4,
    "MSG_CTRUNC": 8,
    "MSG_TRUNC": 0x20,
    "MSG_DONTWAIT": 0x40,
    "MSG_EOR": 0x80,
    "MSG_WAITALL": 0x100,
    "MSG_ERRQUEUE": 0x2000,
    "MSG_NOSIGNAL": 0x4000,
    "MSG_MORE": 0x8000,
    "MSG_ZEROCOPY": 0x4000000,
    "MSG_FASTOPEN": 0x20000000,
    "MSG_CMSG_CLOEXEC": 0x40000000,
}
POLL_EVENTS: Final = {
    "POLLIN": 1,
    "POLLPRI": 2,
    "POLLOUT": 4,
    "POLLERR": 8,
    "POLLHUP": 0x10,
    "POLLNVAL": 0x20,
    "POLLRDNORM": 0x40,
    "POLLRDBAND": 0x80,
    "POLLWRNORM": 0x100,
    "POLLWRBAND": 0x200,
    "POLLRDHUP": 0x2000,
}
EPOLL_EVENTS: Final = {
    **{f"E{name}": value for name, value in POLL_EVENTS.items()},
    "EPOLLEXCLUSIVE": 1 << 28,
    "EPOLLWAKEUP": 1 << 29,
    "EPOLLONESHOT": 1 << 30,
    "EPOLLET": 1 << 31,
    "EPOLL_CTL_ADD": 1,
    "EPOLL_CTL_DEL": 2,
    "EPOLL_CTL_MOD": 3,
    "EPOLL_CLOEXEC": 0o2000000,
}
SHUTDOWNS: Final = {"SHUT_RD": 0, "SHUT_WR": 1, "SHUT_RDWR": 2}
REQUESTS: Final = {"SIOCINQ": 0x541B, "FIONREAD": 0x541B, "SIOCOUTQ": 0x5411, "TIOCOUTQ": 0x5411,
                   "SIOCOUTQNSD": 0x894B, "FIONBIO": 0x5421}  # fmt: skip
SPLICES: Final = {"SPLICE_F_MOVE": 1, "SPLICE_F_NONBLOCK": 2, "SPLICE_F_MORE": 4}
ERRORS_QUEUED: Final = {"SO_EE_ORIGIN_ZEROCOPY": 5, "SO_EE_CODE_ZEROCOPY_COPIED": 1}
PATH_MTU_DISCOVERY: Final = {
    f"{family}_PMTUDISC_{name}": number
    for family in ("IP", "IPV6")
    for number, name in enumerate(("DONT", "WANT", "DO", "PROBE", "INTERFACE", "OMIT"))
}
TRAFFIC_CLASSES: Final = {
    "IPTOS_LOWDELAY": 0x10,
    "IPTOS_THROUGHPUT": 0x08,
    "IPTOS_RELIABILITY": 0x04,
    "IPTOS_DSCP_EF": 46 << 2,
    **{f"IPTOS_DSCP_CS{number}": number << 5 for number in range(8)},
    **{f"IPTOS_DSCP_AF{c}{d}": (c << 3 | d << 1) << 2 for c in range(1, 5) for d in range(1, 4)},
}
"""Source: RFC 2474, RFC 2597, RFC 3246, RFC 1349."""
LEVELS: Final = {"SOL_SOCKET": 1, "SOL_IP": 0, "SOL_TCP": 6, "SOL_IPV6": 41}

NUMBERS: Final = {
    **ADDRESS_FAMILIES,
    **SOCKET_TYPES,
    **PROTOCOLS,
    **FILE_FLAGS,
    **MESSAGE_FLAGS,
    **POLL_EVENTS,
    **EPOLL_EVENTS,
    **SHUTDOWNS,
    **REQUESTS,
    **SPLICES,
    **ERRORS_QUEUED,
    **LEVELS,
    **PATH_MTU_DISCOVERY,
    **TRAFFIC_CLASSES,
    "NULL": 0,
    "true": 1,
    "false": 0,
}

TCP_STATES: Final = {
    "TCP_ESTABLISHED": 1,
    "TCP_SYN_SENT": 2,
    "TCP_SYN_RECV": 3,
    "TCP_FIN_WAIT1": 4,
    "TCP_FIN_WAIT2": 5,
    "TCP_TIME_WAIT": 6,
    "TCP_CLOSE": 7,
    "TCP_CLOSE_WAIT": 8,
    "TCP_LAST_ACK": 9,
    "TCP_LISTEN": 10,
    "TCP_CLOSING": 11,
}
BSD_STATES: Final = {
    "TCPS_CLOSED": 7,
    "TCPS_LISTEN": 10,
    "TCPS_SYN_SENT": 2,
    "TCPS_SYN_RECEIVED": 3,
    "TCPS_ESTABLISHED": 1,
    "TCPS_CLOSE_WAIT": 8,
    "TCPS_FIN_WAIT_1": 4,
    "TCPS_CLOSING": 11,
    "TCPS_LAST_ACK": 9,
    "TCPS_FIN_WAIT_2": 5,
    "TCPS_TIME_WAIT": 6,
}
"""As BSD calls them, with the numbers that `TcpInfo` has."""
BSD_INFO_STATES: Final = {name.replace("TCPS", "TCPI"): number for name, number in BSD_STATES.items()}
"""As assertions of scripts for BSD call them."""
CA_STATES: Final = {
    "TCP_CA_Open": 0,
    "TCP_CA_Disorder": 1,
    "TCP_CA_CWR": 2,
    "TCP_CA_Recovery": 3,
    "TCP_CA_Loss": 4,
}
INFO_OPTIONS: Final = {
    "TCPI_OPT_TIMESTAMPS": 1,
    "TCPI_OPT_SACK": 2,
    "TCPI_OPT_WSCALE": 4,
    "TCPI_OPT_ECN": 8,
    "TCPI_OPT_ECN_SEEN": 16,
    "TCPI_OPT_SYN_DATA": 32,
}
ASSERTION_WORDS: Final = {**TCP_STATES, **BSD_STATES, **BSD_INFO_STATES, **CA_STATES, **INFO_OPTIONS}
"""What assertions may name beside the fields of tcp_info."""
