"""URLs of the load generator: taken apart, or refused in one line."""

import socket

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
        ("https://127.0.0.1/x", "127.0.0.1", "/x", ("127.0.0.1", 443)),
        ("https://127.0.0.1:8443/", "127.0.0.1:8443", "/", ("127.0.0.1", 8443)),
    ],
)
def test_url__good__is_taken_apart(url: str, authority: str, path: str, address: tuple[str, int]) -> None:
    target = parse_url(url)
    assert (target.authority, target.path, target.addresses[0]) == (authority, path, address)
    assert target.scheme == url.partition(":")[0]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:8080", "scheme"),
        ("localhost", "no scheme"),
        ("ftp://h/", "only http and https"),
        ("https://127.0.0.1:0/", "port 0"),
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


def test_url__zone__goes_to_the_kernel_and_not_to_the_server() -> None:
    target = parse_url("http://[fe80::1%25lo]:8080/x")
    assert target.authority == "[fe80::1]:8080"
    assert target.addresses == (("fe80::1", 8080, 0, socket.if_nametoindex("lo")),)
    assert parse_url("http://[fe80::1%251]/").addresses == (("fe80::1", 80, 0, 1),)


@pytest.mark.parametrize("url", ["http://[fe80::1%25no-such]/", "http://[2001:db8::1%25lo]/"])
def test_url__zone_that_cannot_be__one_line(url: str) -> None:
    with pytest.raises(ConfigError, match="zone"):
        parse_url(url)


def test_url__name_of_several_addresses__all_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*_: object, **__: object) -> list[object]:
        hosts = [(socket.AF_INET6, "::1"), (socket.AF_INET, "192.0.2.1"), (socket.AF_INET, "192.0.2.2")]
        return [(family, socket.SOCK_STREAM, 6, "", (host, 0)) for family, host in hosts]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    addresses = parse_url("http://name.example:8080/").addresses
    assert addresses == (("192.0.2.1", 8080), ("192.0.2.2", 8080), ("::1", 8080))
