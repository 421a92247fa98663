"""Options: every one has a unit in its name and a sane bound; the record reads as config.toml's section."""

import msgspec
import pytest

from gossamer.shards.web.options import DEFAULT_OPTIONS, WebOptions


def test_defaults__pass_their_own_bounds() -> None:
    assert msgspec.convert(msgspec.to_builtins(DEFAULT_OPTIONS), WebOptions) == DEFAULT_OPTIONS


@pytest.mark.parametrize(
    "section",
    [
        {"unknown": 1},
        {"head_timeout_us": 0},
        {"head_timeout_us": "10"},
        {"chunk_bytes": 1},
        {"chunk_bytes": 1 << 30},
        {"cache_bytes_max": -1},
        {"index_files": ["../x"]},
        {"server": "a\r\nb"},
        {"server": "a\n"},
        {"media_types": {"html": "text/html\n"}},
        {"media_types": {"html": "text/html\r\nX: y"}},
    ],
)
def test_impossible_value__refused(section: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(section, WebOptions)


def test_message_limits__are_those_of_the_options() -> None:
    limits = WebOptions(request_line_bytes_max=1, head_bytes_max=2, headers_max=3).message_limits()
    assert (limits.request_line_bytes_max, limits.head_bytes_max, limits.headers_max) == (1, 2, 3)
