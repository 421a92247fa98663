"""One call of a WSGI application, in an operating-system thread of the pool: from its environ to its `close`.

Owns the order in which PEP 3333 has a server do things with an application and what it returns. Everything
here may block; what is to be sent goes to the `Outbox`.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from gossamer.shards.wsgi.environ import Environ
from gossamer.shards.wsgi.file_wrapper import FilePiece, FileWrapper, piece_of, pieces_of
from gossamer.shards.wsgi.outbox import Outbox
from gossamer.shards.wsgi.response import StartResponse, Write, WsgiError, WsgiResponse

WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]


NOTHING: Final = b""


def run_application(
    application: WsgiApplication, environ: Environ, response: WsgiResponse, outbox: Outbox
) -> bytes:
    """Have the application answer; what is left to be sent, of an answer that was there at once. Raises: what
    it raises; WsgiError; BrokenOff.
    """

    def write(data: bytes) -> None:
        post(response.piece(data), outbox)

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Write:
        response.start(status, headers, exc_info)
        return write

    result = application(environ, start_response)
    try:
        return send_result(result, response, outbox)
    finally:
        # "If the iterable returned by the application has a close() method, the server or gateway must call
        # that method upon completion of the current request".
        if hasattr(result, "close"):
            result.close()


def send_result(result: Any, response: WsgiResponse, outbox: Outbox) -> bytes:
    """What an application has returned. A list has nothing to do once it is sent, so whoever waits for the
    call may send it.
    """
    file = piece_of(result.filelike) if isinstance(result, FileWrapper) and not response.is_begun else None
    if file is not None:
        send_file(file, response, outbox)
    elif type(result) in (list, tuple):
        return response.whole(joined(result))
    else:
        is_single = hasattr(result, "__len__") and len(result) == 1
        try:
            pieces = iter(result)
        except TypeError:
            raise WsgiError(
                f"returned: found {type(result).__name__}; allowed: an iterable of bytes"
            ) from None
        for piece in pieces:
            # "If the application does not supply a Content-Length header, and the length of the iterable is
            # 1, the server may use the length of the first string".
            post(response.whole(piece) if is_single else response.piece(piece), outbox)
            if response.is_begun and not response.wants_body:
                return NOTHING
        if not is_single:
            return response.end()
    return NOTHING


def joined(pieces: list[Any] | tuple[Any, ...]) -> bytes:
    """A body that is there at once. Raises: WsgiError."""
    for piece in pieces:
        if type(piece) is not bytes:
            raise WsgiError(f"the body: found {type(piece).__name__}; allowed: bytes")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def send_file(file: FilePiece, response: WsgiResponse, outbox: Outbox) -> None:
    """A file; it stays open until all of it is sent."""
    head, count = response.begin_file(file.length)
    outbox.post(head)
    for piece in pieces_of(FilePiece(file.fd, file.offset, count)):
        outbox.post(piece)
        response.skip(piece.length)


def post(data: bytes, outbox: Outbox) -> None:
    """Have bytes sent, where there are some."""
    if data:
        outbox.post(data)
