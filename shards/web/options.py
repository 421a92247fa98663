"""The options of the web server: every limit and timeout with its default, unit and meaning.

Owns the [web] section of config.toml. It knows nothing of how they are read or obeyed.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, field

from gossamer.core.http.forwarded import Networks, networks_of
from gossamer.core.http.limits import MessageLimits
from gossamer.shards.web.caching import CachingRules
from gossamer.shards.web.cors import Cors
from gossamer.shards.web.hosts import HOST_NAME
from gossamer.shards.web.routes import redirects_of, rewrites_of

KIB = 1024
MIB = 1024 * KIB

Count = Annotated[int, Meta(ge=1)]
Microseconds = Annotated[int, Meta(ge=1_000)]
MediaType = Annotated[str, Meta(pattern=r"^[\x21-\x7e][\x20-\x7e]*\Z")]
Bytes = Annotated[int, Meta(ge=0)]
FieldName = Annotated[
    str,
    Meta(
        pattern=r"^(?!(?i:connection|content-length|content-range|content-encoding|content-type|date|etag|"
        r"keep-alive|last-modified|server|trailer|transfer-encoding|upgrade|vary)\Z)[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z"
    ),
]
"""A field that nothing else decides."""
FieldValue = Annotated[str, Meta(pattern=r"^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\Z")]
PathPrefix = Annotated[str, Meta(pattern=r"^/(?:[\x20\x21\x23-\x5b\x5d-\x7e]*/)?\Z")]
"""A folder: what else its files may be called is then within it."""
SITES_MAX = 64
"""Each takes a descriptor of every worker."""
HostName = Annotated[str, Meta(pattern=HOST_NAME)]
FileName = Annotated[str, Meta(pattern=r"^[^/\x00]+\Z")]
Name = Annotated[str, Meta(pattern=r"^(?:[^/\x00][^\x00]*)?\Z")]
ErrorStatus = Annotated[str, Meta(pattern=r"^[45][0-9][0-9]\Z")]
Pattern = Annotated[str, Meta(pattern=r"^[\x21-\x7e][\x20-\x7e]*\Z")]


def check(key: str, read: Callable[..., object], *values: Any) -> None:
    """Have a value read, as it will be where it is used. Raises: ValueError that names its key."""
    try:
        read(*values)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


UNIX_PROXIES: Final = "unix"
"""Among addresses: whoever comes by a Unix socket."""


def proxies_of(texts: list[str]) -> Networks:
    """The addresses and networks of a list in which UNIX_PROXIES may stand. Raises: ValueError."""
    return networks_of([text for text in texts if text != UNIX_PROXIES])


class WebOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the static site and the HTTP reader behave.

    Units: names ending _us are microseconds, _bytes bytes.
    """

    index_files: Annotated[list[FileName], Meta(max_length=16)] = field(
        default_factory=lambda: ["index.html"]
    )
    """Served for a folder: the first that is there."""
    clean_urls: bool = False
    """Whether /about is answered by about.html, and /about.html with the way to /about."""
    fallback: Name = ""
    """The file for whatever is not there and has no dot in its last name, for applications of one page."""
    error_pages: dict[ErrorStatus, Name] = {}
    """By status, the file that is the body of such an error."""
    redirects: dict[str, str] = {}
    """Path to where it leads, a status perhaps in front; a star is the rest of the path."""
    rewrites: dict[str, str] = {}
    """Path to the path that is looked up instead."""
    cors: list[str] = []
    """Origins that may read what is served; "*" is any."""
    sites: Annotated[dict[HostName, str], Meta(max_length=SITES_MAX)] = {}
    """By host, the folder that is served instead of the target; "*." in front is every host beneath it."""
    auth: dict[PathPrefix, str] = {}
    """By the path of a folder, the file of names and hashes of passwords that let see what is in it."""
    early_hints: dict[Pattern, list[FieldValue]] = {}
    """By pattern of a path, values of Link for a status 103 before a page, and for its answer."""
    autoindex: bool = False
    """Whether a folder without an index file is answered with a list of what is in it (else 403)."""
    autoindex_entries_max: Count = 2000
    """A longer list is cut, and says so."""
    symlinks: Literal["inside", "follow", "none"] = "inside"
    """Which symbolic links are followed: those that stay in the folder, all, or none."""
    hidden_files: bool = False
    """Whether names that begin with a dot are served (`.well-known` always is)."""
    media_types: dict[str, MediaType] = {}
    """Extension (with or without its dot, in lower case) to media type, over the built-in table."""
    fields: dict[FieldName, FieldValue] = {}
    """Fields of every response, such as Strict-Transport-Security."""
    cache_control: dict[Pattern, FieldValue] = {}
    """Cache-Control by pattern: the first that fits a file's name, or its path where it begins with a slash.
    """
    expires: dict[Pattern, str] = {}
    """By pattern, how long after its answer a copy expires: Expires, and max-age where Cache-Control says
    nothing.
    """
    immutable_hashed: bool = False
    """Whether a file that has a hash of its content in its name is said never to change."""
    precompressed: bool = False
    """Whether a file is answered by NAME.br, NAME.zst or NAME.gz beside it, where a client takes that."""
    compress: bool = False
    """Whether text is compressed for clients that take it; each state of a file once, kept in the cache."""
    compress_min_bytes: Bytes = 1 * KIB
    """Smaller files are not worth it."""
    trusted_proxies: list[str] = []
    """Addresses and networks of proxies whose word is taken for whom they heard."""
    client_field: Literal["X-Forwarded-For", "Forwarded"] = "X-Forwarded-For"
    """Where they say it: only one, for a client may send the other."""
    proxy_protocol: list[str] = []
    """Addresses and networks whose connections must begin with a header of the PROXY protocol; "unix" are
    those of a Unix socket."""
    http2: bool = False
    """Whether HTTP/2 is spoken with clients that begin with it, as curl does with --http2-prior-knowledge."""
    server: Annotated[str, Meta(pattern=r"^[\x20-\x7e]*\Z")] = "gossamer"
    """The Server field of every response; empty: none."""

    cache_bytes_max: Bytes = 64 * MIB
    """File bodies kept in memory, per worker."""
    cache_entries_max: Count = 4096
    """Files kept in memory, per worker."""
    cache_file_bytes_max: Bytes = 256 * KIB
    """Larger files are never kept in memory; they are streamed."""
    cache_fresh_us: Microseconds = 1_000_000
    """A kept file is compared with the disk (size, time, inode) at most this often."""
    direct_io: bool = False
    """Whether files are read past the kernel's page cache: for sites that fit no memory, beside other
    services.
    """
    hot_bytes_max: Bytes = 16 * MIB
    """Complete responses kept for one second by the bytes of their request, per worker."""

    head_timeout_us: Microseconds = 10_000_000
    """From the first byte of a request head to its last; then 408."""
    keep_alive_timeout_us: Microseconds = 75_000_000
    """A connection without a request is closed after this long."""
    write_timeout_us: Microseconds = 60_000_000
    """One send (of at most a response, or chunk_bytes of a large file) that takes longer ends the connection.
    """
    body_timeout_us: Microseconds = 30_000_000
    """The longest silence in the middle of a request body; then 408."""
    body_rate_min_bytes: Bytes = 128
    """Bytes a second that a request body must come with on average, after its first body_timeout_us; 0: any.
    """
    linger_timeout_us: Microseconds = 2_000_000
    """How long input is read and dropped after an error was answered, so that the answer is not lost to a
    reset.
    """
    linger_bytes_max: Bytes = 1 * MIB
    """And at most so much."""

    request_rate_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Requests a second that one address has answered by a worker, after request_burst_max at once; more are
    429. 0: any."""
    request_burst_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    """How many at once, if none came before."""
    request_line_bytes_max: Count = 8 * KIB
    """A longer request line is 414."""
    head_bytes_max: Count = 32 * KIB
    """A longer request head is 431."""
    headers_max: Count = 100
    """More header fields are 431."""
    body_discard_bytes_max: Bytes = 64 * KIB
    """A request body that nobody wants is read and dropped up to this size; a larger one is 413 and the end.
    """
    ranges_max: Count = 64
    """More ranges in one request get the whole file."""
    chunk_bytes: Annotated[int, Meta(ge=4096, le=256 * KIB)] = 256 * KIB
    """Large files are read and sent in pieces of this size (at most what one AIO buffer holds)."""
    pipeline_bytes_max: Count = 256 * KIB
    """Answers to pipelined requests are joined up to this size before they are sent."""

    def __post_init__(self) -> None:
        check("trusted_proxies", networks_of, self.trusted_proxies)
        check("proxy_protocol", proxies_of, self.proxy_protocol)
        check("redirects", redirects_of, self.redirects)
        check("rewrites", rewrites_of, self.rewrites)
        check("cors", Cors, self.cors)
        if self.cors and any(name.lower().startswith("access-control-") for name in self.fields):
            raise ValueError("fields: found Access-Control-... beside cors; allowed: one of both")
        check("expires", self.caching_rules)

    def caching_rules(self) -> CachingRules:
        """What is said to caches. Raises: ValueError."""
        return CachingRules(self.cache_control, self.expires, immutable_hashed=self.immutable_hashed)

    def message_limits(self) -> MessageLimits:
        """The part that the HTTP reader obeys."""
        return MessageLimits(
            request_line_bytes_max=self.request_line_bytes_max,
            head_bytes_max=self.head_bytes_max,
            headers_max=self.headers_max,
        )


DEFAULT_OPTIONS = WebOptions()
