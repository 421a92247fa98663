"""What a worker serves: a folder, a handler of the user's, or an application by ASGI or WSGI.

A handler that also opens connections is an object with a method `connect_with(connector)`, called once at
the worker's start, beside its async `__call__(stream)`. One that makes system calls of its own has a method
`loops()`, which returns the event loops that take them. One whose connections outlive the worker has `save`
and `restore` (`shards.handler_state`).

Owns the choice between them. Both end up as one record of functions, so the worker's threads know no
difference.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final, Protocol

import msgspec

from gossamer.core.clock import monotonic_us
from gossamer.core.entropy import Entropy, system_entropy
from gossamer.core.http.forwarded import networks_of
from gossamer.core.io.serve import guarded
from gossamer.core.io.stream import Connector, Stream
from gossamer.core.loop.continuing import Continuing
from gossamer.core.loop.streamcall import Idle
from gossamer.core.threads.eventloop import EventLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.announcing import Announcing
from gossamer.shards.config import ApplicationConfig
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.handler_state import continuing_of
from gossamer.shards.stack import Stack, Statistics
from gossamer.shards.web.access_log import AccessLog, Write
from gossamer.shards.web.application import ApplicationError, load_application
from gossamer.shards.web.http_site import HttpSite
from gossamer.shards.web.log_layout import Where, layout_of
from gossamer.shards.web.options import UNIX_PROXIES, proxies_of
from gossamer.shards.web.passwords import PasswordFileError
from gossamer.shards.web.site import StaticSite
from gossamer.shards.workerplan import NO_DESCRIPTOR, WorkerPlan

Serve = Callable[[Stream], Coroutine[Any, Any, None]]

NOTHING: Final[dict[str, int]] = {}


def nothing() -> None:
    """What an application does that has nothing to do."""


class Application(msgspec.Struct, frozen=True):
    """What to do with a connection, at each heartbeat, and at the server's end."""

    serve: Serve
    statistics: Statistics = lambda: NOTHING
    begin_end: Callable[[], None] = nothing
    """Has every answer from now on say that its connection is closed after it."""
    drain: Callable[[], None] = nothing
    at_heartbeat: Callable[[], None] = nothing
    start: Callable[[], Awaitable[None]] | None = None
    """What is to be done before anything is served, once the loops are there; raises ConfigError,
    CannotStartError."""
    finish: Callable[[int], Awaitable[None]] | None = None
    """What is to be done once nothing is served any more, by a time of the monotonic clock."""
    ends_by_itself: bool = False
    """Whether each connection has timeouts that end it, so that what it is about need not be cut."""
    isolates: bool = False
    """Whether each connection has context variables of its own, as a user's handler expects."""
    connect_with: Callable[[Connector], None] | None = None
    """Takes what opens connections on the worker's stack; None where the application opens none."""
    forget: Callable[[], None] = nothing
    """The folder is another: nothing that is kept of it may be answered any more."""
    idle: Idle | None = None
    """How it waits for the next request on a connection, where another thread, of another worker too, can go
    on with it; None where each connection is its handler's until that returns."""
    continuing: Continuing | None = None
    """How another worker goes on with what a thread was in the midst of; None where that cannot be said."""
    loops: Callable[[], Iterable[EventLoop]] = tuple
    """Makes the loops that take the application's own system calls."""


def _static_site(plan: WorkerPlan, write: Write) -> Application:
    options, root = plan.config.web, plan.descriptors.root
    access_log = _access_log(plan, write) if plan.config.log.access_log else None
    sites = dict(zip(options.sites, plan.descriptors.sites, strict=True))
    site = StaticSite(root, options, sites=sites, access_log=access_log)
    return Application(
        site.serve,
        site.statistics,
        site.begin_end,
        site.drain,
        at_heartbeat=nothing if access_log is None else access_log.flush,
        forget=site.forget,
        ends_by_itself=True,
        idle=site.idle,
        continuing=site.continuing,
        loops=lambda: (site.times,),
    )


def _access_log(plan: WorkerPlan, write: Write) -> AccessLog:
    options = plan.config.web
    trusted, field = networks_of(options.trusted_proxies), options.client_field.lower()
    scheme = "https" if plan.config.tls.is_on else "http"
    where = Where(plan.shard.id, plan.stack, trusted, field, scheme)
    return AccessLog(write, layout=layout_of(plan.config.log.access_log_format), where=where)


def open_application(plan: WorkerPlan, write: Write) -> Application:
    """The application of a configuration; a folder has a descriptor already, and its access log goes to
    `write`. Raises: ConfigError.
    """
    application = _encrypted(_bare_application(plan, write), plan)
    options = plan.config.web
    if not options.proxy_protocol:
        return application
    announcing = Announcing(
        application.serve,
        proxies_of(options.proxy_protocol),
        options.head_timeout_us,
        monotonic_us,
        with_unix=UNIX_PROXIES in options.proxy_protocol,
    )
    return msgspec.structs.replace(
        application,
        serve=announcing.serve,
        statistics=lambda: {**application.statistics(), **announcing.statistics()},
    )


def _encrypted(application: Application, plan: WorkerPlan) -> Application:
    """The same behind TLS, where there are certificates. Raises: ConfigError."""
    if plan.certificates is None:
        return application
    # OpenSSL takes a good part of a start, and is of use to TLS alone.
    from gossamer.shards.certificates import context_of
    from gossamer.shards.encrypting import Encrypting

    context, timeout_us = context_of(plan.certificates), plan.certificates.handshake_timeout_us
    encrypting = Encrypting(application.serve, context, timeout_us, monotonic_us)
    return msgspec.structs.replace(
        application,
        serve=encrypting.serve,
        statistics=lambda: {**application.statistics(), **encrypting.statistics()},
        # OpenSSL's state of a connection goes to no other process.
        idle=None,
        continuing=None,
    )


def _bare_application(plan: WorkerPlan, write: Write) -> Application:
    """The same, for connections that need no announcing. Raises: ConfigError."""
    if plan.descriptors.root != NO_DESCRIPTOR:
        try:
            return _static_site(plan, write)
        except PasswordFileError as error:  # It has changed since the supervisor read it.
            raise ConfigError(f"web.auth: {error}") from error
    config = plan.config
    try:
        found = load_application(
            config.server.target, config.application.interface, is_factory=config.application.factory
        )
    except ApplicationError as error:
        raise ConfigError(str(error)) from error
    if found.interface == "native":
        return _native(found.call)
    if found.interface == "asgi":
        return _asgi(found.call, plan, _access_log(plan, write) if config.log.access_log else None)
    return _wsgi(found.call, plan, _access_log(plan, write) if config.log.access_log else None)


def _asgi(call: Callable[..., Any], plan: WorkerPlan, access_log: AccessLog | None) -> Application:
    """An ASGI 3 application."""
    # asyncio takes a good part of a start, and is of use to such applications alone.
    from gossamer.shards.asgi.site import AsgiOptions, AsgiSite

    own, server = plan.config.application, plan.config.server
    options = AsgiOptions(
        own.root_path,
        own.lifespan,
        server.limit_concurrency,
        server.timeout_graceful_shutdown_us,
        _requests_max(own, system_entropy),
    )
    site = AsgiSite(call, plan.config.web, options, access_log=access_log)
    return Application(
        site.serve,
        site.statistics,
        site.begin_end,
        site.drain,
        at_heartbeat=nothing if access_log is None else access_log.flush,
        start=site.start,
        finish=site.finish,
        loops=lambda: (site.guest,),
    )


def _requests_max(own: ApplicationConfig, entropy: Entropy) -> int:
    """After how many requests this worker is to be replaced; 0 is never."""
    if not own.limit_max_requests:
        return 0
    return own.limit_max_requests + int.from_bytes(entropy(8), "big") % (own.limit_max_requests_jitter + 1)


def _wsgi(call: Callable[..., Any], plan: WorkerPlan, access_log: AccessLog | None) -> Application:
    """A WSGI application."""
    from gossamer.shards.wsgi.site import WsgiSite  # of use to such applications alone

    own = plan.config.application
    site = WsgiSite(
        *(call, plan.config.web),
        threads=own.threads,
        script_name=own.root_path,
        access_log=access_log,
    )
    return _of_site(site, at_heartbeat=nothing if access_log is None else access_log.flush)


class _ServingSite(Protocol):
    """What serves HTTP."""

    @property
    def serve(self) -> Serve: ...

    @property
    def statistics(self) -> Statistics: ...

    def begin_end(self) -> None: ...

    def drain(self) -> None: ...


def _of_site(site: _ServingSite, at_heartbeat: Callable[[], None] = nothing) -> Application:
    """What serves HTTP by itself, and can be told to come to an end."""
    return Application(
        site.serve, site.statistics, site.begin_end, site.drain, at_heartbeat=at_heartbeat, isolates=True
    )


def _native(handler: Callable[..., Any]) -> Application:
    """A native handler. Raises: ConfigError."""
    if isinstance(handler, HttpSite):
        site: Any = handler  # each of them serves, and tells its counters
        return _of_site(site)
    return Application(
        guarded(handler),
        isolates=True,
        continuing=continuing_of(handler),
        connect_with=getattr(handler, "connect_with", None),
        loops=getattr(handler, "loops", tuple),
    )


def give_connector(application: Application, stack: Stack) -> None:
    """Give an application that opens connections what it opens them with. Raises: ConfigError."""
    if application.connect_with is None:
        return
    if stack.connector is None:
        raise ConfigError(
            "nfqueue.active_ports_per_worker: found 0; "
            "allowed: at least 1, since the handler opens connections itself"
        )
    application.connect_with(stack.connector)


def add_loops(application: Application, scheduler: Scheduler) -> None:
    """Plug in the loops of the application's own system calls. Raises: ConfigError."""
    for loop in application.loops():
        try:
            scheduler.add_loop(loop)
        except ValueError as error:
            raise ConfigError(f"the handler's loops: {error}") from error
