"""The language: what is read, and how a slip is answered."""

import pytest

from gossamer.core.packetdrill.errors import ScriptError, Unsupported
from gossamer.core.packetdrill.grammar import parse
from gossamer.core.packetdrill.script import (
    Array,
    Braces,
    Call,
    Code,
    Command,
    Either,
    IcmpPacket,
    Integer,
    Named,
    ScriptEvent,
    TcpOption,
    TcpPacket,
    Text,
    Timing,
    Whatever,
    When,
    Word,
)
from gossamer.core.wire.segment import ACK, AE, CWR, ECE, FIN, PSH, SYN


def event(line: str) -> ScriptEvent:
    return parse(line, "x.pkt", {"COOKIE": "a1b2"}).events[0]


def packet(text: str) -> TcpPacket:
    action = event(f"0 {text}").action
    assert isinstance(action, TcpPacket)
    return action


def call(text: str) -> Call:
    action = event(f"0 {text}").action
    assert isinstance(action, Call)
    return action


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("0.5", When(Timing.ABSOLUTE, 500_000, 500_000)),
        ("2", When(Timing.ABSOLUTE, 2_000_000, 2_000_000)),
        ("+.1", When(Timing.RELATIVE, 100_000, 100_000)),
        ("1.0~1.2", When(Timing.ABSOLUTE, 1_000_000, 1_200_000)),
        ("+0~+.1", When(Timing.RELATIVE, 0, 100_000)),
        ("*", When(Timing.ANY)),
    ],
)
def test_time__in_every_form(text: str, when: When) -> None:
    assert event(f"{text} > . 1:1(0) ack 1").when == when


def test_packet__with_all_its_parts() -> None:
    found = packet(
        "< [ect0] 80 > 90 SEW. 1:11(10) ack 5 win 100 urg 3 <mss 1460,nop,TS val 7 ecr 8,sack 1:2 3:4>"
    )
    assert (found.inbound, found.flags, found.seq, found.length) == (True, SYN | ECE | CWR | ACK, 1, 10)
    assert (found.ack, found.window, found.urgent, found.ports, found.ip.ecn) == (5, 100, 3, (80, 90), 2)
    assert found.options == (
        TcpOption("mss", (1460,)),
        TcpOption("nop"),
        TcpOption("TS", (7, 8)),
        TcpOption("sack", (1, 2, 3, 4)),
    )


@pytest.mark.parametrize(
    ("flags", "bits"),
    [
        (".5", ACK | AE | ECE),
        ("P5.", PSH | ACK | AE | ECE),
        ("P.2", PSH | ACK | CWR),
        ("F7.", FIN | ACK | AE | CWR | ECE),
        (".0", ACK),
    ],
)
def test_digit_among_the_flags__is_the_counter_of_accurate_ecn(flags: str, bits: int) -> None:
    found = packet(f"> {flags} 1:1(0) ack 1")
    assert (found.flags, found.seq, found.ack) == (bits, 1, 1)


def test_packet__without_flags__and_with_any_options() -> None:
    assert packet("> - 0:0(0)").flags == 0
    assert packet("> P. 0:1(1) ack 1 <...>").options is None
    assert packet("> P. 0:1(1) ack 1").flags == PSH | ACK


def test_cookie__by_name__is_what_was_defined() -> None:
    assert packet("< S 0:0(0) win 1 <FO COOKIE,nop>").options == (
        TcpOption("FO", octets=b"\xa1\xb2"),
        TcpOption("nop"),
    )
    defined = parse("--define=MINE=ff00\n0 < S 0:0(0) win 1 <FO MINE>", "x.pkt", {}).events[0].action
    assert isinstance(defined, TcpPacket)
    assert defined.options == (TcpOption("FO", octets=b"\xff\x00"),)


def test_icmp__with_mtu_and_quote() -> None:
    found = event("0 < icmp unreachable frag_needed mtu 1400 [1:1001(1000)]").action
    assert found == IcmpPacket(True, "unreachable", "frag_needed", 1400, 1, 1000)


def test_call__with_structs_flags_error_and_end() -> None:
    found = call(
        "...0.2 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 10}]}, MSG_A|MSG_B) = -1 EAGAIN (Try again)"
    )
    assert (found.name, found.result, found.errno, found.end_us) == (
        "recvmsg",
        Integer(-1),
        "EAGAIN",
        200_000,
    )
    header = Braces(
        (Named("msg_name", Whatever()), Named("msg_iov", Array((Braces((Whatever(), Integer(10))),))))
    )
    assert found.arguments == (Integer(4), header, Either((Word("MSG_A"), Word("MSG_B"))))


def test_call__strings_beside_each_other__are_one() -> None:
    assert call('write(4, "ab" "cd", 0x4) = 4').arguments[1:] == (Text("abcd"), Integer(4))


def test_script__options_set_up_code_command_and_comments() -> None:
    script = parse(
        '// head\n--mss=1000\n--define=A="b c"\n`sysctl -q a=1\nb`\n'
        "0 `ls` /* aside\n */\n# also aside\n+0 %{\nassert True\n}%\n`clean up`\n",
        "x.pkt",
        {},
    )
    assert [(option.name, option.value, option.line) for option in script.options] == [
        ("mss", "1000", 2),
        ("define", 'A="b c"', 3),
    ]
    assert script.set_up == ((4, "sysctl -q a=1\nb"),)
    assert [(each.line, each.action) for each in script.events] == [
        (6, Command("ls")),
        (9, Code("\nassert True\n")),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 < S 0:0(0) win 70000", "x.pkt:1: expected win from 0 to 65535, found '70000'"),
        ("0 < S 0:10(0)", "x.pkt:1: expected the length 10, found '0'"),
        ("0 < E5. 0:0(0)", "x.pkt:1: expected the flags of a packet"),
        ("0 < 5.6 0:0(0)", "x.pkt:1: expected the flags of a packet"),
        ("0 < 8. 0:0(0)", "x.pkt:1: expected the flags of a packet"),
        (
            "0 < X 0:0(0)",
            "x.pkt:1: expected the flags of a packet (of F S R P . U E W A, or 0 to 7 for E W A), or -",
        ),
        ("0 < S 0:0(0) <mss>", "x.pkt:1: expected mss, an integer, found '>'"),
        ("0 < S 0:0(0) <...>", "x.pkt:1: expected TCP options of a packet to inject"),
        ("0 > S 0:0(0) <FO abc>", "x.pkt:1: expected an even number of hexadecimal digits, found 'abc'"),
        ("0 bind(3, ..., ...) 0", "x.pkt:1: expected '=', found '0'"),
        ("0 bind(3 ...) = 0", "x.pkt:1: expected ',' or ')', found '...'"),
        ("\n\n0 bind(3", "x.pkt:3: expected ',' or ')', found the end of the script"),
        ("0", "x.pkt:1: expected a packet, a call, a command or code, found the end of the script"),
        ("abc", "x.pkt:1: expected a time in seconds, found 'abc'"),
        ("-1 > S 0:0(0)", "x.pkt:1: expected a time from 0 to 100 days, found '-1'"),
        ("2~1 > S 0:0(0)", "x.pkt:1: expected a range of times, found one that ends too early"),
        ("* bind(3, ..., ...) = 0", "x.pkt:1: expected a time, found '*' or a range"),
        ("0 `sysctl", "x.pkt:1: expected a closing back-quote, found the end of the script"),
        (
            '0 write(3, "abc, 3) = 3',
            "x.pkt:1: expected a closing quotation mark, found the end of the script",
        ),
        ("0 poll(" + "[" * 40, "x.pkt:1: expected brackets at most 32 deep, found '['"),
        ("99999999 > S 0:0(0)", "x.pkt:1: expected a time from 0 to 100 days, found '99999999'"),
        ("--mss=1", "x.pkt:1: expected an event, found the end of the script"),
    ],
)
def test_slip__names_file_line_and_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse(text, "x.pkt", {})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("0 < udp (1000)", "udp packet"),
        ("0 < gre: S 0:0(0)", "gre packet"),
        ("0 < S 0:0(0) win 1 <mp_capable v1>", "TCP option mp_capable"),
        ("0 < S 0:0(0) win 1 {mut tcp mss}", "fuzzing of a packet"),
        ("0 < icmp echo_request id 7", "icmp echo"),
    ],
)
def test_part_of_the_language_that_is_not_offered__is_named(text: str, name: str) -> None:
    with pytest.raises(Unsupported) as caught:
        parse(f"\n{text}", "x.pkt", {})
    assert (caught.value.name, caught.value.line) == (name, 2)
