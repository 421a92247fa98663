"""TCP options: each form, each malformation, and the room there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.wire.options import NO_OPTIONS, OPTIONS_BYTES_MAX, Options, decode_options, encode_options
from gossamer.core.wire.segment import ACK, NO_TIMESTAMP, SYN, EcnBytes, Segment, SynOptions

U32 = st.integers(0, 2**32 - 1)
COOKIES = st.just(b"") | st.integers(2, 8).map(lambda half: bytes(range(2 * half)))
SYN_OPTIONS = st.builds(
    lambda mss, window_scale, sack_permitted, cookie: SynOptions(mss, window_scale, sack_permitted, *cookie),
    mss=st.integers(1, 65535),
    window_scale=st.integers(-1, 14),
    sack_permitted=st.booleans(),
    cookie=st.just((None, False)) | st.tuples(COOKIES, st.booleans()),
)


def experimental(cookie: bytes) -> SynOptions:
    return SynOptions(cookie=cookie, is_cookie_experimental=True)


def syn(options: SynOptions | None, ts_val: int = NO_TIMESTAMP, ts_ecr: int = 0) -> Segment:
    return Segment(1, 0, SYN, 1, ts_val, ts_ecr, syn_options=options)


@given(SYN_OPTIONS, st.none() | U32, U32)
def test_encode_options__of_a_syn__decode_to_the_same(
    options: SynOptions, ts_val: int | None, ts_ecr: int
) -> None:
    stamps = (NO_TIMESTAMP, 0) if ts_val is None else (ts_val, ts_ecr)
    octets = encode_options(syn(options, *stamps))
    assert len(octets) % 4 == 0
    assert len(octets) <= OPTIONS_BYTES_MAX
    assert decode_options(octets, is_syn=True) == Options(*stamps, syn_options=options)


@given(st.lists(st.tuples(U32, U32), max_size=6), st.booleans())
def test_encode_options__sack_blocks__the_first_that_fit(
    blocks: list[tuple[int, int]], stamped: bool
) -> None:
    segment = Segment(1, 2, ACK, 3, 7 if stamped else NO_TIMESTAMP, 0, sack=tuple(blocks))
    octets = encode_options(segment)
    assert len(octets) <= 40
    found = decode_options(octets, is_syn=False)
    assert found is not None
    assert found.sack == tuple(blocks[: 3 if stamped else 4])


@pytest.mark.parametrize("is_experimental", [False, True])
def test_encode_options__longest_cookie_beside_all_syn_options__fills_the_header(
    is_experimental: bool,
) -> None:
    options = SynOptions(1460, 7, True, bytes(16), is_experimental)
    whole = Segment(1, 2, SYN, 3, 7, 8, syn_options=options, user_timeout_s=30)
    octets = encode_options(whole)
    assert len(octets) == OPTIONS_BYTES_MAX
    assert decode_options(octets, is_syn=True) == Options(7, 8, syn_options=options)


@pytest.mark.parametrize(
    ("seconds", "octets", "read"),
    [
        pytest.param(1, "1c040001", 1, id="one"),
        pytest.param(0x7FFF, "1c047fff", 0x7FFF, id="the most in seconds"),
        pytest.param(0x8000, "1c048223", 0x8000 + 52, id="minutes, rounded up"),
        pytest.param(1 << 30, "1c04ffff", 0x7FFF * 60, id="more than can be said"),
    ],
)
def test_user_timeout__any__seconds_or_minutes(seconds: int, octets: str, read: int) -> None:
    assert encode_options(Segment(1, 2, ACK, 3, user_timeout_s=seconds)).hex() == octets
    assert decode_options(bytes.fromhex(octets), is_syn=False) == Options(user_timeout_s=read)


def test_encode_options__sack_beside_all_syn_options__cut_to_two_blocks() -> None:
    segment = Segment(
        1, 2, SYN, 3, 7, 8, sack=((1, 2), (3, 4), (5, 6)), syn_options=SynOptions(1460, 7, True)
    )
    octets = encode_options(segment)
    assert len(octets) <= 40
    found = decode_options(octets, is_syn=True)
    assert found is not None
    assert found.sack == ((1, 2), (3, 4))


def test_encode_options__timestamps_alone__as_rfc7323_appendix_a() -> None:
    assert encode_options(Segment(1, 2, ACK, 3, 0x01020304, 0x05060708)).hex() == "0101080a0102030405060708"


@pytest.mark.parametrize(
    ("option", "octets"),
    [
        (EcnBytes(), "ac020101"),
        (EcnBytes(1), "ac05000001010101"),
        (EcnBytes(1, 2), "ac08000001000002"),
        (EcnBytes(1, 2, 3), "ac0b00000100000200000301"),
        (EcnBytes(3, 2, 1, True), "ae0b00000100000200000301"),
    ],
)
def test_encode_options__accecn__padded_behind_it(option: EcnBytes, octets: str) -> None:
    assert encode_options(Segment(1, 2, ACK, 3, ecn_bytes=option)).hex() == octets
    assert decode_options(bytes.fromhex(octets), is_syn=False) == Options(ecn_bytes=option)


def test_encode_options__no_room_for_accecn__left_out() -> None:
    options = SynOptions(1460, 7, True, bytes(16))
    octets = encode_options(Segment(1, 2, SYN, 3, 7, 8, syn_options=options, ecn_bytes=EcnBytes(1)))
    assert decode_options(octets, is_syn=True) == Options(7, 8, syn_options=options)


def test_encode_options__nothing__nothing() -> None:
    assert encode_options(Segment(1, 2, ACK, 3)) == b""


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        pytest.param("", NO_OPTIONS, id="none"),
        pytest.param("01010101", NO_OPTIONS, id="nop only"),
        pytest.param("00020405b4", NO_OPTIONS, id="what follows the end is not read"),
        pytest.param("020405b4", Options(syn_options=SynOptions(mss=1460)), id="mss"),
        pytest.param("02040000", NO_OPTIONS, id="mss of zero counts as absent"),
        pytest.param("020305b4", None, id="mss of length 3, then an option cut short"),
        pytest.param("0203050101", NO_OPTIONS, id="mss of length 3 is ignored"),
        pytest.param("03030e", Options(syn_options=SynOptions(window_scale=14)), id="window scale"),
        pytest.param("0303ff", Options(syn_options=SynOptions(window_scale=127)), id="window scale of 255"),
        pytest.param("0402", Options(syn_options=SynOptions(sack_permitted=True)), id="sack permitted"),
        pytest.param("080a0000000100000002", Options(1, 2), id="timestamps not aligned"),
        pytest.param("080900000001000000", NO_OPTIONS, id="timestamps of length 9 are ignored"),
        pytest.param("080a0000000100000002080a0000000300000004", Options(3, 4), id="the last of two"),
        pytest.param("050a0000000100000002", Options(sack=((1, 2),)), id="sack"),
        pytest.param("05090000000100000001", NO_OPTIONS, id="sack of no multiple of eight is ignored"),
        pytest.param("0502", NO_OPTIONS, id="sack without blocks is ignored"),
        pytest.param("fe0401020101", NO_OPTIONS, id="unknown"),
        pytest.param("ac02", Options(ecn_bytes=EcnBytes()), id="accecn, empty"),
        pytest.param("ac05000001", Options(ecn_bytes=EcnBytes(ee0b=1)), id="accecn of one field"),
        pytest.param("ac080000010000ff", Options(ecn_bytes=EcnBytes(1, 255)), id="accecn of two fields"),
        pytest.param("ac0b000001000002ffffff", Options(ecn_bytes=EcnBytes(1, 2, 0xFFFFFF)), id="accecn"),
        pytest.param("ae05000001", Options(ecn_bytes=EcnBytes(ee1b=1, is_order_1=True)), id="accecn 1"),
        pytest.param(
            "ae0b000001000002000003", Options(ecn_bytes=EcnBytes(3, 2, 1, True)), id="accecn 1, whole"
        ),
        pytest.param("ac070000010000", Options(ecn_bytes=EcnBytes(1)), id="accecn of a field and padding"),
        pytest.param(
            "ac0d0000010000020000030000", Options(ecn_bytes=EcnBytes(1, 2, 3)), id="accecn longer than all"
        ),
        pytest.param("2202", Options(syn_options=SynOptions(cookie=b"")), id="cookie request"),
        pytest.param("220601020304", Options(syn_options=SynOptions(cookie=b"\1\2\3\4")), id="cookie"),
        pytest.param("220401020101", NO_OPTIONS, id="cookie of two octets is ignored"),
        pytest.param("22070102030405", NO_OPTIONS, id="cookie of odd length is ignored"),
        pytest.param("2214" + "00" * 18, NO_OPTIONS, id="cookie of 18 octets is ignored"),
        pytest.param("fe04f989", Options(syn_options=experimental(b"")), id="experimental request"),
        pytest.param(
            "fe08f98901020304", Options(syn_options=experimental(b"\1\2\3\4")), id="experimental cookie"
        ),
        pytest.param(
            "fe08f98901020304220601020305",
            Options(syn_options=SynOptions(cookie=b"\1\2\3\5")),
            id="the last of both kinds",
        ),
        pytest.param("fe08f98801020304", NO_OPTIONS, id="another experiment"),
        pytest.param("1c040000", NO_OPTIONS, id="user timeout of zero is reserved"),
        pytest.param("1c048000", NO_OPTIONS, id="user timeout of zero minutes is reserved"),
        pytest.param("1c03ff", NO_OPTIONS, id="user timeout of length 3 is ignored"),
        pytest.param("1c04001e1c040000", Options(user_timeout_s=30), id="zero does not undo a user timeout"),
        pytest.param("fe0001010101", None, id="length 0"),
        pytest.param("fe0101010101", None, id="length 1"),
        pytest.param("fe", None, id="no length"),
        pytest.param("fe050101", None, id="over the end"),
        pytest.param("0101020405", None, id="known kind over the end"),
    ],
)
def test_decode_options(octets: str, expected: Options | None) -> None:
    assert decode_options(bytes.fromhex(octets), is_syn=True) == expected


def test_decode_options__not_a_syn__its_options_are_ignored() -> None:
    octets = encode_options(syn(SynOptions(1460, 7, True, b"cookie"), 1, 2))
    assert decode_options(octets, is_syn=False) == Options(1, 2)


@given(st.binary(max_size=40), st.booleans())
def test_decode_options__any_octets__end(octets: bytes, is_syn: bool) -> None:
    found = decode_options(octets, is_syn)
    assert found is None or isinstance(found, Options)
