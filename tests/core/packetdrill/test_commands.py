"""Commands and sysctls: which parameter each is, and which is none."""

import pytest

from gossamer.core.packetdrill.commands import run
from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.profiles import BSD, LINUX
from gossamer.core.packetdrill.settings import Settings, set_option


def after(text: str) -> Settings:
    settings = Settings()
    run(settings, text)
    return settings


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("sysctl -q net.ipv4.tcp_sack=0", "sack", False),
        ("sysctl -w net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0", "timestamps", False),
        ("echo 0 > /proc/sys/net/ipv4/tcp_window_scaling", "window_scaling", False),
        ("echo -n 3 > /proc/sys/net/ipv4/tcp_syn_retries", "syn_retries", 3),
        (
            "../common/set_sysctls.py /proc/sys/net/ipv4/tcp_wmem='4096 50000 70000'",
            "send_buffer_bytes",
            70_000,
        ),
        ('sysctl -q net.ipv4.tcp_rmem="4096 540000 $((15*1024*1024))"', "receive_buffer_bytes", 15 << 20),
        ("sysctl -q net.ipv4.tcp_ecn=1", "ecn", "on"),
        ("sysctl -q net.ipv4.tcp_ecn=3", "ecn", "accurate"),
        ("sysctl -q net.ipv4.tcp_mtu_probing=2", "mtu_probing", "on"),
        ("sysctl -q net.ipv4.tcp_early_retrans=0", "tail_loss_probe", False),
        ("sysctl -q net.ipv4.tcp_recovery=0", "rack", False),
        ("sysctl -q net.ipv4.tcp_slow_start_after_idle=0", "restart_after_idle", False),
        ("sysctl -q net.ipv4.tcp_congestion_control=reno", "congestion", "newreno"),
        ("sysctl -q net.ipv4.tcp_invalid_ratelimit=0", "challenge_interval_us", 0),
        ("sysctl -q net.ipv4.tcp_rto_min_us=5000", "rto_variance_min_us", 5000),
        ("ip route change 192.0.2.1/32 via 192.168.0.1 initcwnd 20", "initial_window_segments", 20),
        ("true; sysctl -q net.ipv4.tcp_sack=0 # off", "sack", False),
        ("sysctl net.inet.tcp.rfc1323=0", "timestamps", False),
        ("sysctl net.inet.tcp.delayed_ack=0", "delayed_ack_us", 0),
        ("sysctl -w kern.ipc.maxsockbuf=65536", "receive_buffer_bytes", 65_536),
        ("sysctl -w net.inet.tcp.ecn.enable=1", "ecn", "on"),
        ("sysctl -w net.inet.tcp.msl=1000", "time_wait_us", 2_000_000),
    ],
)
def test_command__is_a_parameter(text: str, field: str, value: object) -> None:
    assert getattr(Settings().parameters, field) != value
    assert getattr(after(text).parameters, field) == value


def test_defaults__by_profile() -> None:
    assert after("./defaults.sh").parameters == LINUX.after_defaults
    settings = Settings(profile=BSD, parameters=BSD.parameters)
    run(settings, "../common/defaults.sh")
    assert settings.parameters == BSD.after_defaults


@pytest.mark.parametrize(
    "text",
    [
        "tc qdisc add dev tun0 root pfifo",
        "tc qdisc del dev tun0 root fq",
        "sysctl -q net.ipv4.tcp_tso_win_divisor=100",
        "sysctl -q net.core.somaxconn=1024",
        "sysctl -w net.inet.tcp.hostcache.purgenow=1",
        "sysctl -w net.inet.tcp.insecure_rst=0",
        "/tmp/sysctl_restore_${PPID}.sh",
        "sleep 1; rm -f /tmp/x && true",
        "",
    ],
)
def test_command__without_bearing__changes_nothing(text: str) -> None:
    assert after(text) == Settings()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("nstat | grep TcpExtTCPAbort", "command nstat"),
        ("sysctl -q net.ipv4.tcp_md5_thing=1", "sysctl net.ipv4.tcp_md5_thing=1"),
        ("sysctl -q net.ipv4.tcp_reordering=9", "sysctl net.ipv4.tcp_reordering=9"),
        ("sysctl -q net.ipv4.tcp_ecn=4", "sysctl tcp_ecn=4"),
        ("sysctl -q net.ipv4.tcp_congestion_control=vegas", "congestion control vegas"),
        ("ip route change default rto_min 5ms", "ip route rto_min"),
        ("tc qdisc replace dev tun0 root fq", "tc fq"),
        ("tc qdisc replace dev tun0 root pfifo limit 0", "tc limit 0"),
        ("tc qdisc add dev tun0 root netem loss 1%", "tc netem loss 1%"),
        ("sysctl -q net.mptcp.enabled=1", "sysctl net.mptcp.enabled"),
        ("sysctl -w net.inet.tcp.blackhole=1", "sysctl net.inet.tcp.blackhole=1"),
        ("sysctl -w net.inet.tcp.ecn.generalized=3", "sysctl ecn.generalized=3"),
    ],
)
def test_command__that_asks_for_what_is_not_there__is_named(text: str, name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        after(text)
    assert caught.value.name == name


def test_sysctl__with_no_number__is_a_mismatch() -> None:
    with pytest.raises(Mismatch, match="expected a number, got 'many'"):
        after("sysctl -q net.ipv4.tcp_syn_retries=many")


def test_options__of_the_head() -> None:
    settings = Settings()
    for name, value in (
        ("mtu", "1400"),
        ("ip_version", "ipv6"),
        ("tolerance_usecs", "10000"),
        ("local_ip", "::1"),
    ):
        set_option(settings, name, value)
    assert (settings.mss, settings.is_ipv6, settings.tolerance_us) == (1340, True, 10_000)
    set_option(settings, "profile", "bsd")
    assert settings.parameters == BSD.parameters
    with pytest.raises(Unsupported, match="option --so_filename"):
        set_option(settings, "so_filename", "x.so")
