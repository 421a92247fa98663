"""Conditional requests: RFC 9110 13.2.2 as a table."""

import pytest

from gossamer.core.http.conditional import (
    Evaluation,
    Validators,
    entity_tags,
    evaluate,
    range_applies,
)

THEN = "Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"
NOW = Validators('"a"', 784111777)

SEND, NOT_MODIFIED, FAILED = Evaluation.SEND, Evaluation.NOT_MODIFIED, Evaluation.FAILED


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, SEND),
        ({"if-match": '"a"'}, SEND),
        ({"if-match": '"b", "a"'}, SEND),
        ({"if-match": "*"}, SEND),
        ({"if-match": '"b"'}, FAILED),
        ({"if-match": 'W/"a"'}, FAILED),
        ({"if-unmodified-since": THEN}, SEND),
        ({"if-unmodified-since": BEFORE}, FAILED),
        ({"if-unmodified-since": "nonsense"}, SEND),
        ({"if-match": '"a"', "if-unmodified-since": BEFORE}, SEND),
        ({"if-none-match": '"a"'}, NOT_MODIFIED),
        ({"if-none-match": 'W/"a"'}, NOT_MODIFIED),
        ({"if-none-match": '"b",W/"c" , "a"'}, NOT_MODIFIED),
        ({"if-none-match": "*"}, NOT_MODIFIED),
        ({"if-none-match": '"b"'}, SEND),
        ({"if-none-match": "a"}, SEND),
        ({"if-modified-since": THEN}, NOT_MODIFIED),
        ({"if-modified-since": AFTER}, NOT_MODIFIED),
        ({"if-modified-since": BEFORE}, SEND),
        ({"if-modified-since": "nonsense"}, SEND),
        ({"if-none-match": '"b"', "if-modified-since": AFTER}, SEND),
        ({"if-none-match": '"a"', "if-modified-since": BEFORE}, NOT_MODIFIED),
        ({"if-match": '"b"', "if-none-match": '"a"'}, FAILED),
    ],
)
def test_get__rfc_9110_13_2_2(fields: dict[str, str], verdict: Evaluation) -> None:
    assert evaluate(fields.get, "GET", NOW) is verdict
    assert evaluate(fields.get, "HEAD", NOW) is verdict


def test_other_methods__never_304() -> None:
    assert evaluate({"if-none-match": '"a"'}.get, "PUT", NOW) is FAILED
    assert evaluate({"if-modified-since": AFTER}.get, "PUT", NOW) is SEND


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        (None, True),
        ('"a"', True),
        ('"b"', False),
        ('W/"a"', False),
        (THEN, True),
        (AFTER, False),
        ("x", False),
    ],
)
def test_if_range__rfc_9110_13_1_5(if_range: str | None, applies: bool) -> None:
    assert range_applies(if_range, NOW) is applies


def test_entity_tags__a_comma_inside_a_tag() -> None:
    assert entity_tags('"a,b", W/"c" ,"d') == ['"a,b"', 'W/"c"']


def test_if_range__a_date_that_does_not_tell_states_apart__the_whole() -> None:
    weak = Validators('"a"', NOW.modified, is_date_strong=False)
    assert range_applies(THEN, NOW)
    assert not range_applies(THEN, weak)
    assert range_applies('"a"', weak)
