"""The forms of the admin address, and who is a name of elsewhere."""

import pytest

from gossamer.shards.configuration.admin_address import AdminAddress, is_name_of_others, parse_admin_address
from gossamer.shards.configuration.settings import combine, setting_of_assignment
from gossamer.shards.exitcode import ConfigError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", None),
        ("unix", None),
        ("127.0.0.1:9100", AdminAddress("127.0.0.1", 9100)),
        ("0.0.0.0:0", AdminAddress("0.0.0.0", 0)),
        ("[::1]:9100", AdminAddress("::1", 9100)),
    ],
)
def test_address__its_forms(text: str, meant: AdminAddress | None) -> None:
    assert parse_admin_address(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "9100",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:9100",
        "[127.0.0.1]:1",
        "a.example:80",
        "1.2.3.4:٣",
    ],
)
def test_address__anything_else__one_line_with_what_is_allowed(text: str) -> None:
    with pytest.raises(
        ConfigError, match=r'^\[admin\]: address: found .*; allowed: "", "unix", or an IP'
    ) as found:
        combine([setting_of_assignment(f"admin.address={text}")])
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("authority", "is_foreign"),
    [
        ("", False),
        ("localhost:9100", False),
        ("127.0.0.1:9100", False),
        ("[::1]:9100", False),
        ("box.localhost", False),
        ("evil.example:9100", True),
        ("localhost.evil.example", True),
        ("127.0.0.1.evil.example", True),
    ],
)
def test_host__of_a_page_of_elsewhere__is_told(authority: str, is_foreign: bool) -> None:
    assert is_name_of_others(authority) is is_foreign
