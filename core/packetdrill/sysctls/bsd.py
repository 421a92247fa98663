"""The sysctls of FreeBSD.

Source: tcp(4).
"""

from typing import Final

from gossamer.core.packetdrill import fastopen
from gossamer.core.packetdrill.errors import Unsupported
from gossamer.core.packetdrill.sysctls.setters import (
    Setter,
    congestion,
    deviates,
    deviating,
    ecn,
    number_of,
    scaled,
    truth,
)
from gossamer.core.records import replace
from gossamer.core.tcp.constants import MILLISECOND_US
from gossamer.core.tcp.parameters import TcpParameters

ECT_ON: Final = {"0": "data", "1": "syn-ack", "2": "all"}


def generalized(parameters: TcpParameters, text: str) -> TcpParameters:
    """0 to 2 of ECN++."""
    if text not in ECT_ON:
        raise Unsupported(f"sysctl ecn.generalized={text}")
    return deviating(parameters, ect_on=ECT_ON[text])


BSD_SYSCTLS: Final[dict[str, Setter]] = {
    "net.inet.tcp.sack.enable": truth("sack"),
    "net.inet.tcp.rfc1323": lambda parameters, text: replace(
        parameters, timestamps=number_of(text) in (1, 3), window_scaling=number_of(text) in (1, 2)
    ),
    "kern.ipc.maxsockbuf": lambda parameters, text: replace(
        parameters, receive_buffer_bytes=number_of(text), send_buffer_bytes=number_of(text)
    ),
    "net.inet.tcp.ecn.enable": lambda parameters, text: ecn(parameters, text),
    "net.inet.tcp.msl": scaled("time_wait_us", 2 * MILLISECOND_US),
    "net.inet.tcp.syncache.rexmtlimit": scaled("synack_retries", 1),
    "net.inet.tcp.delacktime": scaled("delayed_ack_us", MILLISECOND_US),
    "net.inet.tcp.delayed_ack": lambda parameters, text: (
        parameters if number_of(text) else replace(parameters, delayed_ack_us=0)
    ),
    "net.inet.tcp.initcwnd_segments": scaled("initial_window_segments", 1),
    "net.inet.tcp.rexmit_min": scaled("rto_min_us", MILLISECOND_US),
    "net.inet.tcp.cc.algorithm": congestion,
    "net.inet.tcp.finwait2_timeout": scaled("fin_wait_2_us", MILLISECOND_US),
    "net.inet.tcp.keepintvl": scaled("keepalive_interval_us", MILLISECOND_US),
    "net.inet.tcp.insecure_rst": deviates("insecure_rst"),
    "net.inet.tcp.insecure_syn": deviates("insecure_syn"),
    "net.inet.tcp.drop_synfin": lambda parameters, text: deviating(
        parameters, syn_fin="drop" if number_of(text) else "open"
    ),
    "net.inet.tcp.recvspace": lambda parameters, text: deviating(
        parameters, receive_space_bytes=number_of(text)
    ),
    "net.inet.tcp.rexmit_slop": lambda parameters, text: deviating(
        parameters, rto_slop_us=number_of(text) * MILLISECOND_US
    ),
    "net.inet.tcp.ecn.plusplus": generalized,
    "net.inet.tcp.ecn.generalized": generalized,
    "net.inet.tcp.ecn.maxretries": lambda parameters, text: deviating(
        parameters, ecn_syns=number_of(text) + 1
    ),
    "net.inet.tcp.rexmit_drop_options": lambda parameters, text: deviating(
        parameters, plain_syn_from=3 if number_of(text) else 0
    ),
    "net.inet.tcp.keepinit": lambda parameters, text: deviating(
        parameters, syn_gives_up_us=number_of(text) * MILLISECOND_US
    ),
    "net.inet.tcp.icmp_may_rst": deviates("icmp_ends"),
    "net.inet.tcp.keepcnt": scaled("keepalive_probes", 1),
}

BSD_FAST_OPEN: Final = {
    "net.inet.tcp.fastopen.client_enable": fastopen.CLIENT,
    "net.inet.tcp.fastopen.server_enable": fastopen.SERVER,
}
BSD_NO_BEARING: Final = (
    "hostcache.", "log_", "sendspace", "recvbuf_", "sendbuf_", "reass.", "functions_", "bb.",
    "abc_l_var", "hpts.", "ack_war", "finwait2", "rack.",
    "always_keepalive", "nolocaltimewait", "tso", "minmss", "mssdflt", "v6mssdflt", "per_cpu_timers",
    "require_unique_port", "soreceive_stream", "syncache.", "isn_reseed_interval", "cubic.",
    "cc.available", "cc.newreno", "newcwd", "do_prr", "do_lrd", "rfc3042", "rfc3390", "rfc6675_pipe",
    "rfc3465",
    "tolerate_missing_ts", "ts_offset_per_conn", "sack.",
)  # fmt: skip
"""Beginnings of names below net.inet.tcp.: what is always so here, or does not show on the wire."""
BSD_HARMLESS: Final = {
    "rexmit_initial": ("1000",),
    "insecure_ack": ("0",),
    "blackhole": ("0",),
    "path_mtu_discovery": ("1",),
    "syncookies": ("0", "1"),
    "syncookies_only": ("0",),
    "pmtud_blackhole_detection": ("0",),
}
"""Values that ask for nothing that does not exist here."""


def is_harmless(name: str, value: str) -> bool:
    """Whether a sysctl with this value changes nothing here."""
    short = name.removeprefix("net.inet.tcp.")
    return value in BSD_HARMLESS.get(short, ()) or short.startswith(BSD_NO_BEARING)
