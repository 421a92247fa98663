"""What is answered at the admin address: a request head in, the octets of the answer out. Pure.

    /          the dashboard        /metrics   for Prometheus, or OpenMetrics where Accept asks for it
    /healthz   200: the supervisor answers
    /readyz    200 when every shard is served; else 503 that says what is not
    /status    what `gossamer status --json` prints

Owns the paths. Nothing here changes anything, so there is GET alone.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from gossamer.core.http.request import Refusal, Request
from gossamer.core.http.response import CLOSE, response_head
from gossamer.shards.admin.address import is_name_of_others
from gossamer.shards.admin.dashboard import dashboard, policy
from gossamer.shards.admin.metrics import OPENMETRICS, PROMETHEUS, expose, metrics_of
from gossamer.shards.status import ServerStatus, what_is_not_ready

TEXT: Final = "text/plain; charset=utf-8"
JSON: Final = "application/json"
HTML: Final = "text/html; charset=utf-8"

FIELDS: Final = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), CLOSE)


class AdminPage(msgspec.Struct, frozen=True):
    """An answer before it is octets."""

    status: int
    kind: str
    body: str
    fields: tuple[tuple[str, str], ...] = ()


def answer_admin(
    request: Request | Refusal, status: Callable[[], ServerStatus], *, is_loopback: bool
) -> bytes:
    """The whole answer to a request; on loopback none to a page of elsewhere."""
    if isinstance(request, Refusal):
        page = AdminPage(request.status, TEXT, f"{request.reason}\n")
    elif is_loopback and is_name_of_others(request.host):
        page = AdminPage(403, TEXT, "Host: allowed are an IP address and localhost\n")
    elif request.method != "GET":
        page = AdminPage(405, TEXT, "allowed: GET\n", (("Allow", "GET"),))
    else:
        page = find_page(request, status)
    body = page.body.encode()
    about = (("Content-Type", page.kind), ("Content-Length", str(len(body))))
    return response_head(page.status, (*about, *FIELDS, *page.fields)) + body


def find_page(request: Request, status: Callable[[], ServerStatus]) -> AdminPage:
    """What a GET is answered."""
    match request.target.partition("?")[0]:
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
    return AdminPage(404, TEXT, "there are /, /metrics, /status, /healthz and /readyz\n")
