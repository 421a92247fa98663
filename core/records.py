"""Records of the pure core, in whichever build it runs.

As they are written they are msgspec's Structs; in the native build (`gossamer.core.native`) they are classes
of a compiled module, with the same fields, that msgspec knows nothing of. Owns what is asked of a record from
outside the core, the same for both: another one with changes, its fields, and the two hooks by which msgspec
makes bytes of it and back.
"""

from functools import cache, lru_cache
from importlib import import_module
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import msgspec

R = TypeVar("R")


class RecordField(NamedTuple):
    """A field of a record."""

    name: str
    type: Any
    default: Any
    """`msgspec.NODEFAULT` where there is none."""


def replace(record: R, /, **changes: Any) -> R:
    """The same record but for these fields.

    >>> from gossamer.tcp import ACK, Segment, replace
    >>> print(replace(Segment(1, 2, ACK, 512), window=0))
    ACK seq 1 ack 2 win 0
    """
    if isinstance(record, msgspec.Struct):
        return msgspec.structs.replace(record, **changes)
    changed: R = record.__replace__(**changes)  # type: ignore[attr-defined]
    return changed


def is_record(value: object) -> bool:
    """Whether a value is a record of either build."""
    return hasattr(type(value), "__struct_fields__")


@cache
def fields(kind: Any) -> tuple[RecordField, ...]:
    """The fields of a kind of record, in order."""
    if issubclass(kind, msgspec.Struct):
        return tuple(RecordField(f.name, f.type, f.default) for f in msgspec.structs.fields(kind))
    written = SimpleNamespace(__annotations__=kind.__record_types__)
    hints = get_type_hints(written, vars(import_module(kind.__module__)))
    defaults = kind.__record_defaults__
    return tuple(RecordField(n, hints[n], defaults.get(n, msgspec.NODEFAULT)) for n in kind.__struct_fields__)


def encoded(value: object) -> Any:
    """What msgspec writes for a record that it does not know: as it would for a Struct. Raises:
    NotImplementedError for what is no record."""
    if not is_record(value):
        raise NotImplementedError(f"{type(value).__qualname__} is no record")
    kind: Any = type(value)
    names = kind.__struct_fields__
    if kind.__record_is_array__:
        return [getattr(value, name) for name in names]
    return {name: getattr(value, name) for name in names}


def decoded(kind: Any, data: object) -> Any:
    """The record that msgspec has read as `data`. Raises: msgspec.ValidationError."""
    values = msgspec.structs.asdict(msgspec.convert(data, _struct(kind), dec_hook=decoded))
    for name, among in _mixed(kind).items():
        values[name] = tuple(
            decoded(among, each) if isinstance(each, list) else each for each in values[name]
        )
    return kind(**values)


@lru_cache(maxsize=256)
def _mixed(kind: Any) -> dict[str, Any]:
    """The fields that are tuples of one kind of native record and of what is none, and which kind: msgspec
    takes no union of a type that it does not know and another."""
    found = {}
    for field in fields(kind):
        members = get_args(get_args(field.type)[0]) if get_origin(field.type) is tuple else ()
        records = [each for each in members if hasattr(each, "__record_is_array__")]
        if records and len(members) > 1:
            (found[field.name],) = records
    return found


@lru_cache(maxsize=256)
def _struct(kind: Any) -> type[msgspec.Struct]:
    """The Struct with the fields of a native record."""
    if not hasattr(kind, "__record_is_array__"):
        raise NotImplementedError(f"{kind.__qualname__} is no record")
    mixed = _mixed(kind)
    known = [f._replace(type=tuple[Any, ...]) if f.name in mixed else f for f in fields(kind)]
    each = [(f.name, f.type) if f.default is msgspec.NODEFAULT else tuple(f) for f in known]
    is_array = kind.__record_is_array__
    return msgspec.defstruct(kind.__name__, each, array_like=is_array, kw_only=True, frozen=True)
