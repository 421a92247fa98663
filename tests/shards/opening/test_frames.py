"""Whether segments may leave as frames, and what is said of it."""

import errno

import msgspec
import pytest

from gossamer.shards.configuration.config import Config, NfqueueConfig
from gossamer.shards.opening import frames


def setting(output: str) -> Config:
    return Config(nfqueue=msgspec.convert({"output": output}, NfqueueConfig))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the kernel says of its rules; an OSError is raised."""
    said: dict[str, object] = {"rule": None, "ipsec": False, "legacy": None}

    def says(name: str) -> object:
        if isinstance(said[name], OSError):
            raise said[name]
        return said[name]

    monkeypatch.setattr(frames, "first_nf_tables_rule", lambda _: says("rule"))
    monkeypatch.setattr(frames, "has_ipsec_policies", lambda: says("ipsec"))
    monkeypatch.setattr(frames, "first_legacy_table", lambda: says("legacy"))
    return said


EPERM = OSError(errno.EPERM, "no")


@pytest.mark.parametrize(
    ("name", "value", "output"),
    [
        ("rule", None, "frames"),
        ("rule", "ip filter INPUT", "packets: rules of others stand in ip filter INPUT"),
        ("ipsec", True, "packets: IPsec policies stand"),
        ("rule", EPERM, "packets: the host's rules cannot be read: no"),
        ("ipsec", TimeoutError("timed out"), "packets: the host's rules cannot be read: timed out"),
    ],
)
def test_auto__anything_in_the_way__packets_and_why(
    host: dict[str, object], name: str, value: object, output: str
) -> None:
    host[name] = value
    assert frames.output_of(setting("auto"), "nfqueue", None) == output
    assert frames.may_send_frames() == (output == "frames")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, None),
        ("ip nat (iptables-legacy)", "rules of others stand in ip nat (iptables-legacy)"),
        (EPERM, "the tables of iptables-legacy cannot be read: no"),
    ],
)
def test_iptables_legacy__looked_at_once(host: dict[str, object], value: object, why: str | None) -> None:
    host["legacy"] = value
    assert frames.legacy_in_the_way() == why


def test_start__what_spoke_against_frames__is_said_whatever_stands_now(host: dict[str, object]) -> None:
    host["rule"] = "ip filter INPUT"
    assert frames.output_of(setting("auto"), "nfqueue", "no packet socket") == "packets: no packet socket"


def test_configured__nothing_is_asked(host: dict[str, object]) -> None:
    host.update(rule=EPERM, legacy=EPERM, ipsec=EPERM)
    assert frames.output_of(setting("frames"), "nfqueue", None) == "frames"
    assert frames.output_of(setting("raw"), "nfqueue", "as configured") == "packets: as configured"
    assert frames.output_of(setting("auto"), "kernel", None) == ""
