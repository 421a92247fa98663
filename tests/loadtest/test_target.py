"""URLs of the load generator: taken apart, or refused in one line."""

import pytest

from gossamer.loadtest.target import parse_url
from gossamer.shards.exitcode import ConfigError, ExitCode


@pytest.mark.parametrize(
    ("url", "authority", "path", "address"),
    [
        ("http://127.0.0.1:8080/a?b=c", "127.0.0.1:8080", "/a?b=c", ("127.0.0.1", 8080)),
        ("http://127.0.0.1", "127.0.0.1", "/", ("127.0.0.1", 80)),
        ("http://[::1]:81/x", "[::1]:81", "/x", ("::1", 81)),
        ("http://localhost:9/", "localhost:9", "/", ("127.0.0.1", 9)),
    ],
)
def test_url__good__is_taken_apart(url: str, authority: str, path: str, address: tuple[str, int]) -> None:
    target = parse_url(url)
    assert (target.authority, target.path, target.address) == (authority, path, address)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:8080", "scheme"),
        ("localhost", "no scheme"),
        ("https://h/", "only http"),
        ("http:///path", "host"),
        ("http://user@h/", "user name"),
        ("http://127.0.0.1:99999/", "Port"),
        ("http://127.0.0.1:x/", "port|Port|base 10"),
        ("http://127.0.0.1/a b", "printable"),
        ("http://127.0.0.1/\u00e4", "printable"),
        ("http://no-such-host.invalid/", "not known"),
        ("http://[::1/", "IPv6"),
    ],
)
def test_url__bad__one_line_that_names_it(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_url(url)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.USAGE
