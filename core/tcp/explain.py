"""A connection as lines that a person reads, and what a step has changed of it.

Owns the words and figures. Whoever wants the whole record as bytes takes `codec`.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any

from gossamer.core.clock import NEVER_US
from gossamer.core.records import fields, is_record
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.tcb import Tcb, TimeWait
from gossamer.core.wire.text import Extent

NOTHING = (None, (), NEVER_US)
"""What a field holds while there is nothing to say of it."""
ALWAYS = frozenset({"snd_wnd", "rcv_nxt", "rcv_wnd"})
"""Fields of a connection whose default says as much as any other value: a window of 0 is closed."""


def explain(before: Tcb | TimeWait, after: Tcb | TimeWait | None = None) -> str:
    """A line for each field that says something, which one at its default does not; with `after`, for each
    field that differs between the two.

    >>> from gossamer.tcp import explain, replace
    >>> from gossamer.testing import states
    >>> connection = states.established()
    >>> print(explain(connection, replace(connection, snd_wnd=0, backoff=1)))
    ESTABLISHED
      snd_wnd   65,536 -> 0
      backoff   0 -> 1
    """
    if after is None:
        fields = _fields(before)
        rows = [(name, _shown(name, value)) for name, value, says in fields if says and name != "state"]
        return _table(_state(before), rows)
    old = {name: value for name, value, _ in _fields(before, other=after)}
    new = {name: value for name, value, _ in _fields(after, other=before)}
    rows = [
        (name, f"{_shown(name, old.get(name))} -> {_shown(name, new.get(name))}")
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name) and name != "state"
    ]
    states = dict.fromkeys((_state(before), _state(after)))
    return _table(" -> ".join(states), rows)


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join((head, *(f"  {name:<{width}}   {text}" for name, text in rows)))


def _state(connection: Tcb | TimeWait) -> str:
    return connection.state.name.replace("_", "-") if isinstance(connection, Tcb) else "TIME-WAIT"


def _fields(record: Any, above: str = "", other: Any = None) -> Iterator[tuple[str, Any, bool]]:
    """The fields of a record and of those in it, by dotted names, and whether each says something by itself;
    of the parameters, those that differ from their defaults. What `other` shares is passed over.
    """
    kind: Any = type(record)
    shares = type(other) is kind
    for field in fields(kind):
        name, value = field.name, getattr(record, field.name)
        its = getattr(other, name) if shares else None
        if shares and its is value:
            continue
        if isinstance(value, TcpParameters):
            defaults = dict(_plain(DEFAULT_PARAMETERS))
            yield from ((f"{above}{name}.{key}", v, True) for key, v in _plain(value) if v != defaults[key])
        elif is_record(value):
            yield from _fields(value, f"{above}{name}.", its)
        else:
            says = name in ALWAYS or (value != field.default and value not in NOTHING)
            yield f"{above}{name}", value, says


def _plain(record: Any) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(record, name)) for name in record.__struct_fields__)


def _shown(name: str, value: Any) -> str:
    if value is None or value == ():
        return "-"
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bytes):
        return f"{len(value):,} octets"
    if isinstance(value, tuple) and isinstance(value[0], bytes | Extent):
        return f"{sum(map(len, value)):,} octets in {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool):
        return "never" if value == NEVER_US else f"{value:,}{' us' if name.endswith('_us') else ''}"
    return str(value)
