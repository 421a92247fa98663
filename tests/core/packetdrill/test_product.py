"""What a script says takes effect, or is refused by name: nothing of it is swallowed."""

import pytest

from gossamer.core.packetdrill.errors import ScriptError
from gossamer.core.packetdrill.grammar import parse
from gossamer.core.packetdrill.profiles import BSD, LINUX, Profile
from gossamer.core.packetdrill.runner import play
from gossamer.core.packetdrill.verdict import ScriptVerdict

LISTEN = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 bind(3, ..., ...) = 0\n+0 listen(3, 1) = 0\n"
OPEN = f"""{LISTEN}+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
"""
WRITTEN = "+0 write(4, ..., 10) = 10\n"
NAME = "x.pkt"


def verdict_of(script: str, profile: Profile = LINUX, **definitions: str) -> ScriptVerdict:
    return play(script, NAME, profile, definitions=definitions)


def outcome(script: str, profile: Profile = LINUX, **definitions: str) -> str:
    verdict = verdict_of(script, profile, **definitions)
    assert verdict.verdict.value in ("pass", "fail", "unsupported"), verdict.message
    return verdict.verdict.value


PASSES = {
    "fields of tcp_info": "+0 getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=TCPS_ESTABLISHED}, [200]) = 0\n"
    "+0 getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=TCP_ESTABLISHED, tcpi_snd_mss=1000}, [200]) = 0",
    "path MTU discovery": "+0 setsockopt(4, SOL_IP, IP_MTU_DISCOVER, [IP_PMTUDISC_DO], 4) = 0\n"
    "+0 getsockopt(4, SOL_IP, IP_MTU, [1500], [4]) = 0",
    "TOS that a call has set": "+0 setsockopt(4, SOL_IP, IP_TOS, [0x10], 4) = 0\n"
    + WRITTEN
    + "+0 > (tos 0x10) P. 1:11(10) ack 1",
    "hop limit": WRITTEN + "+0 > [ttl 64] P. 1:11(10) ack 1",
    "hop limit and traffic class of IPv6": "+0 setsockopt(4, SOL_IPV6, IPV6_UNICAST_HOPS, [64], 4) = 0\n"
    "+0 setsockopt(4, SOL_IPV6, IPV6_TCLASS, [0x20], 4) = 0\n"
    + WRITTEN
    + "+0 > (tos 0x20) P. 1:11(10) ack 1",
    "size that was set": "+0 setsockopt(4, SOL_TCP, TCP_MAXSEG, [700], 4) = 0\n"
    "+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [700], [4]) = 0",
    "SIOCINQ does not count a FIN": "+0 < F. 1:1(0) ack 1 win 9\n+0 > . 1:1(0) ack 2\n"
    "+0 ioctl(4, SIOCINQ, [0]) = 0",
    "nothing is written from nowhere": "+0 write(4, NULL, 10) = -1 EFAULT\n"
    "+0 send(4, NULL, 9, 0) = -1 EFAULT",
    "nothing is read to nowhere": "+0 < P. 1:11(10) ack 1 win 9\n+0 > . 1:1(0) ack 11\n"
    "+0 read(4, NULL, 10) = -1 EFAULT",
    "ICMP code as a number": WRITTEN + "+0 > P. 1:11(10) ack 1\n+0 < icmp unreachable 1 [1:11(10)]",
    "ACK of what was never sent": WRITTEN
    + "+0 > P. 1:11(10) ack 1\n+0 < . 1:1(0) ack 500 win 9\n+0 > . 11:11(0) ack 1",
    "text of one event in full segments": "+0 write(4, ..., 2500) = 2500\n+0 > P. 1:2501(2500) ack 1",
}
FAILS = {
    "another state": "+0 getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=TCPS_CLOSING}, [200]) = 0",
    "another path MTU": "+0 getsockopt(4, SOL_IP, IP_MTU, [1400], [4]) = 0",
    "another hop limit": WRITTEN + "+0 > [ttl 63] P. 1:11(10) ack 1",
    "a flow label": WRITTEN + "+0 > [flowlabel 0x5] P. 1:11(10) ack 1",
    "TOS that nobody has set": WRITTEN + "+0 > (tos 0x10) P. 1:11(10) ack 1",
}


@pytest.mark.parametrize("name", PASSES)
def test_effect__passes(name: str) -> None:
    assert (verdict_of(OPEN + PASSES[name]).message, outcome(OPEN + PASSES[name])) == ("", "pass")


@pytest.mark.parametrize("name", FAILS)
def test_expectation_that_was_not_looked_at__fails(name: str) -> None:
    assert outcome(OPEN + FAILS[name]) == "fail"


def test_conditional__one_branch_alone_is_played() -> None:
    script = (
        f"{OPEN}#ifdef LONG\n+0 write(4, ..., 20) = 20\n#else\n{WRITTEN}#endif\n+0 > P. 1:{{}}({{}}) ack 1\n"
    )
    assert outcome(script.format(11, 10)) == "pass"
    assert outcome(script.format(21, 20)) == "fail"
    assert outcome(script.format(21, 20), LONG="1") == "pass"
    assert outcome("--define=LONG=1\n" + script.format(21, 20)) == "pass"
    verdict = verdict_of(OPEN + "#ifdef LONG\n+0 close(9) = 0\n#endif\n+0 close(9) = 0")
    assert verdict.line == 11, "lines keep their numbers"


def test_comment_of_code__is_no_conditional() -> None:
    code = "+0 %{\n# so that in the\n# else branch nothing is written\n#endif\nassert 1 == 1\n}%\n"
    assert outcome(OPEN + code + "#ifdef LONG\n+0 close(9) = 0\n#endif\n") == "pass"


@pytest.mark.parametrize("wrong", ["#ifdef X", "#endif", "#else", "#ifdef", "#if 1\n#endif"])
def test_conditional__of_another_form__is_an_error(wrong: str) -> None:
    assert verdict_of(OPEN + wrong).verdict.value == "error"


def test_strict_segments__text_in_several__fails_strictly() -> None:
    script = OPEN + PASSES["text of one event in full segments"]
    assert verdict_of(script).strict.value == "pass"
    assert verdict_of("--strict_segments\n" + script).strict.value == "fail"


HALF_OPEN = LISTEN + "+0 < S 0:0(0) win 65535 <mss 1000>\n+0 > S. 0:0(0) ack 1 <mss 1460>\n"


def test_sockstat__counts_half_open_ones() -> None:
    count = "+0 `sockstat -4 -c -P tcp | grep -c SYN_RCVD | grep -q {}`\n"
    assert outcome(HALF_OPEN + count.format(1)) == "pass"
    assert outcome(HALF_OPEN + count.format(0)) == "fail"


def test_listener__closed__half_open_ones_are_forgotten_as_by_the_server() -> None:
    closed = HALF_OPEN + "+0 close(3) = 0\n"
    assert outcome(closed + "* > R. 1:1(0) ack 1") == "fail"
    assert outcome(closed + "+.1 < . 1:1(0) ack 1 win 9\n+0 > R 1:1(0)") == "pass"


def test_set_up__of_the_machine__holds_before_the_script_s_own() -> None:
    syn = "+0 < S 0:0(0) win 65535 <mss 1000,nop,wscale 7>\n"
    scale = f"{LISTEN}{syn}+0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale {{}}>"
    assert outcome(scale.format(7)) == "pass"
    prepared = play(scale.format(8), NAME, set_up=["../common/defaults.sh"])
    assert (prepared.verdict.value, prepared.message) == ("pass", "")
    connects = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0...3 connect(3, ..., ...) = 0\n"
    lost = (
        f"`../common/defaults.sh`\n{connects}+0 > S 0:0(0) <...>\n+1 > S 0:0(0) <...>\n+2 > S 0:0(0) <...>\n"
    )
    answered = lost + "+0 < S. 0:0(0) ack 1 win 9 <mss 1000>\n"
    assert outcome(answered) == "fail"
    doubled = play(answered, NAME, LINUX, set_up=["sysctl net.ipv4.tcp_syn_linear_timeouts=0"])
    assert doubled.message == "", "what defaults.sh does not set stands"
    own = "`sysctl -q net.ipv4.tcp_rmem=65535`\n" + scale.format(0)
    assert play(own, NAME, set_up=["../common/defaults.sh"]).verdict.value == "pass"
    assert play(scale.format(7), NAME, set_up=["perf stat"]).verdict.value == "unsupported"


def test_sysctl__in_mid_script__holds_for_the_listener() -> None:
    syn = "+0 < S 0:0(0) win 65535 <mss 1000,sackOK,nop,nop>\n+0 > S. 0:0(0) ack 1 <mss 1460{}>"
    assert outcome(LISTEN + syn.format(",nop,nop,sackOK")) == "pass"
    assert outcome(LISTEN + "+0 `sysctl -q net.ipv4.tcp_sack=0`\n" + syn.format("")) == "pass"


@pytest.mark.parametrize(
    ("command", "mss", "length"),
    [("ip link set dev tun0 mtu 1300", 1260, 1000), ("ip route change 192.0.2.1 mtu lock 600", 1460, 560)],
)
def test_mtu__of_link_and_route__is_obeyed(command: str, mss: int, length: int) -> None:
    opened = OPEN.replace("mss 1460", f"mss {mss}")
    text = f"+0 write(4, ..., {length}) = {length}\n+0 write(4, ..., 2000) = 2000\n"
    script = f"`{command}`\n{opened}{text}+0 > P. 1:{1 + length}({length}) ack 1"
    assert verdict_of(script).message == ""


def test_numbers__from_an_iss_of_the_script__either_way() -> None:
    opened = LISTEN + "+0 < S 0:0(0) win 65535 <mss 1000>\n+0 > S. 700:700(0) ack 1 <mss 1460>\n"
    rest = (
        "+.1 < . 1:1(0) ack {0} win 65535\n+0 accept(3, ..., ...) = 4\n"
        + WRITTEN
        + "+0 > P. {0}:{1}(10) ack 1"
    )
    assert outcome(opened + rest.format(1, 11)) == "pass"
    assert outcome(opened + rest.format(701, 711)) == "pass"
    assert outcome(opened + rest.format(1, 11).replace("P. 1:11", "P. 701:711")) == "fail"


def test_keepalive__times_of_the_sysctls() -> None:
    on = "+0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0\n+5 > . 0:0(0) ack 1"
    assert outcome(OPEN + on) == "fail"
    assert outcome("`sysctl -q net.ipv4.tcp_keepalive_time=5`\n" + OPEN + on) == "pass"


@pytest.mark.parametrize(
    "setting",
    [
        "net.ipv4.tcp_syncookies=2",
        "net.ipv4.ip_no_pmtu_disc=1",
        "net.inet.tcp.blackhole=1",
        "net.inet.tcp.syncookies_only=1",
    ],
)
def test_setting__that_matters_and_is_none_here__is_unsupported(setting: str) -> None:
    assert outcome(f"`sysctl -q {setting}`\n{OPEN}") == "unsupported"
    name = setting.partition("=")[0]
    assert verdict_of(f"`sysctl -q {name}=0`\n{OPEN}", LINUX).message == ""


BSD_SETTINGS = {
    "insecure_rst": ("+.1 < R 500:500(0) win 0\n+0 read(4, ..., 9) = -1 ECONNRESET", 0, 1),
    "insecure_syn": ("+.1 < S 500:500(0) win 9\n+0 > R. 1:1(0) ack 1 win 0", 0, 1),
    "drop_synfin": ("+.1 < SF 500:500(0) win 9\n+.1 < S 500:500(0) win 9\n+0 > . 1:1(0) ack 1", 0, 1),
    "rexmit_slop": (WRITTEN + "+0 > P. 1:11(10) ack 1\n+.3 > P. 1:11(10) ack 1", 200, 0),
}
"""By the last part of its name: what holds with the other value of a sysctl alone; its default, the other."""


@pytest.mark.parametrize("name", BSD_SETTINGS)
def test_setting_of_bsd__does_what_it_says(name: str) -> None:
    then, plain, other = BSD_SETTINGS[name]
    sysctl = f"`sysctl -w net.inet.tcp.{name}={{}}`\n"
    assert outcome(OPEN + then, BSD) == "fail"
    assert outcome(sysctl.format(plain) + OPEN + then, BSD) == "fail"
    assert verdict_of(sysctl.format(other) + OPEN + then, BSD).message == ""
    assert verdict_of(OPEN + f"+0 {sysctl.format(other)}", BSD).message == ""


@pytest.mark.parametrize("name", ["insecure_rst", "insecure_syn"])
def test_setting_of_bsd__in_mid_script__is_of_the_next_connections(name: str) -> None:
    then, plain, other = BSD_SETTINGS[name]
    sysctl = "+0 `sysctl -w net.inet.tcp.{}={}`\n"
    turned_on = OPEN + sysctl.format(name, other)
    assert outcome(turned_on + then, BSD) == "fail"
    assert LISTEN in OPEN
    early = LISTEN + sysctl.format(name, other) + OPEN.removeprefix(LISTEN)
    assert verdict_of(early + then, BSD).message == ""
    assert outcome(LISTEN + sysctl.format(name, plain) + OPEN.removeprefix(LISTEN) + then, BSD) == "fail"


def test_parameter_of_a_script__a_habit_of_the_profile_too() -> None:
    late = f"{WRITTEN}+0 > P. 1:11(10) ack 1\n+.3 > P. 1:11(10) ack 1"
    assert outcome(OPEN + late, BSD) == "fail"
    assert verdict_of("--parameter=rto_slop_us=0\n" + OPEN + late, BSD).message == ""
    assert outcome("--parameter=no_such_habit=1\n" + OPEN, BSD) == "unsupported"
    assert outcome("--parameter=deviations=1\n" + OPEN, BSD) == "unsupported"


CLOSED = (
    "+0 shutdown(4, SHUT_WR) = 0\n+0 > F. 1:1(0) ack 1\n+.1 < F. 1:1(0) ack 2 win 9\n+0 > . 2:2(0) ack 2\n"
)
IN_TIME_WAIT = "+0 `sockstat -4 -P tcp -s | grep -c TIME_WAIT | grep {}`\n"


def test_tcpdrop__ends_what_is_in_that_state_and_nothing_else() -> None:
    started = OPEN + CLOSED + IN_TIME_WAIT.format(1)
    assert verdict_of(started + "+0 `tcpdrop -s TIME_WAIT`\n" + IN_TIME_WAIT.format(0), BSD).message == ""
    assert verdict_of(started + "+0 `tcpdrop -s ESTABLISHED`\n" + IN_TIME_WAIT.format(1), BSD).message == ""
    dropped = OPEN + "+0 `tcpdrop -s ESTABLISHED`\n+0 > R. 1:1(0) ack 1 win 0\n"
    assert verdict_of(dropped + "+.1 < . 1:1(0) ack 1 win 9\n+0 > R 1:1(0) win 0", BSD).message == ""


GRAMMAR = {
    "a counter alone": "+0 < 5. 1:1(0) ack 1 win 9",
    "traffic class of IPv6": WRITTEN + "+0 > (class 0x0) P. 1:11(10) ack 1",
    "hop limit of IPv6": WRITTEN + "+0 > (hlim 64) P. 1:11(10) ack 1",
    "states as BSD asserts them": "+0 %{ assert tcpi_state == TCPI_ESTABLISHED }%",
    "codepoints of services": "+0 setsockopt(4, SOL_IP, IP_TOS, [IPTOS_DSCP_CS1], 4) = 0\n"
    + WRITTEN
    + "+0 > (tos 0x20) P. 1:11(10) ack 1",
    "what an error quotes, first": WRITTEN + "+0 > P. 1:11(10) ack 1\n+0 < [1:11(10)] icmp unreachable net",
}


@pytest.mark.parametrize("name", GRAMMAR)
def test_language_of_bsd__is_read(name: str) -> None:
    assert verdict_of(OPEN + GRAMMAR[name], BSD).message == ""


@pytest.mark.parametrize(
    "event",
    [
        "+0 < 55. 1:1(0) ack 1 win 9",
        "+0 > . ...(0) ack 1",
        "+0 < [1:11(10)] P. 1:11(10) ack 1 win 9",
        "+0 < [1:11(9)] icmp unreachable net",
    ],
)
def test_language_of_bsd__what_is_no_part_of_it__is_an_error_of_its_line(event: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(OPEN + event, NAME, {})
    assert caught.value.line == OPEN.count("\n") + 1


@pytest.mark.parametrize(
    "setting",
    [
        "tcp_ecn_fallback=0",
        "tcp_base_mss=512",
        "tcp_thin_linear_timeouts=1",
        "tcp_comp_sack_nr=44",
        "tcp_plb_enabled=1",
    ],
)
def test_setting_of_linux__that_its_peers_would_see__is_unsupported(setting: str) -> None:
    assert verdict_of(f"`sysctl -q net.ipv4.{setting}`\n{OPEN}").name == f"sysctl net.ipv4.{setting}"


@pytest.mark.parametrize(
    "call",
    [
        "setsockopt(4, SOL_IP, IP_TTL, [9], 4)",
        "setsockopt(4, SOL_IP, IP_MTU_DISCOVER, [IP_PMTUDISC_DONT], 4)",
        "getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_toe_tid=0}, [200])",
    ],
)
def test_option__that_is_none_here__is_unsupported(call: str) -> None:
    assert outcome(f"{OPEN}+0 {call} = 0") == "unsupported"


def test_fast_open__sendmsg__and_a_cookie_of_the_script() -> None:
    client = """`sysctl -q net.ipv4.tcp_fastopen=1 net.ipv4.tcp_timestamps=0`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0 sendmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=0}, MSG_FASTOPEN) = -1 EINPROGRESS
+0 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 7,FO,nop,nop>
"""
    assert verdict_of(client).message == ""
    server = """`sysctl -q net.ipv4.tcp_fastopen=2`
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN, [5], 4) = 0
+0 listen(3, 1) = 0
+0 < 90 > 8080 S 0:0(0) win 65535 <mss 1000,FO>
+0 > 8080 > 90 S. 0:0(0) ack 1 <mss 1460,FO 1122334455667788,nop,nop>
+.1 < 91 > 8080 S 0:10(10) win 65535 <mss 1000,FO {},nop,nop>
+0 > 8080 > 91 S. 0:0(0) ack {} <mss 1460{}>
"""
    assert verdict_of(server.format("1122334455667788", 11, "")).message == ""
    assert verdict_of(server.format("112233", 1, "")).message == "", "three octets are no cookie"


def test_icmp__code_of_a_word_that_was_defined() -> None:
    opening = """0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
+0 connect(3, ..., ...) = -1 EINPROGRESS
+0 > S 0:0(0) <...>
+.1 < icmp unreachable CODE [0:0(0)]
+0 getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0
"""
    assert outcome(opening, CODE="port_unreachable") == "pass"
    assert outcome(opening, CODE="3") == "pass"
    assert outcome(opening, CODE="host_unreachable") == "fail"
    assert outcome(opening) == "unsupported"


def test_tcp_metrics__flushed__the_next_connection_asks_for_a_cookie_again() -> None:
    script = "`sysctl -q net.ipv4.tcp_fastopen=1 net.ipv4.tcp_timestamps=0`\n"
    asked = """+0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = {0}
+0 sendto({0}, ..., 9, MSG_FASTOPEN, ..., ...) = -1 EINPROGRESS
+0 > S 0:0(0) <mss 1460,nop,nop,sackOK,nop,wscale 7,FO,nop,nop>
+.1 < S. 0:0(0) ack 1 win 9 <mss 1000,FO 1122334455667788>
+0 > . 1:1(0) ack 1
"""
    flush = "+0 `ip tcp_metrics flush all > /dev/null 2>&1`\n"
    assert verdict_of(script + asked.format(3) + flush + asked.format(5)).message == ""
    assert outcome(script + asked.format(3) + asked.format(5)) == "fail"


def test_bsd__errors__as_there() -> None:
    reset = (
        "+0 < F. 1:1(0) ack 1 win 9\n+0 > . 1:1(0) ack 2\n+.1 < R 2:2(0) win 0\n+0 write(4, ..., 1) = -1 {}"
    )
    assert outcome(OPEN + reset.format("ECONNRESET"), BSD) == "pass"
    assert outcome(OPEN + reset.format("EPIPE"), LINUX) == "pass"


def test_verbose__numbers_of_the_script_and_options() -> None:
    said: list[str] = []
    play(OPEN + WRITTEN + "+0 > P. 1:11(10) ack 1", NAME, LINUX, said.append)
    assert "0.000000 > S. 0:0(0) ack 1 win 65535 <mss 1460>" in said
    assert "0.100000 > P. 1:11(10) ack 1 win 65535" in said


def test_bsd__second_small_segment__acknowledged_at_once() -> None:
    """The core acknowledges every second full-sized one (RFC 9293 3.8.6.3)."""
    small = "+0 < P. 1:11(10) ack 1 win 9\n+.001 < P. 11:21(10) ack 1 win 9\n+0 > . 1:1(0) ack 21"
    assert outcome(OPEN + small, BSD) == "pass"


def test_nstat__of_icmp_out_of_the_window__counts_since_the_last_one() -> None:
    ignored = "+0 < icmp unreachable host_unreachable [5000:6000(1000)]\n"
    asked = "+0 `nstat | grep TcpExtOutOfWindowIcmps > /dev/null`\n"
    script = OPEN + WRITTEN + "+0 > P. 1:11(10) ack 1\n"
    assert outcome(script + ignored + asked) == "pass"
    assert outcome(script + asked) == "fail"
    assert outcome(script + ignored + asked + asked) == "fail"
    assert outcome(script + ignored + "+0 `nstat > /dev/null`\n" + asked) == "fail"
    assert verdict_of(script + "+0 `nstat | grep TcpExtTCPKeepAlive`\n").name == "command nstat"
