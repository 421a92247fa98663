"""How a configuration comes together: flags over environment over config.toml over defaults.

Owns precedence, conversion and the wording of errors: each names the key, what was found, what is allowed.
Pure but for `read_config_file`. Knows sections only through the fields of their Structs, so a new key needs
no line here.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.tcp.parameters import Bounds
from gossamer.shards.configuration.config import MOUNT, SECTIONS, Config, MountConfig, fields_of
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.units import format_duration, is_size, parse_duration_us, parse_size_bytes

ENVIRONMENT_PREFIX: Final = "GOSSAMER_"
CONFIG_BYTES_MAX: Final = 1 << 20
FOUND_CHARACTERS_MAX: Final = 80
ORDERED_KEYS: Final = (
    ("nfqueue", "queue_first", "queue_last"),
    ("nfqueue", "active_port_first", "active_port_last"),
    ("tcp", "rto_min_us", "rto_max_us"),
)
"""The first of each pair is at most the second."""


class Setting(NamedTuple):
    """One value that somebody gave."""

    section: str
    key: str
    value: Any
    origin: str
    """How an error names it: "--port", "GOSSAMER_SERVER__PORT", "config.toml: server.port"."""
    is_text: bool = True
    """Whether a number may come as its text, as it does from a command line and from the environment."""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= FOUND_CHARACTERS_MAX else text[:FOUND_CHARACTERS_MAX] + "..."


def _nearest(word: str, words: Iterable[str]) -> str:
    import difflib  # Of use to a mistake alone.

    found = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _bounds(annotation: Any) -> str:
    constraints = [meta for meta in getattr(annotation, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    pattern = next((meta.pattern for meta in constraints if meta.pattern), None)
    if pattern:
        return f" that matches {pattern}"
    low = next((meta.ge for meta in constraints if meta.ge is not None), None)
    high = next((meta.le for meta in constraints if meta.le is not None), None)
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""


def allowed_values(annotation: Any) -> str:
    """What a field's type allows, in words."""
    kind = get_origin(annotation)
    if kind is Literal:
        return ", ".join(repr(choice) for choice in get_args(annotation))
    if hasattr(annotation, "__metadata__"):
        return allowed_values(annotation.__origin__) + _bounds(annotation)
    if kind is dict:
        key, value = get_args(annotation)
        return f"a table of {allowed_values(key)} to {allowed_values(value)}"
    if kind is list:
        return f"a list of {allowed_values(get_args(annotation)[0])}"
    names = {
        int: "an integer",
        bool: "true or false",
        str: "a text",
        float: "a number",
        type(None): "nothing",
    }
    if annotation in names:
        return names[annotation]
    return " or ".join(allowed_values(part) for part in get_args(annotation)) or str(annotation)


def field_name(section: str, key: str) -> str | None:
    """The field that a key means: itself, or the duration or size of that name; None when there is none."""
    fields = fields_of(section)
    name = key.replace("-", "_")
    return next((each for each in (name, f"{name}_us") if each in fields), None)


def _inline_value(text: str) -> Any:
    """A list or table as it is written in a configuration; anything else as it came."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _with_unit(name: str, key: str, value: Any, annotation: Any) -> Any:
    """A duration or size as the integer it stands for, a list or table of a text; else what came."""
    plain = annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation
    if isinstance(value, str) and get_origin(plain) in (dict, list):
        return _inline_value(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if name.endswith("_us"):
        if isinstance(value, str) and not (key.endswith("_us") and value.isascii() and value.isdigit()):
            return parse_duration_us(value)
        return round(value * 1_000_000) if is_number and not key.endswith("_us") else value
    if is_size(name) and isinstance(value, str):
        return parse_size_bytes(value)
    return value


def _allowed(name: str, key: str, annotation: Any) -> str:
    if key.endswith("_us"):
        return f"{allowed_values(annotation)} microseconds"
    if name.endswith("_us"):
        return _allowed_duration(annotation)
    example = ', or a size such as "64KiB"' if is_size(name) else ""
    return allowed_values(annotation) + example


def _allowed_duration(annotation: Any) -> str:
    """The bounds of a duration as they are typed."""
    constraints = [meta for meta in getattr(annotation, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    low = next((int(meta.ge) for meta in constraints if meta.ge is not None), 0)
    high = next((int(meta.le) for meta in constraints if meta.le is not None), None)
    bounds = f"at least {format_duration(low)}" if low else ""
    if high is not None and high < NEVER_US:
        bounds = f"{format_duration(low)} to {format_duration(high)}"
    return f'a duration such as "30s" or "250ms"{bounds and ": "}{bounds}'


def _annotation(section: str, name: str) -> Any:
    """The type of a field, with its bounds."""
    fields = msgspec.structs.fields(SECTIONS[section])
    annotation = next(each.type for each in fields if each.encode_name == name)
    for bounds in getattr(annotation, "__metadata__", ()):
        if isinstance(bounds, Bounds):
            return Annotated[annotation, msgspec.Meta(ge=bounds.least, le=bounds.most)]
    return annotation


def _convert(setting: Setting, name: str) -> Any:
    annotation = _annotation(setting.section, name)
    try:
        value = _with_unit(name, setting.key, setting.value, annotation)
        return msgspec.convert(value, annotation, strict=not setting.is_text)
    # Before msgspec 0.21 its ValidationError is no ValueError.
    except (ValueError, OverflowError, msgspec.ValidationError) as error:
        allowed = _allowed(name, setting.key, annotation)
        raise ConfigError(f"{setting.origin}: found {_shown(setting.value)}; allowed: {allowed}") from error


def _checked_name(setting: Setting) -> str:
    if setting.section not in SECTIONS:
        known = ", ".join(SECTIONS)
        hint = _nearest(setting.section, SECTIONS)
        raise ConfigError(
            f"{setting.origin}: there is no section [{setting.section}]; allowed: {known}{hint}"
        )
    name = field_name(setting.section, setting.key)
    if name is None:
        fields = [each.removesuffix("_us") for each in fields_of(setting.section)]
        hint = _nearest(setting.key, fields) or f"; allowed: {', '.join(fields)}"
        raise ConfigError(f"{setting.origin}: there is no key {setting.key!r} in [{setting.section}]{hint}")
    return name


def combine(settings: Iterable[Setting]) -> Config:
    """The configuration from settings, the later over the earlier, over the defaults.

    Raises: ConfigError.
    """
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    mounts: tuple[MountConfig, ...] = ()
    for setting in settings:
        if setting.section == MOUNT:
            mounts = read_mounts(setting)
            continue
        name = _checked_name(setting)
        values[setting.section][name] = _convert(setting, name)
    sections: dict[str, Any] = {}
    for section, of_section in values.items():
        try:
            sections[section] = SECTIONS[section](**of_section)
        except (ValueError, AssertionError) as error:
            raise ConfigError(f"[{section}]: {error}") from error
    return check_together(Config(**sections, mount=mounts))


def read_mounts(setting: Setting) -> tuple[MountConfig, ...]:
    """The tables [[mount]]. Raises: ConfigError."""
    if not isinstance(setting.value, list) or setting.key:
        raise ConfigError(f"{setting.origin}: found {_shown(setting.value)}; allowed: tables [[mount]]")
    found: dict[str, MountConfig] = {}
    for number, table in enumerate(setting.value, 1):
        mount = _read_mount(table, f"{setting.origin}: [[mount]] {number}")
        if mount.path in found:
            raise ConfigError(f"{setting.origin}: [[mount]] {number}: found path {mount.path!r} again")
        found[mount.path] = mount
    return tuple(found.values())


def _read_mount(table: Any, origin: str) -> MountConfig:
    """One table. Raises: ConfigError."""
    keys = MountConfig.__struct_fields__
    if not isinstance(table, dict) or set(table) != set(keys):
        raise ConfigError(f"{origin}: found {_shown(table)}; allowed: {' and '.join(keys)}")
    for key in keys:
        if not isinstance(table[key], str) or not table[key]:
            raise ConfigError(f"{origin}: {key}: found {_shown(table[key])}; allowed: a text")
    try:
        return msgspec.convert(table, MountConfig)
    except (ValueError, msgspec.ValidationError) as error:
        raise ConfigError(
            f'{origin}: path: found {_shown(table["path"])}; allowed: a path such as "/api", '
            "with a slash in front and none at its end"
        ) from error


def check_together(config: Config) -> Config:
    """The same configuration, where its values agree with each other. Raises: ConfigError."""
    ranges = (("queue_first", "queue_last"), ("active_port_first", "active_port_last"))
    for low, high in ranges:
        first, last = getattr(config.nfqueue, low), getattr(config.nfqueue, high)
        if first > last:
            raise ConfigError(
                f"nfqueue.{low}: found {first}; allowed: at most nfqueue.{high}, which is {last}"
            )
    require_congestion_control(config.tcp.congestion)
    return config


def require_congestion_control(name: str) -> None:
    """Raises: ConfigError where no algorithm has that name."""
    if name == Config().tcp.congestion:
        return
    # A good part of a start, and of use to workers alone.
    from gossamer.core.tcp.congestion.named import UnknownCongestionControl, named

    try:
        named(name)
    except UnknownCongestionControl as error:
        raise ConfigError(f"tcp.congestion: {error}") from error


def settings_of_document(document: Mapping[str, Any], origin: str) -> list[Setting]:
    """The settings that a parsed TOML document makes. Raises: ConfigError."""
    settings: list[Setting] = []
    for section, table in document.items():
        if section == MOUNT:
            settings.append(Setting(MOUNT, "", table, origin, False))
            continue
        if not isinstance(table, dict):
            hint = f"; keys stand in a section: {', '.join(f'[{name}]' for name in SECTIONS)}"
            raise ConfigError(f"{origin}: found the key {section!r} outside of a section{hint}")
        settings += [
            Setting(section, key, value, f"{origin}: {section}.{key}", False) for key, value in table.items()
        ]
        if not table and section not in SECTIONS:
            _checked_name(Setting(section, "", None, origin))
    return settings


def read_config_file(path: Path) -> list[Setting]:
    """The settings of a config.toml. Raises: ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(CONFIG_BYTES_MAX + 1)
        if len(content) > CONFIG_BYTES_MAX:
            raise ConfigError(f"{path}: found more than {CONFIG_BYTES_MAX} bytes; allowed: a configuration")
        document = tomllib.loads(content.decode())
    except OSError as error:
        raise ConfigError(f"--config {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: this is no TOML: {error}") from error
    return settings_of_document(document, str(path))


def settings_of_environment(environment: Mapping[str, str]) -> list[Setting]:
    """GOSSAMER_SECTION__KEY=value for any key there is; other variables are not ours."""
    settings = []
    for variable, value in sorted(environment.items()):
        section, separator, key = variable.removeprefix(ENVIRONMENT_PREFIX).partition("__")
        if variable.startswith(ENVIRONMENT_PREFIX) and separator:
            settings.append(Setting(section.lower(), key.lower(), value, variable))
    return settings


def setting_of_assignment(text: str) -> Setting:
    """The setting of `--set section.key=value`. Raises: ConfigError."""
    name, separator, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not separator or not dot:
        raise ConfigError(f"--set: found {_shown(text)}; allowed: section.key=value, as in tcp.nodelay=false")
    return Setting(section, key, value.strip(), f"--set {name.strip()}")
