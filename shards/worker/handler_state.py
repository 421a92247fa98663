"""Connections of a native handler that go on in another worker: what the handler itself saves and restores.

    class Handler:
        async def __call__(self, stream): ...             # a connection, from its beginning
        def save(self, stream): ...                       # what this connection is about now, or None
        async def restore(self, stream, value): ...       # a connection from there on

`save` is asked while the connection's one thread is blocked in a call on the stream, a `recv` or a `send`,
and in no cancel scope; what such a send has not sent yet goes along, and is sent before `restore` begins. It
may be asked often, so it changes nothing and does not wait. What it returns is made of None, numbers,
strings, bytes, lists and dicts; None alone means that the connection cannot go on elsewhere now. When it
moves, its thread is closed here: `finally` clauses run, and may not wait. `restore` may be of a later version
than the `save` whose value it gets.

Owns how these become the octets that move. It never knows what stands in them.
"""

import logging
from collections.abc import Coroutine
from typing import Any

import msgspec

from gossamer.core.io.serve import guarded
from gossamer.core.io.stream import Stream
from gossamer.core.loop.continuing import CannotGoOnError, Continuing, OpenNamed, Saved, Unsent
from gossamer.core.threads.names import name_of
from gossamer.shards.exitcode import ConfigError

log = logging.getLogger("gossamer.worker")


class HandlerState(msgspec.Struct, frozen=True, array_like=True):
    """What of a connection moves beside the connection itself."""

    unsent: bytes
    """What the blocked send has left."""
    value: Any
    """What the handler's `save` has returned."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(HandlerState)


def continuing_of(handler: Any) -> Continuing | None:
    """How a handler's connections go on elsewhere; None where it does not say. Raises: ConfigError where it
    says only half of it.
    """
    found = [name for name in ("save", "restore") if callable(getattr(handler, name, None))]
    if not found:
        return None
    if len(found) == 1:
        raise ConfigError(
            f"the handler {name_of(handler)} has {found[0]} alone: connections move with both save(stream) "
            "and restore(stream, value)"
        )
    states = HandlerStates(handler)
    return Continuing(states.save, states.restore, isolates=True)


class HandlerStates:
    """Asks a handler that has both."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self._has_failed = False
        """Whether that was said: it is asked again and again."""

    def save(self, stream: Stream, unsent: Unsent) -> Saved | None:
        """See `Continuing`. Where the handler fails its connection stays; the first time is logged."""
        if not isinstance(unsent, bytes):
            return None  # The rest of a file, which nobody else has.
        try:
            value = self._handler.save(stream)
            return None if value is None else Saved(_encoder.encode(HandlerState(unsent, value)))
        except Exception:
            if not self._has_failed:
                self._has_failed = True
                log.exception(
                    "%s.save failed for %r, which stays; more of them are not logged",
                    *(name_of(self._handler), stream),
                )
            return None

    def restore(self, stream: Stream, state: bytes, _open_named: OpenNamed) -> Coroutine[Any, Any, None]:
        """See `Continuing`. Raises: CannotGoOnError."""
        try:
            found = _decoder.decode(state)
        except msgspec.DecodeError as error:
            raise CannotGoOnError(f"what a handler saved cannot be read: {error}") from error

        async def goes_on(stream: Stream) -> None:
            if found.unsent:
                await stream.send(found.unsent)
            await self._handler.restore(stream, found.value)

        goes_on.__qualname__ = name_of(self._handler)
        return guarded(goes_on)(stream)
