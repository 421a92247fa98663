"""Bodies: the same bytes whatever pieces they come in, and no length that could be read in two ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.body import Body, BodyError, ChunkedBody, LengthBody, UntilCloseBody
from gossamer.core.http.limits import DEFAULT_LIMITS, MessageLimits


def feed(body: Body, data: bytes, step: int) -> tuple[bytes, bytes]:
    """What is decoded when `data` comes in pieces of `step` bytes, and what is left over."""
    out, rest = b"", b""
    for at in range(0, len(data), step):
        piece, rest = body.decode(rest + data[at : at + step])
        out += piece
        if body.is_complete:
            return out, rest + data[at + step :]
    return out, rest


def chunked(pieces: list[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    chunks = [b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces if piece]
    return b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


@given(st.lists(st.binary(max_size=50), max_size=8), st.binary(max_size=20), st.integers(1, 60))
def test_chunked__comes_back_whatever_the_pieces(pieces: list[bytes], after: bytes, step: int) -> None:
    body = ChunkedBody(DEFAULT_LIMITS)
    data = chunked(pieces, b';name=value;q="a b"', b"Trailer: yes\r\n")
    assert feed(body, data + after, step) == (b"".join(pieces), after)
    assert body.is_complete


@given(st.binary(max_size=100), st.binary(max_size=20), st.integers(1, 30))
def test_length__comes_back_whatever_the_pieces(content: bytes, after: bytes, step: int) -> None:
    body = LengthBody(len(content), DEFAULT_LIMITS)
    if content:
        assert feed(body, content + after, step) == (content, after)
    assert body.is_complete


@pytest.mark.parametrize(
    "data",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"+5\r\nhello\r\n",
        b"-1\r\n",
        b"0x5\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"\r\nhello\r\n",
        b"g\r\n",
        b"5;\x00\r\nhello\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"5;\r\nhello\r\n",
        b"ffffffffffffffff\r\n",
        b"10000000000000000\r\n",
        b"0\r\nbad trailer\r\n\r\n",
        b"0\r\nA: b\n\r\n",
        b"5" * 300,
        b"5;a=" + b"b" * 300,
    ],
)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_chunked__ambiguous__refused(data: bytes, step: int) -> None:
    with pytest.raises(BodyError) as error:
        feed(ChunkedBody(DEFAULT_LIMITS), data, step)
    assert error.value.status == 400


def test_chunked__more_than_allowed__413_before_it_is_read() -> None:
    limits = MessageLimits(body_bytes_max=10)
    with pytest.raises(BodyError) as error:
        ChunkedBody(limits).decode(b"6\r\nabcdef\r\n5\r\n")
    assert error.value.status == 413
    with pytest.raises(BodyError):
        LengthBody(11, limits)


def test_chunked__endless_trailer__431() -> None:
    body = ChunkedBody(MessageLimits(trailer_bytes_max=100))
    with pytest.raises(BodyError) as error:
        feed(body, b"0\r\n" + b"A: b\r\n" * 100, 13)
    assert error.value.status == 431


def test_until_close__everything_is_body() -> None:
    body = UntilCloseBody()
    assert body.decode(b"abc") == (b"abc", b"")
    assert not body.is_complete
    body.end_of_stream()
    assert body.is_complete
