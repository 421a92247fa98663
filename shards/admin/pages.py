"""What is answered at the admin address: a request head in, the octets of the answer out. Pure.

    /          the dashboard        /metrics   for Prometheus, or OpenMetrics where Accept asks for it
    /healthz   200: the supervisor answers
    /readyz    200 when every shard is served; else 503 that says what is not
    /status    what `gossamer status --json` prints
    /connections?worker=&peer=&order=&rows=    what `gossamer connections --json` prints
    /trace?worker=&peer=&port=&since=          points of one connection's time-sequence graph

Owns the paths. Nothing here changes anything, so there is GET alone. The last two are asked of the workers
first (`shards.admin.questions`).
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from gossamer.core.http.request import Refusal, Request
from gossamer.core.http.response import CLOSE, response_head
from gossamer.core.printable import printable
from gossamer.shards.admin.dashboard import dashboard, policy
from gossamer.shards.admin.metrics import OPENMETRICS, PROMETHEUS, expose, metrics_of
from gossamer.shards.configuration.admin_address import is_name_of_others
from gossamer.shards.rundir.control import ControlRequest
from gossamer.shards.seen.connectiontable import ROWS_DEFAULT, ConnectionsWanted
from gossamer.shards.seen.status import ServerStatus, what_is_not_ready
from gossamer.shards.seen.tapping import rows_name, trace_name

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"

QUESTIONS: Final = ("/connections", "/trace")
OWN_SITES: Final = ("none", "same-origin")
DIGITS_MAX: Final = 15

FIELDS: Final = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), CLOSE)


class AdminPage(msgspec.Struct, frozen=True):
    """An answer before it is octets."""

    status: int
    kind: str
    body: str
    fields: tuple[tuple[str, str], ...] = ()


class Question(msgspec.Struct, frozen=True):
    """What is asked of the workers."""

    request: ControlRequest
    since: int = 0
    """Of `trace`: the first point that is wanted."""


def answer_admin(
    request: Request | Refusal, status: Callable[[], ServerStatus], *, is_loopback: bool
) -> bytes:
    """The whole answer to a request that no worker is asked about."""
    page = refused(request, is_loopback=is_loopback)
    if page is None:
        assert isinstance(request, Request)
        page = find_page(request, status)
    return octets_of(page)


def octets_of(page: AdminPage) -> bytes:
    """An answer as it is sent."""
    body = page.body.encode()
    about = (("Content-Type", page.kind), ("Content-Length", str(len(body))))
    return response_head(page.status, (*about, *FIELDS, *page.fields)) + body


def refused(request: Request | Refusal, *, is_loopback: bool) -> AdminPage | None:
    """Why a request is not looked at; on loopback none is of a page of elsewhere."""
    if isinstance(request, Refusal):
        return AdminPage(request.status, TEXT, f"{request.reason}\n")
    if is_loopback and is_name_of_others(request.host):
        return AdminPage(403, TEXT, "Host: allowed are an IP address and localhost\n")
    if request.method != "GET":
        return AdminPage(405, TEXT, "allowed: GET\n", (("Allow", "GET"),))
    # Such a page cannot read an answer, but it could have the workers busied. Fetch metadata, 2.2.
    if path_of(request) in QUESTIONS and (request.field("sec-fetch-site") or "none") not in OWN_SITES:
        return AdminPage(403, TEXT, "Sec-Fetch-Site: asked by a page of elsewhere\n")
    return None


def path_of(request: Request) -> str:
    """Which of the paths it is about."""
    return request.target.partition("?")[0]


def question_of(request: Request | Refusal, *, is_loopback: bool) -> Question | None:
    """What the workers are to be asked; None where `answer_admin` has the answer."""
    if refused(request, is_loopback=is_loopback) is not None:
        return None
    assert isinstance(request, Request)
    if path_of(request) not in QUESTIONS:
        return None
    try:
        return read_question(request)
    except ValueError:
        return None  # It is answered with why.


def read_question(request: Request) -> Question:
    """The question in a target. Raises: ValueError."""
    path, _, query = request.target.partition("?")
    fields = dict(parse_qsl(query, strict_parsing=bool(query), max_num_fields=8))
    worker = whole(fields, "worker") if fields.get("worker") else None
    if path == "/trace":
        asked = ControlRequest("trace", worker, fields.get("peer", ""), whole(fields, "port"))
        if worker is None:
            raise ValueError("worker: found none; allowed: its number")
        trace_name(worker, asked.peer, asked.port)
        return Question(asked, whole(fields, "since") if "since" in fields else 0)
    wanted = {
        "order": fields.get("order", "bytes"),
        "rows_max": whole(fields, "rows") if "rows" in fields else ROWS_DEFAULT,
        "peer": fields.get("peer", ""),
    }
    try:
        asked = msgspec.convert({"command": "connections", "worker": worker, **wanted}, ControlRequest)
    except msgspec.ValidationError as error:  # of an old msgspec it is no ValueError
        raise ValueError(str(error)) from error
    rows_name(0, ConnectionsWanted(asked.order, asked.rows_max, asked.peer))
    return Question(asked)


def whole(fields: dict[str, str], name: str) -> int:
    """A number of a query. Raises: ValueError."""
    text = fields.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        raise ValueError(f"{name}: found {text[:80]!r}; allowed: a number")
    return int(text)


def find_page(request: Request, status: Callable[[], ServerStatus]) -> AdminPage:
    """What a GET is answered."""
    match path_of(request):
        case "/":
            return AdminPage(200, HTML, dashboard(), (("Content-Security-Policy", policy()),))
        case "/healthz":
            return AdminPage(200, TEXT, "ok\n")
        case "/readyz":
            trouble = what_is_not_ready(status())
            return AdminPage(503, TEXT, f"{trouble}\n") if trouble else AdminPage(200, TEXT, "ready\n")
        case "/status":
            return AdminPage(200, JSON, msgspec.json.encode(status()).decode() + "\n")
        case "/metrics":
            is_openmetrics = "application/openmetrics-text" in (request.field("accept") or "").lower()
            kind = OPENMETRICS if is_openmetrics else PROMETHEUS
            return AdminPage(200, kind, expose(metrics_of(status()), is_openmetrics=is_openmetrics))
        case "/connections" | "/trace":
            return AdminPage(400, TEXT, f"{_why_unread(request)}\n")
    paths = "/, /metrics, /status, /connections, /trace, /healthz and /readyz"
    return AdminPage(404, TEXT, f"there are {paths}\n")


def _why_unread(request: Request) -> str:
    """What is wrong with a question."""
    try:
        read_question(request)
    except ValueError as error:
        return printable(str(error)).replace("\n", " ")
    return "nobody is there to be asked"
