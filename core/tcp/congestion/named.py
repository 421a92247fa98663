"""Which algorithm a name means.

A user's own is "module:attribute": a `Control`, or a subclass of it, in a module that can be imported
wherever the connection lives. Nothing is registered anywhere, so a connection that moves to another process
finds its algorithm there by the same name.
"""

from functools import lru_cache
from importlib import import_module
from typing import Final

from gossamer.core.errors import GossamerError
from gossamer.core.tcp.congestion.bbr import Bbr
from gossamer.core.tcp.congestion.control import Control
from gossamer.core.tcp.congestion.cubic import Cubic
from gossamer.core.tcp.congestion.newreno import NewReno
from gossamer.core.tcp.congestion.own import Own
from gossamer.core.tcp.tcb import Tcb

KNOWN: Final[dict[str, Control]] = {control.name: control for control in (Cubic(), NewReno(), Bbr())}


class UnknownCongestionControl(GossamerError):
    """No algorithm has this name; the message names those that there are."""


@lru_cache(maxsize=64)
def named(name: str) -> Control:
    """The algorithm of that name. Raises: UnknownCongestionControl."""
    if name in KNOWN:
        return KNOWN[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise UnknownCongestionControl(
            f'no congestion control is called "{name}": there are {", ".join(KNOWN)}, or "module:attribute"'
        )
    return _imported(name, module, attribute)


def _imported(name: str, module: str, attribute: str) -> Control:
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UnknownCongestionControl(f'congestion control "{name}" cannot be imported: {error}') from error
    control = found() if isinstance(found, type) else found
    if not isinstance(control, Control):
        raise UnknownCongestionControl(f'"{name}" is no gossamer.core.tcp.congestion.control.Control')
    return Own(name, control)


def control_of(tcb: Tcb) -> Control:
    """The algorithm that governs a connection."""
    return named(tcb.agreed.parameters.congestion)
