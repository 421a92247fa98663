"""What a worker serves, chosen: a folder, a handler of the user's, or an application by ASGI or WSGI.

A handler that also opens connections is an object with a method `connect_with(connector)`, called once at
the worker's start, beside its async `__call__(stream)`. One that makes system calls of its own has a method
`loops()`, which returns the event loops that take them. One whose connections outlive the worker has `save`
and `restore` (`shards.worker.handler_state`).

Owns the choice between them, at each place of the server. All end up as one record of functions
(`shards.worker.served`), so the worker's threads know no difference.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from gossamer.core.clock import monotonic_us
from gossamer.core.entropy import Entropy, system_entropy
from gossamer.core.http.forwarded import Networks, networks_of
from gossamer.core.io.serve import guarded
from gossamer.shards.configuration.config import ApplicationConfig
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR, WorkerPlan
from gossamer.shards.web.access_log import AccessLog, Write
from gossamer.shards.web.application import ApplicationError, load_application
from gossamer.shards.web.http_site import HttpSite, ResponseLog
from gossamer.shards.web.log_layout import Where, layout_of
from gossamer.shards.web.mounted_site import MountLog
from gossamer.shards.web.options import UNIX_PROXIES, proxies_of
from gossamer.shards.web.passwords import PasswordFileError
from gossamer.shards.web.site import StaticSite
from gossamer.shards.worker.announcing import Announcing
from gossamer.shards.worker.handler_state import continuing_of
from gossamer.shards.worker.served import Application, Serve, nothing
from gossamer.shards.worker.stack import Statistics

if TYPE_CHECKING:
    from gossamer.shards.asgi.tasks import ApplicationGuest


class Placed(NamedTuple):
    """What is served at one place of the server."""

    target: str
    path: str = ""
    """Where it is mounted; "" for the target's own place."""
    root: int = NO_DESCRIPTOR
    """A folder's."""


class Shared(NamedTuple):
    """What all places of a server have in common."""

    plan: WorkerPlan
    access_log: AccessLog | None
    guest: "Callable[[], ApplicationGuest]"
    """asyncio, which is made where the first ASGI application asks for it."""

    @property
    def at_heartbeat(self) -> Callable[[], None]:
        """What writes the lines of the access log."""
        return nothing if self.access_log is None else self.access_log.flush


def _guest(plan: WorkerPlan) -> "ApplicationGuest":
    # asyncio takes a good part of a start, and is of use to such applications alone.
    from gossamer.shards.asgi.tasks import ApplicationGuest

    return ApplicationGuest(_on_stack(plan))


def _on_stack(plan: WorkerPlan) -> Networks:
    """Where asyncio connects by the functional TCP."""
    return () if plan.stack == "kernel" else networks_of(plan.config.application.connect_on_stack)


def _static_site(shared: Shared, placed: Placed, log: ResponseLog | None) -> Application:
    options, descriptors = shared.plan.config.web, shared.plan.descriptors
    folders = () if placed.path else descriptors.sites[: len(options.sites)]
    sites = dict(zip(options.sites, folders, strict=False))
    site = StaticSite(placed.root, options, sites=sites, access_log=log, root_path=placed.path)
    return Application(
        site.serve,
        site.statistics,
        site.begin_end,
        site.drain,
        at_heartbeat=shared.at_heartbeat,
        forget=site.forget,
        ends_by_itself=True,
        idle=site.idle,
        continuing=site.continuing,
        loops=lambda: (site.times,),
        converse=site.burst,
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
    from gossamer.shards.opening.certificates import context_of
    from gossamer.shards.worker.encrypting import Encrypting

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
    config = plan.config
    access_log = _access_log(plan, write) if config.log.access_log else None
    shared = Shared(plan, access_log, cache(partial(_guest, plan)))
    target = Placed(config.server.target, root=plan.descriptors.root)
    if not config.mount:
        return _placed(shared, target)
    folders = iter(plan.descriptors.sites[-_folders_mounted(plan) :])
    mounts = {}
    for mount in config.mount:
        root = next(folders) if mount.is_folder else NO_DESCRIPTOR
        try:
            mounts[mount.path] = _placed(shared, Placed(mount.target, mount.path, root))
        except ConfigError as error:
            raise ConfigError(f"mount {mount.path}: {error}") from error
    from gossamer.shards.worker.mounting import mounted  # of use to such servers alone

    return mounted(_placed(shared, target), mounts, plan, access_log)


def _folders_mounted(plan: WorkerPlan) -> int:
    return sum(mount.is_folder for mount in plan.config.mount)


def _placed(shared: Shared, placed: Placed) -> Application:
    """What is served at one place. Raises: ConfigError."""
    plan, access_log = shared.plan, shared.access_log
    log = MountLog(access_log, placed.path) if access_log is not None and placed.path else access_log
    if placed.root != NO_DESCRIPTOR:
        try:
            return _static_site(shared, placed, log)
        except PasswordFileError as error:  # It has changed since the supervisor read it.
            raise ConfigError(f"web.auth: {error}") from error
    own = plan.config.application
    try:
        if placed.path:
            found = load_application(placed.target)
        else:
            found = load_application(placed.target, own.interface, is_factory=own.factory)
    except ApplicationError as error:
        raise ConfigError(str(error)) from error
    if found.interface == "native":
        if plan.config.web.http2 and not plan.config.mount:
            raise ConfigError(
                "web.http2: found true; allowed: false, since a native handler speaks for itself: "
                "say what in tls.alpn"
            )
        return _native(found.call)
    application = _asgi if found.interface == "asgi" else _wsgi
    return application(found.call, shared, placed.path, log)


def _asgi(call: Callable[..., Any], shared: Shared, path: str, log: ResponseLog | None) -> Application:
    """An ASGI 3 application."""
    from gossamer.shards.asgi.site import AsgiOptions, AsgiSite

    config = shared.plan.config
    own, server = config.application, config.server
    options = AsgiOptions(
        own.root_path + path,
        own.lifespan,
        server.limit_concurrency,
        server.timeout_graceful_shutdown_us,
        own.timeout_request_us,
        _requests_max(own, system_entropy),
    )
    site = AsgiSite(call, config.web, options, guest=shared.guest(), access_log=log)
    return Application(
        site.serve,
        site.statistics,
        site.begin_end,
        site.drain,
        at_heartbeat=shared.at_heartbeat,
        start=site.start,
        finish=site.finish,
        loops=lambda: (site.guest, site.times),
        connect_with=site.guest.connect_with if _on_stack(shared.plan) else None,
        converse=site.burst,
    )


def _requests_max(own: ApplicationConfig, entropy: Entropy) -> int:
    """After how many requests this worker is to be replaced; 0 is never."""
    if not own.limit_max_requests:
        return 0
    return own.limit_max_requests + int.from_bytes(entropy(8), "big") % (own.limit_max_requests_jitter + 1)


def _wsgi(call: Callable[..., Any], shared: Shared, path: str, log: ResponseLog | None) -> Application:
    """A WSGI application."""
    from gossamer.shards.wsgi.site import WsgiSite  # of use to such applications alone

    config = shared.plan.config
    own = config.application
    site = WsgiSite(
        *(call, config.web),
        threads=own.threads,
        script_name=own.root_path + path,
        timeout_us=own.timeout_request_us,
        requests_max=_requests_max(own, system_entropy),
        access_log=log,
    )
    application = _of_site(site, shared.at_heartbeat)
    return msgspec.structs.replace(application, converse=site.burst)


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
        *(site.serve, site.statistics, site.begin_end, site.drain),
        at_heartbeat=at_heartbeat,
        isolates=True,
        handle=site.serve,
    )


def _native(handler: Callable[..., Any]) -> Application:
    """A native handler. Raises: ConfigError."""
    if isinstance(handler, HttpSite):
        site: Any = handler  # each of them serves, and tells its counters
        return _of_site(site)
    return Application(
        guarded(handler),
        isolates=True,
        handle=handler,
        continuing=continuing_of(handler),
        connect_with=getattr(handler, "connect_with", None),
        loops=getattr(handler, "loops", tuple),
    )
