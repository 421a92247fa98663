"""Whether a value is what a JSON Schema says: the part of the language in which msgspec describes types.

An unknown keyword is an error, so that nothing is passed over. Source: JSON Schema 2020-12.
"""

from typing import Any, Final

TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
SILENT: Final = {"title", "description", "default", "$defs"}

Schema = dict[str, Any]


def faults(value: Any, schema: Schema, root: Schema | None = None, where: str = "$") -> list[str]:
    """What is wrong, a line each."""
    root = root or schema
    found: list[str] = []
    for word in schema.keys() - SILENT:
        if word in WITHIN:
            inner = WITHIN[word](value, schema, root)
            found += [line for name, each, its in inner for line in faults(each, its, root, where + name)]
        elif not HOLDS[word](value, schema[word], root):
            found.append(f"{where}: {value!r} is not {word} {schema[word]}")
    return found


def _is_of_type(value: Any, name: str, _root: Schema) -> bool:
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


HOLDS: Final = {
    "type": _is_of_type,
    "enum": lambda value, allowed, _: value in allowed,
    "const": lambda value, only, _: value == only,
    "required": lambda value, names, _: not isinstance(value, dict) or set(names) <= set(value),
    "anyOf": lambda value, ways, root: any(not faults(value, way, root) for way in ways),
}
"""Keywords that are true or not."""


def _further(value: Any, schema: Schema, _root: Schema) -> list[tuple[str, Any, Schema]]:
    said = schema["additionalProperties"]
    if not isinstance(value, dict) or not isinstance(said, dict):
        return []
    names = value.keys() - schema.get("properties", {}).keys()
    return [(f".{name}", value[name], said) for name in names]


def _properties(value: Any, schema: Schema, _root: Schema) -> list[tuple[str, Any, Schema]]:
    if not isinstance(value, dict):
        return []
    return [(f".{name}", value[name], each) for name, each in schema["properties"].items() if name in value]


def _items(value: Any, schema: Schema, _root: Schema) -> list[tuple[str, Any, Schema]]:
    if not isinstance(value, list):
        return []
    return [(f"[{number}]", each, schema["items"]) for number, each in enumerate(value)]


def _referred(value: Any, schema: Schema, root: Schema) -> list[tuple[str, Any, Schema]]:
    return [("", value, root["$defs"][schema["$ref"].rpartition("/")[2]])]


WITHIN: Final = {
    "$ref": _referred,
    "properties": _properties,
    "additionalProperties": _further,
    "items": _items,
}
"""Keywords that say something of what lies within: its place, itself, and what it must be."""
