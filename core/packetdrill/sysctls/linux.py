"""The sysctls of Linux.

Source: Documentation/networking/ip-sysctl.rst.
"""

from typing import Final

from gossamer.core.clock import SECOND_US
from gossamer.core.packetdrill.sysctls.setters import (
    Setter,
    congestion,
    ecn,
    ecn_option,
    largest,
    mtu_probing,
    notsent_lowat,
    number_of,
    rto_min,
    scaled,
    truth,
)
from gossamer.core.records import replace
from gossamer.core.tcp.constants import MILLISECOND_US

LINUX_SYSCTLS: Final[dict[str, Setter]] = {
    "tcp_sack": truth("sack"),
    "tcp_timestamps": truth("timestamps"),
    "tcp_window_scaling": truth("window_scaling"),
    "tcp_ecn": ecn,
    "tcp_ecn_option": ecn_option,
    "tcp_recovery": lambda parameters, text: replace(parameters, rack=bool(number_of(text) & 1)),
    "tcp_early_retrans": lambda parameters, text: replace(parameters, tail_loss_probe=number_of(text) >= 3),
    "tcp_frto": truth("forward_rto"),
    "tcp_dsack": truth("dsack"),
    "tcp_slow_start_after_idle": truth("restart_after_idle"),
    "tcp_mtu_probing": mtu_probing,
    "tcp_rmem": largest("receive_buffer_bytes"),
    "tcp_syn_retries": scaled("syn_retries", 1),
    "tcp_syn_linear_timeouts": scaled("syn_linear_retries", 1),
    "tcp_synack_retries": scaled("synack_retries", 1),
    "tcp_retries2": scaled("retries", 1),
    "tcp_notsent_lowat": notsent_lowat,
    "tcp_fin_timeout": scaled("fin_wait_2_us", SECOND_US),
    "tcp_keepalive_intvl": scaled("keepalive_interval_us", SECOND_US),
    "tcp_keepalive_probes": scaled("keepalive_probes", 1),
    "tcp_congestion_control": congestion,
    "tcp_init_cwnd": scaled("initial_window_segments", 1),
    "tcp_rto_min_us": rto_min,
    "tcp_rto_max_ms": scaled("rto_max_us", MILLISECOND_US),
    "tcp_invalid_ratelimit": scaled("challenge_interval_us", MILLISECOND_US),
    "tcp_max_tw_buckets": scaled("time_wait_max", 1),
    "tcp_max_syn_backlog": scaled("syn_backlog", 1),
}

NO_BEARING: Final = frozenset(
    {
        "tcp_ecn_option_beacon", "tcp_tso_win_divisor", "tcp_min_tso_segs", "tcp_limit_output_bytes",
        "tcp_moderate_rcvbuf",
        "tcp_fack", "tcp_pacing_ss_ratio", "tcp_pacing_ca_ratio", "tcp_no_metrics_save", "tcp_mem",
        "tcp_autocorking", "tcp_app_win", "tcp_adv_win_scale", "tcp_low_latency", "tcp_max_orphans",
        "tcp_comp_sack_delay_ns", "tcp_comp_sack_slack_ns", "tcp_challenge_ack_limit",
        "tcp_available_congestion_control", "tcp_tso_rtt_log", "tcp_allowed_congestion_control",
        "tcp_workaround_signed_windows", "tcp_early_demux", "tcp_backlog_ack_defer",
        "ip_local_port_range", "tcp_l3mdev_accept", "tcp_tso_allow_defer",
    }
)  # fmt: skip
"""They set how Linux does its work, and nothing of what its peers see."""

HARMLESS: Final = {
    "tcp_abort_on_overflow": ("0",),
    "tcp_stdurg": ("0",),
    "tcp_syncookies": ("0", "1"),
    "tcp_rfc1337": ("0", "1"),
    "ip_no_pmtu_disc": ("0",),
    "tcp_reordering": ("3",),
    "tcp_shrink_window": ("0",),
    "tcp_fwmark_accept": ("0",),
    "tcp_thin_linear_timeouts": ("0",),
    "tcp_thin_dupack": ("0",),
    "tcp_max_reordering": ("300",),
    "tcp_retries1": ("3",),
    "tcp_orphan_retries": ("0", "8"),
    "tcp_reflect_tos": ("0",),
    "tcp_fastopen_blackhole_timeout_sec": ("0",),
    "tcp_fastopen_blackhole_detect_timeout_sec": ("0",),
    "tcp_probe_interval": ("600",),
    "tcp_probe_threshold": ("8",),
    "tcp_mtu_probe_floor": ("48",),
    "tcp_pingpong_thresh": ("1", "3"),
    "tcp_plb_enabled": ("0",),
    "tcp_min_snd_mss": ("48",),
    "tcp_min_rtt_wlen": ("300",),
    "tcp_ecn_fallback": ("1",),
    "tcp_comp_sack_nr": ("0",),
    "tcp_migrate_req": ("0",),
    "tcp_tw_recycle": ("0",),
}
"""Values that ask for nothing that does not exist here."""
