"""Requests from a file: vegeta's text and JSON lines, HAR, and lines of curl.

    GET http://127.0.0.1/a      {"method": "GET", "url": "/a", "weight": 3}      {"log": {"entries": [...]}}
    X-Field: value              {"method": "POST", "url": "/b", "body": "aGk="}
    @body.json                  curl -X POST -d hi http://127.0.0.1/b

Owns the four formats, told apart by how the file begins, and what of each is taken. Files that bodies name
are found beside the file.

Source: vegeta's README, "-targets" and "-format"; HAR 1.2; curl(1).
"""

import base64
import binascii
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from gossamer.core.errors import what_failed
from gossamer.loadtest.fields import OURS, parse_field
from gossamer.loadtest.request_set import METHOD
from gossamer.loadtest.target import PORTS
from gossamer.shards.exitcode import ConfigError

FILE_BYTES_MAX: Final = 64 << 20
REQUESTS_MAX: Final = 100_000
REQUEST_LINE: Final = re.compile(r"([A-Z][A-Z0-9-]*) (\S+)")
WEIGHT_MAX: Final = 1_000_000


class AskedRequest(msgspec.Struct, frozen=True):
    """One request as a file has it: its URL may be whole, or a path on the server that is loaded."""

    method: str
    url: str
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    weight: int = 1
    checks: tuple[str, ...] = ()


class JsonTarget(msgspec.Struct, forbid_unknown_fields=True):
    """A line of vegeta's JSON; `weight` and `check` are ours."""

    url: str
    method: str = "GET"
    body: str = ""
    """In base64."""
    header: dict[str, list[str]] = {}
    weight: int = 1
    check: list[str] = []


def read_octets(path: Path, flag: str, bytes_max: int = FILE_BYTES_MAX) -> bytes:
    """A whole file. Raises: ConfigError, in one line."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise ConfigError(f"{flag}: {what_failed(error)}") from None
    if len(data) > bytes_max:
        raise ConfigError(f"{flag} {path}: larger than the {bytes_max >> 20} MiB that are allowed")
    return data


def read_requests(path: Path) -> tuple[AskedRequest, ...]:
    """The requests of a file. Raises: ConfigError, in one line that names the line of the file."""
    try:
        text = read_octets(path, "--requests-file").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"--requests-file {path}: no UTF-8 at octet {error.start}") from None
    found = tuple(format_of(text)(text, path))
    if not found:
        raise ConfigError(f"--requests-file {path}: no request in it")
    if len(found) > REQUESTS_MAX:
        raise ConfigError(f"--requests-file {path}: found {len(found):,} requests; allowed: {REQUESTS_MAX:,}")
    return found


def format_of(text: str) -> Callable[[str, Path], Iterator[AskedRequest]]:
    """What reads such a file."""
    begin = next(
        (line for line in text.splitlines() if line.strip() and not line.startswith("#")), ""
    ).strip()
    if begin.startswith("curl "):
        return curl_lines
    if not begin.startswith("{"):
        return text_targets
    return json_lines if is_json(begin) else har_entries


def is_json(text: str) -> bool:
    """Whether it is a whole JSON text other than a HAR."""
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return "log" not in found


def wrong(path: Path, number: int, why: str) -> ConfigError:
    """A line that cannot be read."""
    return ConfigError(f"--requests-file {path}, line {number}: {why}")


# vegeta's text


def text_targets(text: str, path: Path) -> Iterator[AskedRequest]:
    """A request line, its fields, perhaps @FILE, an empty line. Raises: ConfigError."""
    started: tuple[str, str] | None = None
    fields: list[tuple[str, str]] = []
    body = b""
    for number, line in enumerate([*map(str.strip, text.splitlines()), ""], 1):
        request = REQUEST_LINE.fullmatch(line)
        if started is not None and (request is not None or not line):
            yield AskedRequest(*started, tuple(fields), body)
            started, fields, body = None, [], b""
        if not line or line.startswith("#"):
            continue
        if request is not None:
            started = (request[1], request[2])
        elif started is None:
            raise wrong(path, number, f"found {line[:80]!r}; allowed: METHOD URL")
        elif line.startswith("@"):
            body = read_octets(path.parent / line[1:], f"--requests-file {path}, line {number}: body")
        else:
            fields.append(field_at(line, path, number))


def field_at(line: str, path: Path, number: int) -> tuple[str, str]:
    """A field line of a file. Raises: ConfigError that names the line."""
    try:
        return parse_field(line)
    except ConfigError as error:
        raise wrong(path, number, str(error).removeprefix("--header: ")) from None


# vegeta's JSON


def json_lines(text: str, path: Path) -> Iterator[AskedRequest]:
    """A JSON object a line. Raises: ConfigError."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            target = msgspec.json.decode(line, type=JsonTarget)
            body = base64.b64decode(target.body, validate=True)
        except (msgspec.DecodeError, binascii.Error) as error:
            raise wrong(path, number, str(error)) from None
        lines = [f"{name}: {value}" for name, values in target.header.items() for value in values]
        fields = tuple(field_at(each, path, number) for each in lines)
        if not 0 <= target.weight <= WEIGHT_MAX:
            raise wrong(path, number, f"found weight {target.weight}; allowed: 0 to {WEIGHT_MAX}")
        if METHOD.fullmatch(target.method) is None:
            raise wrong(path, number, f"found method {target.method!r}; allowed: a word")
        yield AskedRequest(target.method, target.url, fields, body, target.weight, tuple(target.check))


# HAR


class HarPair(msgspec.Struct):
    """A field."""

    name: str
    value: str


class HarBody(msgspec.Struct):
    """What a request carried."""

    text: str = ""


class HarRequest(msgspec.Struct):
    """Of an entry, what was asked."""

    method: str
    url: str
    headers: list[HarPair] = []
    postData: HarBody | None = None  # noqa: N815 - the name that HAR gives it


class HarEntry(msgspec.Struct):
    """One exchange."""

    request: HarRequest


class HarLog(msgspec.Struct):
    """The list of them."""

    entries: list[HarEntry]


class HarFile(msgspec.Struct):
    """A whole file."""

    log: HarLog


def har_entries(text: str, path: Path) -> Iterator[AskedRequest]:
    """What a browser recorded: requests in their order, all by the scheme of the first, http or https.

    Raises: ConfigError.
    """
    try:
        found = msgspec.json.decode(text, type=HarFile)
    except msgspec.DecodeError as error:
        raise ConfigError(f"--requests-file {path}: neither HAR nor JSON lines: {error}") from None
    schemes = [urlsplit(entry.request.url).scheme for entry in found.log.entries]
    wanted = next((scheme for scheme in schemes if scheme in PORTS), "")
    for entry, scheme in zip(found.log.entries, schemes, strict=True):
        request = entry.request
        if scheme == wanted:
            pairs = ((each.name, each.value) for each in request.headers)
            # What frames a message, and the pseudo fields of HTTP/2, are not a request's own.
            fields = tuple(pair for pair in pairs if pair[0].lower() not in OURS and pair[0][:1] != ":")
            body = request.postData.text.encode() if request.postData else b""
            yield AskedRequest(request.method, request.url, fields, body)


# curl


def curl_lines(text: str, path: Path) -> Iterator[AskedRequest]:
    """`curl` commands, one a line or continued by a backslash. Raises: ConfigError."""
    first = 1
    for command in re.split(r"(?<!\\)\n", text):
        if command.strip() and not command.lstrip().startswith("#"):
            try:
                words = shlex.split(command.replace("\\\n", " "))
            except ValueError as error:
                raise wrong(path, first, str(error)) from None
            yield curl_request(words, path, first)
        first += command.count("\n") + 1


NAMES: Final = {
    "-X": "method", "--request": "method", "-H": "field", "--header": "field", "-d": "data", "--data": "data",
    "--data-raw": "raw", "--data-binary": "data", "-u": "user", "--user": "user", "-b": "cookie",
    "--cookie": "cookie", "-A": "agent", "--user-agent": "agent", "-e": "referer", "--referer": "referer",
    "--url": "url",
}  # fmt: skip
IGNORED: Final = frozenset(
    {
        "-s",
        "--silent",
        "-S",
        "--show-error",
        "-k",
        "--insecure",
        "-v",
        "-i",
        "--compressed",
        "-L",
        "--location",
    }
)
FIELD_OF: Final = {"cookie": "Cookie", "agent": "User-Agent", "referer": "Referer"}


def curl_request(words: list[str], path: Path, number: int) -> AskedRequest:
    """What one command asks. Raises: ConfigError for an option that is not known."""
    found: dict[str, list[str]] = {}
    rest = iter(words[1:])
    for word in rest:
        if word in ("-I", "--head"):
            found["method"] = ["HEAD"]
        elif word in NAMES:
            value = next(rest, None)
            if value is None:
                raise wrong(path, number, f"{word} without a value")
            found.setdefault(NAMES[word], []).append(value)
        elif not word.startswith("-"):
            found.setdefault("url", []).append(word)
        elif word not in IGNORED:
            raise wrong(path, number, f"found {word}; allowed: {', '.join(NAMES)}")
    if len(found.get("url", [])) != 1:
        raise wrong(path, number, f"found {len(found.get('url', []))} URLs; allowed: one")
    fields = [field_at(line, path, number) for line in found.get("field", [])]
    fields += [(FIELD_OF[name], value) for name in FIELD_OF for value in found.get(name, [])]
    fields += [basic_auth(user) for user in found.get("user", [])]
    datas = [
        data_of(text, f"--requests-file {path}, line {number}", path.parent) for text in found.get("data", [])
    ]
    body = b"&".join([*datas, *(text.encode() for text in found.get("raw", []))])
    if body and not any(name.lower() == "content-type" for name, _ in fields):
        fields.append(FORM)
    method = found.get("method", ["POST" if body else "GET"])[-1]
    return AskedRequest(method, found["url"][0], tuple(fields), body)


FORM: Final = ("Content-Type", "application/x-www-form-urlencoded")
"""What curl says of --data."""


def data_of(text: str, flag: str, folder: Path = Path()) -> bytes:
    """A body as it was written, or the file that `@` names. Raises: ConfigError."""
    return read_octets(folder / text[1:], flag) if text.startswith("@") else text.encode()


def basic_auth(user: str) -> tuple[str, str]:
    """The field of a user and password, "name:password". Source: RFC 7617 2."""
    return "Authorization", "Basic " + base64.b64encode(user.encode()).decode("ascii")


def asked_urls(found: tuple[AskedRequest, ...]) -> list[str]:
    """The whole URLs among them."""
    return [each.url for each in found if "://" in each.url]
