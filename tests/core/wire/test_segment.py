"""A segment as a line for people."""

import pytest

from gossamer.core.wire.segment import (
    ACK,
    CE,
    ECT_0,
    PSH,
    RST,
    SYN,
    URG,
    Segment,
    SynOptions,
)

ALL_OF_A_SYN = SynOptions(mss=1460, window_scale=7, sack_permitted=True, cookie=b"\xab\xcd\xef\x01")


@pytest.mark.parametrize(
    ("segment", "line"),
    [
        (
            Segment(1, 2, SYN | ACK, 65535, syn_options=SynOptions(mss=1460)),
            "SYN,ACK seq 1 ack 2 win 65535 <mss 1460>",
        ),
        (
            Segment(1, 0, SYN, 65535, ts_val=5, syn_options=ALL_OF_A_SYN),
            "SYN seq 1 win 65535 <mss 1460,wscale 7,sackOK,tfo cookie abcdef01,TS val 5 ecr 0>",
        ),
        (Segment(1, 0, SYN, 1, syn_options=SynOptions(cookie=b"")), "SYN seq 1 win 1 <tfo cookiereq>"),
        (
            Segment(1, 0, SYN, 1, syn_options=SynOptions(cookie=b"", is_cookie_experimental=True)),
            "SYN seq 1 win 1 <exp-tfo cookiereq>",
        ),
        (Segment(1, 2, ACK | PSH, 512, payload=b"hello"), "PSH,ACK seq 1:6 ack 2 win 512 length 5"),
        (Segment(0xFFFFFFFF, 2, ACK, 512, payload=b"hello"), "ACK seq 4294967295:4 ack 2 win 512 length 5"),
        (
            Segment(1, 2, ACK, 0, ts_val=7, ts_ecr=9, sack=((10, 20), (30, 40))),
            "ACK seq 1 ack 2 win 0 <TS val 7 ecr 9,sack 10:20 30:40>",
        ),
        (Segment(9, 0, RST, 0), "RST seq 9 win 0"),
        (
            Segment(1, 2, ACK | URG, 9, urgent=3, user_timeout_s=60),
            "ACK,URG seq 1 ack 2 win 9 urg 3 <uto 60 s>",
        ),
        (Segment(1, 2, ACK, 9, ecn=CE), "ACK seq 1 ack 2 win 9 CE"),
        (Segment(1, 2, ACK, 9, ecn=0x20 | ECT_0), "ACK seq 1 ack 2 win 9 ECT(0)"),
        (Segment(1, 2, 0, 9), "no flags seq 1 win 9"),
    ],
)
def test_str__only_what_the_segment_has(segment: Segment, line: str) -> None:
    assert str(segment) == f"{segment}" == line


def test_repr__all_fields_still() -> None:
    segment = Segment(1, 2, ACK, 9)
    assert repr(segment).startswith("Segment(seq=1, ack=2, flags=16, window=9,")
