"""From the text of a sysctl to parameters."""

from collections.abc import Callable
from typing import Final, Literal

from gossamer.core.errors import GossamerError
from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.records import replace
from gossamer.core.tcp.congestion.named import named
from gossamer.core.tcp.constants import MILLISECOND_US
from gossamer.core.tcp.parameters import NOTSENT_UNLIMITED, TcpParameters

Setter = Callable[[TcpParameters, str], TcpParameters]


def number_of(text: str) -> int:
    """A number, decimal or as Python writes it. Raises: Mismatch."""
    try:
        return int(text, 0)
    except ValueError:
        raise Mismatch(f"expected a number, got {text!r}") from None


def truth(field: str) -> Setter:
    """0 is off."""
    return lambda parameters, text: replace(parameters, **{field: number_of(text) != 0})


def scaled(field: str, unit: int, least: int = 0) -> Setter:
    """A number of units."""
    return lambda parameters, text: replace(parameters, **{field: max(number_of(text) * unit, least)})


def deviates(field: str) -> Setter:
    """0 is off: of the habits of another system."""
    return lambda parameters, text: deviating(parameters, **{field: number_of(text) != 0})


def deviating(parameters: TcpParameters, **habits: object) -> TcpParameters:
    """The parameters with other habits."""
    return replace(parameters, deviations=replace(parameters.deviations, **habits))


def largest(field: str) -> Setter:
    """The largest of "least default largest"."""
    return lambda parameters, text: replace(parameters, **{field: number_of(text.split()[-1])})


def congestion(parameters: TcpParameters, text: str) -> TcpParameters:
    """By name."""
    return replace(parameters, congestion=congestion_name(text))


ECN_MODES: Final[dict[str, Literal["off", "passive", "on", "accurate"]]] = {
    "0": "off",
    "1": "on",
    "2": "passive",
    "3": "accurate",
}


def ecn_option(parameters: TcpParameters, text: str) -> TcpParameters:
    """0 to 3 of tcp_ecn_option: never; the others differ in how little is said."""
    if text not in ("0", "1", "2", "3"):
        raise Unsupported(f"sysctl tcp_ecn_option={text}")
    return replace(parameters, ecn_option=text != "0")


def ecn(parameters: TcpParameters, text: str) -> TcpParameters:
    """0 to 3 of tcp_ecn."""
    if text not in ECN_MODES:
        raise Unsupported(f"sysctl tcp_ecn={text}")
    return replace(parameters, ecn=ECN_MODES[text])


def lowat_bytes(value: int) -> int:
    """Linux's notsent_lowat as we have it: 0 and -1 are no bound."""
    return value if 0 < value < NOTSENT_UNLIMITED else NOTSENT_UNLIMITED


def notsent_lowat(parameters: TcpParameters, text: str) -> TcpParameters:
    """Octets, unsigned."""
    return replace(parameters, notsent_lowat_bytes=lowat_bytes(number_of(text)))


MTU_PROBING: Final[dict[str, Literal["off", "blackhole", "on"]]] = {"0": "off", "1": "blackhole", "2": "on"}


def mtu_probing(parameters: TcpParameters, text: str) -> TcpParameters:
    """0, 1, 2 of tcp_mtu_probing."""
    if text not in MTU_PROBING:
        raise Unsupported(f"sysctl tcp_mtu_probing={text}")
    return replace(parameters, mtu_probing=MTU_PROBING[text])


def rto_min(parameters: TcpParameters, text: str) -> TcpParameters:
    """Linux's least RTO is the least that it exceeds SRTT by."""
    least_us = max(number_of(text), MILLISECOND_US)
    return replace(parameters, rto_min_us=least_us, rto_variance_min_us=least_us)


CONGESTION: Final = {"reno": "newreno", "newreno": "newreno"}


def congestion_name(name: str) -> str:
    """Our name of a congestion control. Raises: Unsupported."""
    ours = CONGESTION.get(name, name)
    if ":" in ours:
        raise Unsupported(f"congestion control {name}")
    try:
        named(ours)
    except (GossamerError, ValueError, KeyError):
        raise Unsupported(f"congestion control {name}") from None
    return ours
