"""A configuration as TOML that reads back as the same configuration, each key with what it does. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gossamer.core.printable import printable
from gossamer.shards.configuration.config import KEYLESS, MOUNT, Config
from gossamer.shards.units import format_duration, format_size, is_size

Comments = Mapping[tuple[str, str], str]
"""Of a section and a key of it: the lines that stand before it."""
SECTION: Final = re.compile(r"\[(\w+)\]")
KEY: Final = re.compile(r"(\w+) =")


def comments_of(text: str) -> Comments:
    """What a config.toml says of its keys."""
    found: dict[tuple[str, str], str] = {}
    section, before = "", ""
    for line in text.splitlines(keepends=True):
        if line.startswith("#"):
            before += line
            continue
        if head := SECTION.match(line):
            section = head[1]
        elif key := KEY.match(line):
            found[section, key[1]] = before
        before = ""
    return found


def _toml_value(name: str, value: Any) -> str:
    if name.endswith("_us") and type(value) is int:
        return f'"{format_duration(value)}"'
    if is_size(name) and type(value) is int:
        return f'"{format_size(value)}"'
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml_value("", each) for each in value) + "]"
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{_toml_value('', key)} = {_toml_value('', each)}" for key, each in value.items())
            + "}"
        )
    # JSON leaves DEL as it is, which TOML forbids; its escapes beyond U+FFFF are none of TOML's.
    # TOML has no word for a path that is no UTF-8: such a one is shown as people see it elsewhere.
    shown = printable(value) if isinstance(value, str) else value
    return json.dumps(shown, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(name: str, value: Any) -> str:
    return f"{name.removesuffix('_us')} = {_toml_value(name, value)}"


def format_config(config: Config, comments: Comments | None = None) -> str:
    """The text of a config.toml that says all of `config`, and of each key what the comments say."""
    said = comments or {}
    parts: list[str] = []
    for section, values in msgspec.structs.asdict(config).items():
        if section == MOUNT:
            parts += [_table(f"[[{MOUNT}]]", mount, MOUNT, said) for mount in values]
            continue
        parts.append(_table(f"[{section}]", values, section, said))
    return "\n\n".join(parts) + "\n"


def _table(head: str, values: msgspec.Struct, section: str, comments: Comments) -> str:
    lines = [
        comments.get((section, name.removesuffix("_us")), "") + _line(name, value)
        for name, value in msgspec.structs.asdict(values).items()
        if value is not None and name not in KEYLESS
    ]
    return "\n".join([head, *lines])
