"""The configuration: its sections, keys, defaults and what each value may be.

Owns the shape alone. How values come together is in `settings`, what becomes of them in `shards.plan.plan`. A
field that ends in `_us` is a duration and one in `_bytes` a size; both may be written with a unit ("30s",
"64KiB"), a duration then without the `_us`. What [tcp] allows stands beside each parameter, in
`core.tcp.parameters`.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from gossamer.core.clock import NEVER_US
from gossamer.core.http.forwarded import networks_of
from gossamer.core.loop.disk.spin import SPIN_US
from gossamer.core.loop.pool import THREADS, THREADS_MAX
from gossamer.core.tcp.parameters import Bounds, TcpParameters
from gossamer.core.tls.terms import CIPHERS, HTTP_1, TICKETS, Asks, Version
from gossamer.core.wire.cutting import SUPER_SEGMENT_BYTES_MAX
from gossamer.shards.configuration.admin_address import parse_admin_address
from gossamer.shards.log.logs import LogFormat
from gossamer.shards.web.application_name import Wanted, is_application_name
from gossamer.shards.web.log_layout import layout_of
from gossamer.shards.web.options import SITES_MAX, HostName, WebOptions, check

WORKERS_MAX = 64

Port = Annotated[int, Meta(ge=0, le=65535)]
Queue = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]
WorkerCount = Annotated[int, Meta(ge=1, le=WORKERS_MAX)]
Stack = Literal["auto", "kernel", "nfqueue"]
PemFiles = Annotated[list[str], Meta(min_length=1, max_length=2)]
ProtocolName = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,255}\Z")]


class ServerConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """[server]: what is served, where, by how many, as whom."""

    target: str = "www"
    """A folder, or "module:attribute" naming a handler or an application."""
    host: str = "127.0.0.1"
    port: Port = 8080
    """0 lets the kernel choose one."""
    uds: str = ""
    """The path of a Unix socket to listen on instead of a port."""
    fd: Annotated[int, Meta(ge=-1, le=2**31 - 1)] = -1
    """The number of a listening socket that the server was started with, to serve instead of a port; -1 is
    none."""
    workers: WorkerCount | Literal["auto"] = "auto"
    """"auto" is one for each CPU that this process may use and has time for, or PYTHON_CPU_COUNT."""
    stack: Stack = "auto"
    user: str = "auto"
    """Whom workers become when the server was started by root; "auto" is nobody, where that is possible."""
    seccomp: bool = True
    """Whether system calls that no worker makes are refused to it, and to the programs that it starts."""
    run_dir: str = ""
    """Where state file and control socket live; "" is a folder named after the port, under /run or
    XDG_RUNTIME_DIR.
    """
    pin_cpus: bool = True
    """Each worker stays on one CPU, as long as there is one for each."""
    backlog: Annotated[int, Meta(ge=1, le=65535)] = 1024
    """Connections that wait to be accepted on a kernel socket; the functional TCP has tcp.accept_backlog."""
    limit_concurrency: Positive = 10_000
    """Connections a worker has open at most; beyond it the next ones wait in the backlog."""
    limit_connections_per_address: NotNegative = 0
    """Connections that a client has open at a worker at most: an IPv4 address, or a /64 of IPv6; beyond it
    the next ones are reset. 0 is no limit."""
    limit_descriptors: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    """Descriptors that a worker has open at most; 0 is all that the system grants."""
    limit_memory_bytes: NotNegative = 0
    """What a worker allocates at most; 0 is no limit."""
    limit_buffers_bytes: NotNegative = 0
    """What connections of all workers hold in buffers of the functional TCP at most, each worker its part of
    it, and none more than tcp.memory_bytes; 0 leaves it to that."""
    timeout_graceful_shutdown_us: NotNegative = 10_000_000
    disk_spin_us: Annotated[int, Meta(ge=0, le=100_000)] = SPIN_US
    """How long a worker stays awake for a read of the disk, instead of sleeping until it is done."""

    def __post_init__(self) -> None:
        if self.uds and self.fd >= 0:
            raise ValueError(f"uds: found {self.uds!r} beside fd = {self.fd}; allowed: one of both")

    @property
    def is_given(self) -> bool:
        """Whether no port is listened on, but a socket by its path, or one that we were started with."""
        return bool(self.uds) or self.fd >= 0


class ApplicationConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """[application]: how a TARGET that is module:attribute is called."""

    interface: Wanted = "auto"
    """What it is: "native", "asgi" or "wsgi"; "auto" tells them by the arguments that it takes."""
    factory: bool = False
    """Whether it is a function without arguments, which makes the application."""
    root_path: Annotated[str, Meta(pattern=r"^(?:(?:/[^/\x00-\x20?#]+)+)?\Z")] = ""
    """Where the application stands, which a proxy has taken off each path."""
    lifespan: Literal["auto", "on", "off"] = "auto"
    """Whether an ASGI application is told of start and end: "auto" serves one that does not know of it."""
    limit_max_requests: NotNegative = 0
    """After so many requests a worker of an application is replaced; 0 is never."""
    limit_max_requests_jitter: NotNegative = 0
    """And up to so many more, by chance: so not all workers are at once."""
    timeout_request_us: NotNegative = 0
    """How long an application may neither say anything to a request nor wait for its client; then it is 504,
    or the response is cut. 0 is for ever."""
    reload: bool = False
    """Whether the server is reloaded whenever a source in `reload_dirs` has changed."""
    reload_dirs: Annotated[list[str], Meta(min_length=1, max_length=16)] = field(
        default_factory=lambda: ["."]
    )
    threads: Annotated[int, Meta(ge=1, le=THREADS_MAX)] = THREADS
    """Calls of a WSGI application that run at once in a worker, each in an operating-system thread."""
    connect_on_stack: list[str] = field(default_factory=list)
    """Addresses and networks to which connections of ASGI applications are opened by the functional TCP,
    where that is the server's; all others are the kernel's."""

    def __post_init__(self) -> None:
        check("connect_on_stack", networks_of, self.connect_on_stack)


class MountConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """[[mount]], as often as wanted: what else is served, at a path of its own."""

    path: Annotated[str, Meta(pattern=r"^(?:/[^/\x00-\x20?#%]+)+\Z")]
    target: str
    """As server.target."""

    @property
    def is_folder(self) -> bool:
        """Whether its target is one: told by the name alone, so that every process says the same."""
        return not is_application_name(self.target)


class NfqueueConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """[nfqueue]: how the packets of the functional TCP come in."""

    backend: Literal["netlink", "netfilterqueue"] = "netlink"
    output: Literal["auto", "raw", "frames"] = "auto"
    """How segments leave: as packets through the host's own filter and NAT; or, where many go together, as
    frames that the device cuts, and that OUTPUT, NAT and IPsec do not see; or so only where none stands."""
    queue_first: Queue = 100
    """Free queue numbers are taken from here on."""
    queue_last: Queue = 65535
    queues: Annotated[int, Meta(ge=0, le=256)] = 0
    """How many the flows are split to, a power of two: a worker has several, and workers that come and go
    take and leave whole queues. 0 is four for each worker that there may be: one for each CPU, or more if
    more are wanted at the start."""
    queue_length_max: Annotated[int, Meta(ge=16, le=1_000_000)] = 8192
    """Packets that wait in the kernel in one queue; beyond it they are dropped and counted."""
    handshake_queue_length_max: Annotated[int, Meta(ge=16, le=1_000_000)] = 2048
    """The same of SYNs, which have a queue of their own beside each: a flood of them fills that alone."""
    active_port_first: Annotated[int, Meta(ge=1024, le=65535)] = 61000
    active_port_last: Annotated[int, Meta(ge=1024, le=65535)] = 65535
    active_ports_per_worker: NotNegative = 0
    """Local ports for connections that a worker itself opens; 0 when it opens none."""


class LogConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """[log]"""

    level: Literal["critical", "error", "warning", "info", "debug"] = "info"
    format: LogFormat = "text"
    """Of the lines on standard error: "text" for people, "json" for programs."""
    access_log: bool = False
    access_log_file: str = ""
    """A file, "fd:3" for a descriptor that the server was started with, "" for standard output."""
    access_log_format: str = "common"
    """"common", "combined", "json", or a line with names in braces."""

    def __post_init__(self) -> None:
        check("access_log_format", layout_of, self.access_log_format)


class SupervisorConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """[supervisor]: how workers are watched."""

    heartbeat_timeout_us: Annotated[int, Meta(ge=1_000_000)] = 10_000_000
    """A worker whose heart has not beaten for so long is killed and replaced."""
    start_timeout_us: Annotated[int, Meta(ge=1_000_000)] = 30_000_000
    """A worker that does not serve so long after its start is killed and replaced."""
    restart_intensity: NotNegative = 10
    """More deaths than this within `restart_period` and the server gives up."""
    restart_period_us: Annotated[int, Meta(ge=1_000_000)] = 60_000_000
    survive_crash: bool = False
    """Whether connections of the functional TCP live on when their worker is killed, where the handler is one
    that can go on in another process."""


class AdminConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """[admin]: what monitoring and people see of the running server."""

    address: str = ""
    """Where: "unix" is admin.sock in the run directory, "127.0.0.1:9100" TCP, "" nowhere."""

    def __post_init__(self) -> None:
        check("address", parse_admin_address, self.address)


class TlsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """[tls]: certificates; without one the server speaks plain."""

    certfile: str = ""
    """A PEM file: the certificate, and those up to its authority."""
    keyfile: str = ""
    """The PEM file of its key; "" where the key stands in the same file."""
    certificates: Annotated[dict[HostName, PemFiles], Meta(max_length=SITES_MAX)] = {}
    """By host, the files of another certificate and its key; "*." in front is every host beneath it."""
    ca_certs: str = ""
    """A PEM file of authorities whose certificates of clients are taken."""
    cert_reqs: Asks = "none"
    """Whether clients must show one."""
    version_min: Version = "1.2"
    ciphers: str = CIPHERS
    """Of TLS 1.2, by OpenSSL's names."""
    alpn: Annotated[list[ProtocolName], Meta(max_length=16)] = field(default_factory=lambda: [HTTP_1])
    """What is spoken here (ALPN); the first that a client wants is taken."""
    session_tickets: Annotated[int, Meta(ge=0, le=16)] = TICKETS
    """With how many tickets a client may come back without a signature; 0: with none."""
    handshake_timeout_us: Annotated[int, Meta(ge=1_000)] = 10_000_000

    def __post_init__(self) -> None:
        for key in ("keyfile", "certificates", "ca_certs"):
            if getattr(self, key) and not self.certfile:
                raise ValueError(f"{key}: found without certfile; allowed: beside it")
        if self.cert_reqs != "none" and not self.ca_certs:
            raise ValueError(f"cert_reqs: found {self.cert_reqs!r} without ca_certs; allowed: beside it")
        if self.ca_certs and self.cert_reqs == "none":
            raise ValueError(
                "ca_certs: found beside cert_reqs = 'none', so that nobody were asked; "
                "allowed: beside 'optional' or 'required'"
            )

    @property
    def is_on(self) -> bool:
        """Whether connections speak TLS."""
        return bool(self.certfile)


class ServerTcp(TcpParameters, frozen=True, gc=False, forbid_unknown_fields=True, cache_hash=True):
    """[tcp]: the parameters, with super-segments, which the sink of a server cuts, and idle connections
    parked."""

    park_after_us: Annotated[int, Bounds(100_000, NEVER_US)] = 10_000_000
    super_segment_bytes: Annotated[int, Bounds(0, SUPER_SEGMENT_BYTES_MAX)] = SUPER_SEGMENT_BYTES_MAX


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration."""

    server: ServerConfig = field(default_factory=ServerConfig)
    application: ApplicationConfig = field(default_factory=ApplicationConfig)
    nfqueue: NfqueueConfig = field(default_factory=NfqueueConfig)
    tcp: ServerTcp = field(default_factory=ServerTcp)
    web: WebOptions = field(default_factory=WebOptions)
    tls: TlsConfig = field(default_factory=TlsConfig)
    log: LogConfig = field(default_factory=LogConfig)
    supervisor: SupervisorConfig = field(default_factory=SupervisorConfig)
    admin: AdminConfig = field(default_factory=AdminConfig)
    mount: tuple[MountConfig, ...] = ()


MOUNT: Final = "mount"
"""The one that is no section, but a list of tables."""

KEYLESS: Final = frozenset({"deviations"})
"""Fields of [tcp] that are no keys: habits of other systems, for scripts alone (`core.tcp.deviations`)."""

SECTIONS: dict[str, type[msgspec.Struct]] = {
    entry.name: entry.type for entry in msgspec.structs.fields(Config) if entry.name != MOUNT
}


def fields_of(section: str) -> tuple[str, ...]:
    """The fields of a section that a configuration may set."""
    return tuple(name for name in SECTIONS[section].__struct_fields__ if name not in KEYLESS)
