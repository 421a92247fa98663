"""What a reload may change."""

from gossamer.shards.configuration.config import Config
from gossamer.shards.configuration.reload import FIXED_KEYS, changes_that_need_a_restart
from gossamer.shards.configuration.settings import combine, setting_of_assignment


def config(*assignments: str) -> Config:
    return combine([setting_of_assignment(text) for text in assignments])


def test_changes__what_workers_read_anew__taken_over() -> None:
    new = config(
        *("server.target=elsewhere", "server.workers=3", "web.server=x"),
        *("tcp.nodelay=false", "supervisor.restart_intensity=1"),
    )
    assert changes_that_need_a_restart(config(), new) == (new, [])


def test_changes__what_sockets_were_made_from__stays_and_is_named() -> None:
    merged, ignored = changes_that_need_a_restart(
        config(), config("server.port=1", "web.server=x", "server.pin_cpus=false")
    )
    assert (merged.server.port, merged.server.pin_cpus, merged.web.server) == (8080, True, "x")
    assert ignored == [
        "server.port stays 8080 until a restart",
        "server.pin_cpus stays True until a restart",
    ]


def test_changes__certificates_are_read_anew__whether_there_are_any_stays() -> None:
    plain, one, other = config(), config("tls.certfile=a"), config("tls.certfile=b")
    assert changes_that_need_a_restart(one, other) == (other, [])
    assert changes_that_need_a_restart(plain, one) == (plain, ["tls.certfile stays '' until a restart"])
    assert changes_that_need_a_restart(one, plain) == (one, ["tls.certfile stays 'a' until a restart"])


def test_fixed_keys__are_keys() -> None:
    for section, keys in FIXED_KEYS.items():
        assert set(keys) <= set(getattr(config(), section).__struct_fields__)
