"""Playing scripts: time, blocking calls, both verdicts, and how each end is reported."""

import pytest

from gossamer.core.packetdrill.profiles import BSD, LINUX
from gossamer.core.packetdrill.runner import play
from gossamer.core.packetdrill.verdict import Outcome, ScriptVerdict

OPEN = """\
0  socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
"""
UNEQUAL = """\
+0 setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0
+0 write(4, ..., 300) = 300
+0 write(4, ..., 700) = 700
+0 > P. 1:1001(1000) ack 1"""
FIRST = 8
"""The line after it."""


def played(rest: str, before: str = OPEN) -> ScriptVerdict:
    return play(before + rest, "x.pkt", LINUX)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("+0 write(4, ..., 10) = 11", "write: expected 11, got 10"),
        ("+0 read(3, ..., 10) = -1 EAGAIN", "read: expected -1 EAGAIN, got -1 ENOTCONN"),
        ("+0 close(9) = 0", "close: expected 0, got -1 EBADF"),
        ("+0 read(7, ..., 1) = 0", "fd 7: expected a socket of the script, got none"),
        ("+0 write(4) = 0", "write: expected 3 arguments, got 1"),
        ("+0 > . 1:1(0) ack 1", "expected . 1:1(0) ack 1, got nothing until 0.104000"),
        ("+0 write(4, ..., 10) = 10\n+0 > F. 1:11(10) ack 1", "flags: expected F., got P."),
        ("+0 write(4, ..., 10) = 10\n+0 > P. 2:12(10) ack 1", "seq: expected 2, got 1"),
        ("+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1", "length: expected 11, got 10"),
        ("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 2", "ack: expected 2, got 1"),
        ("+0 write(4, ..., 10) = 10\n+0 > [ect0] P. 1:11(10) ack 1", "ecn: expected 2, got 0"),
        ("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1 <nop>", "options: expected <nop>, got <>"),
        (
            "+0 write(4, ..., 10) = 10\n+.1 > P. 1:11(10) ack 1",
            "time: expected P. 1:11(10) ack 1 at 0.200000, ",
        ),
        (
            "+0...0.5 write(4, ..., 10) = 10",
            "write: expected it to block until 0.600000, got it back at once",
        ),
        ("+0...0.5 read(4, ..., 10) = 10", "read: expected it to return, got it blocked"),
        (
            "+0...0.5 read(4, ..., 10) = 10\n+.1 < P. 1:11(10) ack 1 win 9",
            "read: expected it to return at 0.6",
        ),
        ("0.05 write(4, ..., 10) = 10", "time: expected this at 0.050000, got 0.100000"),
        ("+0 ioctl(4, SIOCINQ, [7]) = 0", "ioctl: expected 7, got 0"),
        ("+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [EPIPE], [4]) = 0", "SO_ERROR: expected EPIPE, got 0"),
        ("+0 poll([{fd=4, events=POLLOUT, revents=POLLIN}], 1, 0) = 1", "revents: expected 0x1, got 0x4"),
        (
            "+0 %{ assert tcpi_snd_cwnd == 3 }%",
            "assertion: expected tcpi_snd_cwnd == 3, got tcpi_snd_cwnd = 10",
        ),
    ],
)
def test_expectation__that_is_not_met__says_what_was_expected_and_what_was_got(
    rest: str, message: str
) -> None:
    verdict = played(rest)
    assert verdict.verdict is verdict.strict is Outcome.FAIL
    assert verdict.message.startswith(message)
    assert verdict.line in (FIRST, FIRST + 1)


@pytest.mark.parametrize(
    ("rest", "name"),
    [
        ("+0 splice(4, ...) = 0", "call splice"),
        ("+0 setsockopt(4, SOL_TCP, TCP_MD5SIG, [1], 4) = 0", "option TCP_MD5SIG"),
        ("+0 send(4, ..., 1, MSG_OOB) = 1", "MSG_OOB"),
        ("+0 socket(AF_INET, SOCK_DGRAM, 0) = 5", "socket type other than SOCK_STREAM"),
        ("+0 `ss -t`", "command ss"),
        ("+0 %{ import os }%", "import in code"),
        ("+0 < icmp unreachable nonsense [1:1(0)]", "icmp unreachable nonsense"),
    ],
)
def test_what_is_not_offered__is_unsupported__and_named_with_its_line(rest: str, name: str) -> None:
    verdict = played(rest)
    assert verdict.verdict is Outcome.UNSUPPORTED
    assert (verdict.name, verdict.line) == (name, FIRST)
    assert verdict.message == f"unsupported: {name} at line {FIRST}"


def test_slip__is_an_error_with_its_line() -> None:
    verdict = played("+0 > Z 1:1(0)")
    assert (verdict.verdict, verdict.line) == (Outcome.ERROR, FIRST)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("+0 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 1", "flags: expected ., got P."),
        ("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1 win 7", "win: expected 7, got 65535"),
        (
            UNEQUAL,
            "segments: expected 1 of 1000 octets, got 2",
        ),
    ],
)
def test_what_only_strict_minds__passes_leniently(rest: str, message: str) -> None:
    verdict = played(rest)
    assert verdict.verdict is Outcome.PASS
    assert verdict.strict is Outcome.FAIL
    assert verdict.strict_message.startswith(message)
    assert verdict.strict_line == FIRST + rest.count("\n")


def test_tolerance__of_four_milliseconds_or_a_hundredth() -> None:
    timer = "--tolerance_usecs=4000\n--tolerance_percent=1\n`sysctl -q net.ipv4.tcp_early_retrans=0`\n"
    rest = "+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+{} > P. 1:11(10) ack 1"
    assert played(rest.format(".303"), timer + OPEN).verdict is Outcome.PASS
    assert played(rest.format(".309"), timer + OPEN).verdict is Outcome.FAIL
    assert played(rest.format(".2~+.4"), timer + OPEN).verdict is Outcome.PASS
    assert played(rest.format(".31~+.4"), timer + OPEN).verdict is Outcome.FAIL
    loose = timer.replace("4000", "10000")
    assert played(rest.format(".309"), loose + OPEN).verdict is Outcome.PASS
    # Where the script says nothing it is the tool's, an eighth.
    tool = "`sysctl -q net.ipv4.tcp_early_retrans=0`\n"
    assert played(rest.format(".337"), tool + OPEN).verdict is Outcome.PASS
    assert played(rest.format(".345"), tool + OPEN).verdict is Outcome.FAIL


def test_star__waits_as_long_as_it_takes() -> None:
    rest = "+0 write(4, ..., 10) = 10\n* > P. 1:11(10) ack 1\n* > P. 1:11(10) ack 1\n* > P. 1:11(10) ack 1"
    assert played(rest).verdict is Outcome.PASS
    assert played("* > P. 1:11(10) ack 1").verdict is Outcome.FAIL


def test_profile__gives_the_order_of_options() -> None:
    script = OPEN.replace("<mss 1000>", "<mss 1000,sackOK,nop,nop>")
    linux = script.replace("<mss 1460>", "<mss 1460,nop,nop,sackOK>")
    bsd = script.replace("<mss 1460>", "<mss 1460,sackOK,eol,eol>")
    assert [play(each, "x", LINUX).verdict.value for each in (linux, bsd)] == ["pass", "fail"]
    assert [play(each, "x", BSD).verdict.value for each in (linux, bsd)] == ["fail", "pass"]
    assert play("--profile=bsd\n" + bsd, "x", LINUX).verdict is Outcome.PASS


def test_timestamps__that_are_left_open__match_any() -> None:
    script = "--tcp_ts_tick_usecs=1000\n" + OPEN.replace("<mss 1000>", "<mss 1000,sackOK,TS val 7 ecr 0>")
    script = script.replace("win 65535\n+0 accept", "win 65535 <nop,nop,TS val 7 ecr 5>\n+0 accept")
    for wanted, verdict in (
        ("TS val ... ecr ...", "pass"),
        ("TS val ... ecr 7", "pass"),
        ("TS val 5 ecr 8", "fail"),
    ):
        expected = script.replace("<mss 1460>", f"<mss 1460,sackOK,{wanted}>")
        assert play(expected, "x", LINUX).verdict.value == verdict


def test_sockstat__looks_at_the_state_of_sockets() -> None:
    look = "+0 `sockstat -4 -P tcp -s | grep packetdril | grep -c ESTABLISHED | grep {}`"
    assert played(look.format(1)).verdict is Outcome.PASS
    wrong = played(look.format(2))
    assert wrong.message == "sockets in ESTABLISHED: expected 2, got LISTEN, ESTABLISHED"


def test_ports__name_a_flow_of_their_own() -> None:
    rest = """\
+0 < 5000 > 8080 S 0:0(0) win 65535 <mss 1000>
+0 > 8080 > 5000 S. 0:0(0) ack 1 <mss 1460>
+0 < 5000 > 8080 . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 5
+0 write(5, ..., 10) = 10
+0 write(4, ..., 20) = 20
+0 > P. 1:21(20) ack 1
+0 > 8080 > 5000 P. 1:11(10) ack 1
"""
    assert played(rest).verdict is Outcome.PASS


def test_timeline__shows_what_happens() -> None:
    printed: list[str] = []
    play(OPEN, "x.pkt", LINUX, printed.append)
    assert printed[0] == "0.000000 socket(...) = 3"
    assert "0.100000 < . 1:1(0) ack " in printed[5]
    assert printed[-1] == "0.100000 accept(...) = 4"


@pytest.mark.parametrize(
    ("sysctl", "options"),
    [
        ("sysctl -q net.ipv4.tcp_timestamps=0", "mss 1460,nop,nop,sackOK,nop,wscale 7"),
        ("sysctl -w net.inet.tcp.rfc1323=2", "mss 1460,nop,wscale 6,sackOK,eol,eol"),
    ],
)
def test_no_profile__the_systems_sysctls_decide_it(sysctl: str, options: str) -> None:
    text = f"""\
0  `{sysctl}`
+0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
+0 connect(3, ..., ...) = -1 EINPROGRESS
+0 > S 0:0(0) <{options}>
"""
    verdict = play(text, "x.pkt")
    assert verdict.verdict is Outcome.PASS, verdict.message


def test_peers_numbers__absolute_in_a_syn__from_the_initial_one_elsewhere() -> None:
    before = OPEN.replace("S 0:0(0)", "S 700:700(0)").replace("S. 0:0(0) ack 1", "S. 0:0(0) ack 701")
    rest = """+0 < P. 1001:2001(1000) ack 1 win 9
+0 > . 1:1(0) ack 1
+0 < P. 1:1001(1000) ack 1 win 9
+0 > . 1:1(0) ack 2001
"""
    verdict = played(rest, before)
    assert verdict.verdict is Outcome.PASS, verdict.message
    assert played(rest.replace("> . 1:1(0) ack 1", "> . 1:1(0) ack 701"), before).verdict is Outcome.FAIL
