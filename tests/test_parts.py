"""Parts of one test: what failed is told of each."""

import pytest

from .parts import ask_each


def refused() -> None:
    pytest.fail("refused")


def test_parts__some_fail__all_are_asked_and_those_are_named() -> None:
    asked: list[str] = []
    parts = [
        ("first", lambda: asked.append("first")),
        ("second", refused),
        ("third", lambda: 1 // 0),
        ("last", lambda: asked.append("last")),
    ]
    with pytest.raises(BaseExceptionGroup) as caught:
        ask_each(parts)
    assert asked == ["first", "last"]
    assert [error.__notes__ for error in caught.value.exceptions] == [
        ["in the part second"],
        ["in the part third"],
    ]
    ask_each(parts[:1])
