"""The order and padding of options, by profile."""

import pytest

from gossamer.core.packetdrill.expect import options_text
from gossamer.core.packetdrill.layout import options_by_name
from gossamer.core.packetdrill.profiles import PROFILES, octets_of
from gossamer.core.wire.segment import ACK, NO_TIMESTAMP, SYN, Segment, SynOptions

FULL = SynOptions(1460, 7, True)


def segment(
    syn: SynOptions | None, ts_val: int = NO_TIMESTAMP, sack: tuple[tuple[int, int], ...] = ()
) -> Segment:
    return Segment(0, 0, SYN if syn else ACK, 0, ts_val, 0, sack=sack, syn_options=syn)


@pytest.mark.parametrize(
    ("profile", "sent", "text"),
    [
        ("linux", segment(FULL, 100), "<mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>"),
        ("linux", segment(FULL), "<mss 1460,nop,nop,sackOK,nop,wscale 7>"),
        ("linux", segment(SynOptions(1460, 7), 1), "<mss 1460,nop,nop,TS val 1 ecr 0,nop,wscale 7>"),
        ("linux", segment(SynOptions(1460)), "<mss 1460>"),
        ("linux", segment(None, 1, ((5, 6),)), "<nop,nop,TS val 1 ecr 0,nop,nop,sack 5:6>"),
        ("linux", segment(SynOptions(1460, cookie=b"")), "<mss 1460,FO,nop,nop>"),
        ("linux", segment(SynOptions(1460, cookie=b"abcdefgh")), "<mss 1460,FO 6162636465666768,nop,nop>"),
        ("bsd", segment(FULL, 100), "<mss 1460,nop,wscale 7,sackOK,TS val 100 ecr 0>"),
        ("bsd", segment(FULL), "<mss 1460,nop,wscale 7,sackOK,eol,eol>"),
        ("bsd", segment(SynOptions(1460, cookie=b"")), "<mss 1460,FO,eol,eol>"),
        ("bsd", segment(None, 1), "<nop,nop,TS val 1 ecr 0>"),
    ],
)
def test_options__in_the_order_of_the_profile(profile: str, sent: Segment, text: str) -> None:
    laid = PROFILES[profile].layout(options_by_name(sent))
    assert options_text(laid) == text
    assert sum(map(octets_of, laid)) % 4 == 0
