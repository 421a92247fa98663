"""Header fields: order kept, values combined."""

from gossamer.core.http.fields import combine, connection_options, strip_fields

RAW = [(b"A", b" x\t"), (b"Connection", b"Close , TE"), (b"a", b"y"), (b"B", b""), (b"A", b"z")]


def test_strip_and_combine__rfc_9110_5_3() -> None:
    fields = strip_fields(RAW)
    assert fields == (("a", "x"), ("connection", "Close , TE"), ("a", "y"), ("b", ""), ("a", "z"))
    assert combine(fields) == {"a": "x, y, z", "connection": "Close , TE", "b": ""}


def test_connection_options__any_case_any_space() -> None:
    assert connection_options({"connection": "Close , TE"}) == {"close", "te"}
    assert connection_options({}) == frozenset()
