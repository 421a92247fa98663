"""What a user may set of one connection."""

from typing import Any

import pytest

from gossamer.core.clock import NEVER_US
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.socket_options import (
    NO_OPTIONS,
    OPTION_BOUNDS,
    SocketOptions,
    options_of,
    parameters_with,
)


@pytest.mark.parametrize("name", OPTION_BOUNDS)
@pytest.mark.parametrize("side", [-1, 1])
def test_options__out_of_bounds__names_option_found_and_allowed(name: str, side: int) -> None:
    least, most = OPTION_BOUNDS[name]
    bad = least - 1 if side < 0 else most + 1
    with pytest.raises(ValueError, match=rf"^{name} = {bad}: from {least} to {most} is allowed$"):
        SocketOptions(**{name: bad})
    assert getattr(SocketOptions(**{name: least if side < 0 else most}), name) == (
        least if side < 0 else most
    )


@pytest.mark.parametrize(
    "bad", [{"nodelay": "yes"}, {"quickack": 2}, {"keepalive_probes": 1.5}, {"linger_us": True}]
)
def test_options__not_of_its_kind__refused(bad: dict[str, Any]) -> None:
    ((name, value),) = bad.items()
    with pytest.raises(ValueError, match=f"^{name} = {value!r}: "):
        SocketOptions(**bad)


def test_options__unknown_congestion_control__names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"congestion = 'nonesuch': .*newreno"):
        SocketOptions(congestion="nonesuch")


def test_parameters_with__nothing__are_the_same() -> None:
    assert parameters_with(DEFAULT_PARAMETERS, NO_OPTIONS) == DEFAULT_PARAMETERS


def test_parameters_with__the_same_options__share_one_record() -> None:
    first = parameters_with(DEFAULT_PARAMETERS, SocketOptions(nodelay=False))
    assert first is parameters_with(TcpParameters(), SocketOptions(nodelay=False))
    assert not first.nodelay


def test_options_of__what_was_set__is_read_back() -> None:
    options = SocketOptions(
        nodelay=False,
        quickack=True,
        keepalive_idle_us=60_000_000,
        keepalive_interval_us=5_000_000,
        keepalive_probes=3,
        user_timeout_us=30_000_000,
        linger_us=2_000_000,
        maxseg_bytes=1_000,
        congestion="newreno",
        dscp=46,
        notsent_lowat_bytes=16_384,
    )
    assert options_of(parameters_with(DEFAULT_PARAMETERS, options), 1_000) == options


def test_options_of__default__names_every_option() -> None:
    found = options_of(DEFAULT_PARAMETERS, 1_460)
    assert None not in [getattr(found, name) for name in SocketOptions.__struct_fields__]
    assert (found.nodelay, found.linger_us, found.quickack) == (True, NEVER_US, False)
