"""From what was asked to the one checked record of a run.

Owns what options may stand together, which requests follow from them, and where these go.
"""

import math
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from gossamer.cli.load.faults import parse_faults
from gossamer.cli.load.options import REQUESTS_MAX, SEED_MAX
from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.wire.flow import Address
from gossamer.loadtest.checks import parse_check
from gossamer.loadtest.encrypted import TlsAsked, tls_asked
from gossamer.loadtest.fields import parse_fields
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.phases import Course
from gossamer.loadtest.request_files import AskedRequest, asked_urls, basic_auth, data_of, read_requests
from gossamer.loadtest.request_set import METHOD, RequestSet, RequestTemplate, columns_of, read_rows
from gossamer.loadtest.target import Target, parse_connect_to, parse_sources, parse_url
from gossamer.loadtest.thresholds import parse_threshold
from gossamer.shards.exitcode import ConfigError

DURATION_US_DEFAULT: Final = 10 * SECOND_US

Asked = Mapping[str, Any]
"""What click has read, by the names of its parameters."""


def checked(url: str | None, asked: Asked, requests: tuple[AskedRequest, ...] = ()) -> LoadOptions:
    """The record of a run; `requests` are those of a scenario. Raises: ConfigError, in one line."""
    check_together(asked)
    rate, phases, duration_us = course_asked(asked)
    listed = (*requests, *(read_requests(asked["requests_file"]) if asked["requests_file"] else ()))
    if listed and (asked["data"] is not None or asked["method"] is not None):
        raise ConfigError("--data, --method: found beside a list of requests; allowed: in that list")
    target = target_asked(url or first_url(listed), asked)
    seed = secrets.randbelow(SEED_MAX) if asked["seed"] is None else asked["seed"]
    faults = parse_faults(asked["faults"]) if asked["faults"] is not None else None
    return LoadOptions(
        target=target,
        connections=asked["connections"],
        duration_us=duration_us,
        requests_max=asked["requests"] or REQUESTS_MAX,
        rate=rate,
        phases=phases,
        keep_alive=asked["keepalive"],
        pipeline=asked["pipeline"],
        timeout_us=asked["timeout"],
        warm_up_us=asked["warm_up"],
        drain_us=asked["drain"],
        connect_rate=asked["connect_rate"],
        process=asked["arrivals"],
        seed=seed,
        requests=requests_asked(target, asked, listed),
        think=asked["think"],
        pace_us=asked["pace"],
        thresholds=tuple(parse_threshold(text) for text in asked["thresholds"]),
        faults=None if faults is None else faults.faults,
        faults_seed=seed if faults is None or faults.seed is None else faults.seed,
        tls=encryption_asked(target, asked),
    )


def encryption_asked(target: Target, asked: Asked) -> TlsAsked | None:
    """What is asked of TLS; None for a plain URL. Raises: ConfigError."""
    if asked["cacert"] and asked["insecure"]:
        raise ConfigError("--cacert: found with --insecure; allowed: one of the two")
    if target.scheme == "https":
        host = urlsplit(f"//{asked['host'] or target.authority}").hostname or ""
        return tls_asked(host, asked["cacert"], insecure=asked["insecure"])
    for name in ("cacert", "insecure"):
        if asked[name]:
            raise ConfigError(f"--{name}: found with {target.url}; allowed: with an https URL")
    return None


def check_together(asked: Asked) -> None:
    """Refuse options that contradict each other. Raises: ConfigError."""
    if asked["pipeline"] > 1 and not asked["keepalive"]:
        raise ConfigError("--pipeline: found with --no-keepalive; allowed: one of the two")
    if asked["arrivals"] != "even" and not asked["rate"]:
        raise ConfigError("--arrivals: found poisson without --rate; allowed: both, or neither")
    for name in ("think", "pace"):
        if asked["rate"] and asked[name] not in (0, (0, 0)):
            raise ConfigError(f"--{name}: found with --rate, which alone says when requests are sent")
    if math.isnan(asked["connect_rate"]):
        raise ConfigError("--connect-rate: found nan; allowed: a number a second")
    check_question(asked)
    if asked["connect_to"] and asked["unix_socket"]:
        raise ConfigError("--connect-to: found with --unix-socket; allowed: one of the two")
    for name in ("source", "unix_socket"):
        if asked[name] and asked["stack"] != "kernel":
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"{flag}: found with --stack {asked['stack']}; allowed: with --stack kernel")
    if asked["faults"] is not None and asked["stack"] != "nfqueue":
        raise ConfigError("--faults: found with --stack kernel, whose packets are not ours; allowed: nfqueue")
    if asked["source"] and asked["unix_socket"]:
        raise ConfigError("--source: found with --unix-socket, which has no addresses")


def check_question(asked: Asked) -> None:
    """Refuse what cannot be asked with --find or --against. Raises: ConfigError."""
    asks = [flag for flag, name in (("--find", "sought"), ("--against", "against")) if asked[name]]
    if len(asks) > 1:
        raise ConfigError("--find: found with --against; allowed: one of the two")
    for flag in asks:
        if asked["outputs"]:
            raise ConfigError(f"{flag}: found with --output, which is for one run; allowed: --json")
        if isinstance(asked["rate"], tuple) and flag == "--find":
            raise ConfigError("--find: found with phases; allowed: --rate N, where the search begins")
        if asked["requests"]:
            raise ConfigError(f"{flag}: found with --requests; allowed: --duration")
    if asked["against"] and asked["requests_file"]:
        raise ConfigError("--against: found with --requests-file; allowed: one URL against another")
    if asked["sought"]:
        parse_threshold(asked["sought"], "--find")


def course_asked(asked: Asked) -> tuple[float, tuple[Any, ...], int]:
    """The rate, its phases, and how long it lasts. Raises: ConfigError."""
    rate = asked["rate"]
    if isinstance(rate, tuple):
        if asked["duration"] is not None:
            raise ConfigError("--duration: found with phases, which say how long they last; leave it out")
        course = Course(rate)
        return course.rate, rate, course.duration_us
    default_us = NEVER_US if asked["requests"] else DURATION_US_DEFAULT
    return rate, (), default_us if asked["duration"] is None else asked["duration"]


def first_url(listed: tuple[AskedRequest, ...]) -> str:
    """The URL, where none was given. Raises: ConfigError."""
    urls = asked_urls(listed)
    if not urls:
        raise ConfigError("URL: missing; write it as http[s]://HOST[:PORT]/PATH")
    return urls[0]


def target_asked(url: str, asked: Asked) -> Target:
    """Where the load goes. Raises: ConfigError."""
    target = parse_url(url, addresses_asked(asked))
    if asked["stack"] != "kernel" and any(len(address) > 2 for address in target.addresses):
        raise ConfigError(f"URL {url!r}: a zone is for --stack kernel; the functional TCP knows none")
    return target


def addresses_asked(asked: Asked) -> tuple[Address, ...]:
    """The addresses that replace the URL's. Raises: ConfigError."""
    if asked["unix_socket"]:
        path = Path(asked["unix_socket"])
        if not path.is_socket():
            raise ConfigError(f"--unix-socket: found {str(path)!r}; allowed: the path of a socket")
        return ((str(path), 0),)
    return parse_connect_to(asked["connect_to"]) if asked["connect_to"] else ()


def engines_asked(asked: Asked) -> int:
    """How many engine processes share a run: at most one a connection."""
    engines: int = asked["processes"] or len(os.sched_getaffinity(0))
    connections: int = asked["connections"]
    requests: int = asked["requests"] or engines
    return min(engines, connections, requests)


def sources_asked(asked: Asked) -> tuple[str, ...]:
    """The local addresses. Raises: ConfigError."""
    return parse_sources(asked["source"]) if asked["source"] else ()


def requests_asked(target: Target, asked: Asked, listed: tuple[AskedRequest, ...]) -> RequestSet:
    """All that is sent. Raises: ConfigError."""
    listed = listed or (single(target, asked),)
    templates = tuple(template_of(each, target, asked) for each in listed)
    rows = read_rows(asked["rows"], columns_of(templates)) if asked["rows"] else ()
    return RequestSet(templates, rows, keep_alive=asked["keepalive"], minor=0 if asked["http10"] else 1)


def single(target: Target, asked: Asked) -> AskedRequest:
    """The request of the flags. Raises: ConfigError."""
    body = data_of(asked["data"], "--data") if asked["data"] is not None else b""
    method = asked["method"] or ("GET" if asked["data"] is None else "POST")
    if METHOD.fullmatch(method) is None:
        raise ConfigError(f"--method: found {method!r}; allowed: a word such as PUT")
    if method == "CONNECT":
        raise ConfigError("--method: found CONNECT, which asks for a tunnel; allowed: any other")
    return AskedRequest(method, target.path, (), body)


def template_of(request: AskedRequest, target: Target, asked: Asked) -> RequestTemplate:
    """A request with what holds for all of them; its own fields go before those. Raises: ConfigError."""
    shared = parse_fields(asked["fields"])
    if asked["user"]:
        if ":" not in asked["user"]:
            raise ConfigError("--user: found no colon; allowed: NAME:PASSWORD")
        shared = (*shared, basic_auth(asked["user"]))
    if asked["host"]:
        shared = (*shared, *parse_fields([f"Host: {asked['host']}"]))
    own = {name.lower() for name, _ in request.fields}
    fields = (*(pair for pair in shared if pair[0].lower() not in own), *request.fields)
    authority, path = place_of(request, target, asked)
    texts = (*asked["checks"], *request.checks)
    checks = tuple(parse_check(text) for text in texts)
    return RequestTemplate(request.method, path, authority, fields, request.body, request.weight, checks)


def place_of(request: AskedRequest, target: Target, asked: Asked) -> tuple[str, str]:
    """The authority and path of a request. Raises: ConfigError where it is of another server."""
    if "://" not in request.url:
        if not request.url.startswith("/"):
            raise ConfigError(f"request {request.url!r}: found no path; allowed: /PATH or a whole URL")
        return target.authority, request.url
    own = parse_url(request.url, target.addresses)
    if own.scheme != target.scheme:
        raise ConfigError(
            f"request {request.url!r}: found {own.scheme} beside {target.url}; allowed: one of both"
        )
    if own.authority != target.authority and not (asked["connect_to"] or asked["unix_socket"]):
        raise ConfigError(
            f"request {request.url!r}: a server other than {target.authority}; allowed: one for all, or all "
            "at --connect-to"
        )
    return own.authority, own.path
