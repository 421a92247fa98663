"""The memo: right, and bounded."""

from gossamer.core.http.memo import MEMO_KEY_BYTES_MAX, Memo


def test_equal_bytes__computed_once() -> None:
    calls: list[bytes] = []
    memo = Memo(lambda key: calls.append(key) or len(key))
    assert [memo(b"abc"), memo(bytes(bytearray(b"abc"))), memo(b"")] == [3, 3, 0]
    assert calls == [b"abc", b""]


def test_full__the_least_recently_used_goes() -> None:
    memo = Memo(len, entries_max=2)
    for key in (b"a", b"b", b"a", b"c"):
        memo(key)
    assert list(memo.known) == [b"a", b"c"]


def test_long_keys__never_kept() -> None:
    memo = Memo(len)
    memo(b"x" * (MEMO_KEY_BYTES_MAX + 1))
    assert not memo.known


def test_recall__what_is_known_and_no_more__counts_as_use() -> None:
    memo = Memo(len, entries_max=2)
    assert memo.recall(b"a") is None
    memo(b"a")
    memo(b"b")
    assert memo.recall(b"a") == 1
    memo(b"c")
    assert list(memo.known) == [b"a", b"c"]
