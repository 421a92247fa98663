"""Precedence, conversion, and errors that name key, found and allowed."""

import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.cli.print_config import format_config
from gossamer.core.tcp.parameters import PARAMETER_BOUNDS
from gossamer.shards.configuration.config import SECTIONS, Config, fields_of
from gossamer.shards.configuration.settings import (
    Setting,
    combine,
    read_config_file,
    setting_of_assignment,
    settings_of_document,
    settings_of_environment,
)
from gossamer.shards.exitcode import ConfigError

REPOSITORY = Path(__file__).parents[3]


def combined(text: str) -> Config:
    return combine([setting_of_assignment(text)])


def test_combine__nothing__defaults() -> None:
    assert combine([]) == Config()


def test_combine__later_over_earlier() -> None:
    settings = [Setting("server", "port", "1", "a"), Setting("server", "port", "2", "b")]
    assert combine(settings).server.port == 2


@pytest.mark.parametrize(
    ("text", "section", "field", "value"),
    [
        ("server.port=8081", "server", "port", 8081),
        ("server.workers=auto", "server", "workers", "auto"),
        ("server.workers=3", "server", "workers", 3),
        ("server.pin-cpus=false", "server", "pin_cpus", False),
        ("server.timeout_graceful_shutdown=3", "server", "timeout_graceful_shutdown_us", 3_000_000),
        ("web.head_timeout=1500ms", "web", "head_timeout_us", 1_500_000),
        ("web.head_timeout_us=1500", "web", "head_timeout_us", 1500),
        ("web.head_timeout_us=2s", "web", "head_timeout_us", 2_000_000),
        ("web.cache_bytes_max=64KiB", "web", "cache_bytes_max", 65536),
        ("tcp.nodelay=false", "tcp", "nodelay", False),
        ("tcp.send_buffer_bytes=64KiB", "tcp", "send_buffer_bytes", 65536),
    ],
)
def test_combine__assignment__typed_value(text: str, section: str, field: str, value: object) -> None:
    assert getattr(getattr(combined(text), section), field) == value


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("server.port=70000", ["server.port", "'70000'", "0 to 65535"]),
        ("server.port=eighty", ["server.port", "'eighty'", "an integer"]),
        ("server.prt=1", ["there is no key 'prt'", "[server]", "'port'"]),
        ("sever.port=1", ["there is no section [sever]", "'server'"]),
        ("server.stack=tcp", ["server.stack", "'tcp'", "'auto', 'kernel', 'nfqueue'"]),
        ("server.workers=0", ["server.workers", "'0'", "1 to 64", "'auto'"]),
        ("server.workers=65", ["server.workers", "'65'", "1 to 64"]),
        ("web.head_timeout=soon", ["web.head_timeout", "'soon'", '"30s"']),
        ("web.cache_bytes_max=much", ["web.cache_bytes_max", "'much'", '"64KiB"']),
        ("tcp.mss=10", ["tcp.mss", "'10'", "88 to"]),
        ("tcp.rto_min=-1s", ["tcp.rto_min", "'-1s'"]),
        ("nfqueue.queue_first=5x", ["nfqueue.queue_first", "0 to 65535"]),
        ('web.index_files=["a/b"]', ["web.index_files", "a/b", "a list of a text that matches"]),
        ("web.media_types=x", ["web.media_types", "a table of a text"]),
        ("log.access_log=maybe", ["log.access_log", "true or false"]),
        ("log.access_log_format={who}", ["[log]", "access_log_format", "{who}", "common, combined, json"]),
        ("web.trusted_proxies=x", ["web.trusted_proxies", "a list of a text"]),
        ('web.trusted_proxies=["10.0.0.1/8"]', ["[web]", "trusted_proxies", "10.0.0.1/8"]),
        ('web.proxy_protocol=["10.0.0.1/8"]', ["[web]", "proxy_protocol", "10.0.0.1/8"]),
        ("web.client_field=Host", ["web.client_field", "'X-Forwarded-For', 'Forwarded'"]),
        ('web.auth={"/private"="users"}', ["web.auth", "a table of a text that matches"]),
        ('web.early_hints={"/"="</a>"}', ["web.early_hints", "a list of a text that matches"]),
        ('web.sites={"A:80"="www"}', ["web.sites", "a table of a text that matches"]),
        ('web.redirects={"/a"="b"}', ["[web]", "redirects", "'/a'", "'b'", "allowed: a path"]),
        ('web.rewrites={"/a"="http://b/"}', ["[web]", "rewrites", "'http://b/'", "allowed: a path"]),
        ("web.index_files=x", ["web.index_files", "'x'", "a list of"]),
        ('web.cors=["a.example"]', ["[web]", "cors", "'a.example'", "https://a.example"]),
        ('web.expires={"*.png"="soon"}', ["[web]", "expires", "'*.png'", "'soon'", "30d"]),
        ('web.error_pages={"200"="a"}', ["web.error_pages", "a table of a text that matches"]),
        ("web.fallback=/etc/passwd", ["web.fallback", "'/etc/passwd'", "a text that matches"]),
        ("server", ["section.key=value"]),
    ],
)
def test_combine__wrong__one_line_naming_key_found_and_allowed(text: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        combined(text)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in parts if part not in message] == []
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key__a_value_of_no_type_of_its__one_line_that_names_it(section: str) -> None:
    for field in fields_of(section):
        key = f"{section}.{field.removesuffix('_us')}"
        with pytest.raises(ConfigError) as caught:
            combine(settings_of_document({section: {field: [[1]]}}, "config.toml"))
        message = str(caught.value)
        assert message.startswith(f"config.toml: {key}"), message
        assert "; allowed: " in message
        assert "\n" not in message


@pytest.mark.parametrize("name", PARAMETER_BOUNDS)
def test_combine__tcp_parameter_out_of_its_bounds__refused_and_both_are_named(name: str) -> None:
    least, most = PARAMETER_BOUNDS[name]
    for wrong in (least - 1, most + 1):
        with pytest.raises(ConfigError, match=f"tcp.{name}: found {wrong}; allowed: .* {least} to {most}"):
            combine([Setting("tcp", name, wrong, f"config.toml: tcp.{name}", is_text=False)])
    for right in (least, most):
        config = combine([Setting("tcp", name, right, f"config.toml: tcp.{name}", is_text=False)])
        assert getattr(config.tcp, name) == right


def test_combine__lists_and_tables__as_toml_has_them() -> None:
    assert combined('web.trusted_proxies=["::1"]').web.trusted_proxies == ["::1"]
    assert combined('web.sites={"a.example" = "www"}').web.sites == {"a.example": "www"}
    assert combined('web.media_types={"x" = "text/x"}').web.media_types == {"x": "text/x"}


def test_combine__values_that_disagree__refused() -> None:
    with pytest.raises(ConfigError, match=r"queue_first: found 200; allowed: at most nfqueue\.queue_last"):
        combine(
            [
                setting_of_assignment("nfqueue.queue_first=200"),
                setting_of_assignment("nfqueue.queue_last=199"),
            ]
        )


@pytest.mark.parametrize(
    "document",
    [
        {"server": {"port": "8080"}},
        {"server": {"port": True}},
        {"server": {"port": 1.5}},
        {"server": {"pin_cpus": 1}},
        {"server": {"target": 7}},
        {"web": {"media_types": ["a"]}},
        {"web": {"head_timeout": True}},
        {"web": {"head_timeout": float("inf")}},
        {"web": {"head_timeout": float("nan")}},
        {"port": 8080},
        {"nosuch": {}},
        {"server": 7},
    ],
)
def test_document__wrong_type__refused(document: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        combine(settings_of_document(document, "config.toml"))


def test_document__error__names_file_and_key() -> None:
    with pytest.raises(
        ConfigError, match=r"^site\.toml: server\.port: found 'x'; allowed: an integer from 0 to 65535$"
    ):
        combine(settings_of_document({"server": {"port": "x"}}, "site.toml"))


def test_environment__only_section_and_key__is_ours() -> None:
    environment = {"GOSSAMER_SERVER__PORT": "81", "GOSSAMER_HOST": "x", "PATH": "a__b", "HOME": "/"}
    (setting,) = settings_of_environment(environment)
    assert setting[:4] == ("server", "port", "81", "GOSSAMER_SERVER__PORT")


def test_file__missing_or_no_toml__one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_bytes(b"[server\n\xff")
    for path in (tmp_path / "none.toml", broken, tmp_path):
        with pytest.raises(ConfigError, match=path.name):
            read_config_file(path)


def test_config_toml__of_the_repository__is_the_defaults_with_every_key() -> None:
    settings = read_config_file(REPOSITORY / "config.toml")
    assert combine(settings) == Config()
    given_keys = {(each.section, each.key) for each in settings}
    every_key = {(section, field.removesuffix("_us")) for section in SECTIONS for field in fields_of(section)}
    assert given_keys == every_key


def test_tcp_bounds__every_number_has_them__and_they_hold_the_default() -> None:
    defaults = msgspec.structs.asdict(Config().tcp)
    assert [key for key, (low, high) in PARAMETER_BOUNDS.items() if not low <= defaults[key] <= high] == []
    unbounded = {key for key, value in defaults.items() if type(value) is int} - set(PARAMETER_BOUNDS)
    assert unbounded == set()


@given(
    st.integers(0, 65535),
    st.one_of(st.just("auto"), st.integers(1, 64)),
    st.integers(0, 10**12),
    st.dictionaries(st.from_regex(r"\.[a-z0-9]{1,6}", fullmatch=True), st.just("text/plain"), max_size=3),
    st.text(max_size=20),
)
def test_format_config__read_back__the_same(
    port: int, workers: object, grace_us: int, media_types: dict[str, str], target: str
) -> None:
    document = {
        "server": {
            "port": port,
            "workers": workers,
            "timeout_graceful_shutdown_us": grace_us,
            "target": target,
        },
        "web": {"media_types": media_types},
    }
    config = combine(settings_of_document(document, "test"))
    again = combine(settings_of_document(tomllib.loads(format_config(config)), "printed"))
    assert again == config
