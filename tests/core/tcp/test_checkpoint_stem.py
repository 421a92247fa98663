"""The stem of a checkpoint: what the handshake settled comes back as it was, in few octets."""

from typing import Any

import pytest

from gossamer.core.layout import CONNECTION_LAYOUT
from gossamer.core.records import fields, replace
from gossamer.core.seq import Seq
from gossamer.core.sim import states
from gossamer.core.tcp.checkpoint_stem import STEM_LAYOUT, is_stem_of, of_stem, stem_octets
from gossamer.core.tcp.codec import UndecodableConnection, encode
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.tcb import Agreed, Ecn, EcnCounters, Path, UserTimeout

FULL = Agreed(
    TcpParameters(keepalive_idle_us=7_000_000, congestion="bbr"),
    iss=Seq(0xFFFFFFFF),
    irs=Seq(1),
    smss=65_483,
    rmss=1_208,
    snd_wind_shift=14,
    rcv_wind_shift=7,
    timestamps=True,
    sack=True,
    ts_offset=0xFFFFFFFE,
    passive=True,
    ecn=True,
    ect=2,
    is_ipv6=True,
    traffic_class=0xFC,
    accurate_ecn=7,
    syn_text_bytes=64_000,
    syn_taken_bytes=1_400,
)
RARE: list[dict[str, Any]] = [
    {},
    {"rcv_up": Seq(5)},
    {"ecn": Ecn(echoes=True, received=EcnCounters(3, 4, 5))},
    {"path": Path(1_400, 9_000, 77), "user_timeout": UserTimeout(9_000_000, is_fixed=True)},
]


@pytest.mark.parametrize("rare", RARE, ids=lambda rare: "+".join(rare) or "none")
@pytest.mark.parametrize("agreed", [FULL, Agreed(DEFAULT_PARAMETERS, Seq(9))], ids=["full", "default"])
def test_stem__of_any_connection__comes_back(agreed: Agreed, rare: dict[str, Any]) -> None:
    tcb = replace(states.established(), agreed=agreed, **rare)
    copy = of_stem(stem_octets(tcb))
    assert copy.agreed == agreed
    for name in ("ecn", "path", "user_timeout", "rcv_up"):
        assert getattr(copy, name) == rare.get(name), name


@pytest.mark.parametrize("name", [field.name for field in fields(Agreed)])
def test_stem__each_field_of_what_was_settled__is_in_it(name: str) -> None:
    """A field that is new must be thought of."""
    none = Agreed(DEFAULT_PARAMETERS, Seq(0))
    changed = replace(none, **{name: getattr(FULL, name)})
    assert changed != none
    assert of_stem(stem_octets(replace(states.established(), agreed=changed))).agreed == changed


def test_stem__of_defaults__takes_few_octets() -> None:
    assert (
        len(stem_octets(replace(states.established(), agreed=replace(FULL, parameters=DEFAULT_PARAMETERS))))
        < 32
    )


def test_is_stem_of__while_nothing_of_it_is_another() -> None:
    tcb = states.established()
    assert is_stem_of(tcb, replace(tcb, rcv_nxt=Seq(7), receive_closed=True))
    assert not is_stem_of(tcb, replace(tcb, rcv_up=Seq(7)))


PLAIN = stem_octets(states.established())
UNKNOWN = replace(FULL, parameters=TcpParameters(congestion="none"))
WRONG = {
    "nothing": b"",
    "a record": encode(states.established()),
    "another layout": bytes((STEM_LAYOUT, CONNECTION_LAYOUT + 1)) + PLAIN[2:],
    "cut short": PLAIN[:9],
    "too long": PLAIN + b"\x81",
    "an unknown parameter": PLAIN[:-1] + b"\x81\xa3new\x01",
    "rare records cut short": stem_octets(replace(states.established(), rcv_up=Seq(5)))[:-3],
    "an unknown algorithm": stem_octets(replace(states.established(), agreed=UNKNOWN)),
}


@pytest.mark.parametrize("octets", WRONG.values(), ids=WRONG.keys())
def test_stem__of_another_layout_or_cut__says_so(octets: bytes) -> None:
    with pytest.raises(UndecodableConnection):
        of_stem(octets)
