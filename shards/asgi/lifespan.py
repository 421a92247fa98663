"""The lifespan of an application: it starts before the first request, and is told to end after the last.

Owns the one task in which the application hears of both, and what it leaves in `state` for its requests. With
"auto" an application that raises before it has answered lifespan.startup is taken for one that knows no
lifespan, and is served; with "on" it is not; with "off" it is not asked. All of it runs in asyncio.

Source: ASGI 3.0, "Lifespan Protocol" 2.0.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

from gossamer.shards.asgi.messages import LIFESPAN_RULES, Answered, Message, Stage, next_stage, taken
from gossamer.shards.asgi.scope import lifespan_scope
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.web.failures import one_line

log = logging.getLogger("gossamer.asgi")

Mode = Literal["auto", "on", "off"]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[object]]

UNKNOWN: Final = (
    "the application raised before it answered lifespan.startup: taken for one without lifespan (%s)"
)


class LifespanError(CannotStartError):
    """The application did not start; one line says why."""


class Lifespan:
    """An application's beginning and end."""

    def __init__(self, app: App, mode: Mode = "auto") -> None:
        self._app = app
        self._mode = mode
        self._stage = Stage.STARTUP
        self._error = ""
        self._has_heard = False
        """Whether the application was told to start."""
        self._answered = asyncio.Event()
        self._is_to_end = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] | None = None
        """What the application has left there for its requests; None where it knows no lifespan."""

    async def start(self) -> None:
        """Have the application start, in a task of its own. Raises: LifespanError."""
        if self._mode == "off":
            return
        state: dict[str, Any] = {}
        self._task = asyncio.create_task(self._run(state), name="lifespan")
        await self._answered.wait()
        if self._error:
            raise LifespanError(self._error)
        if self._stage is Stage.RUNNING:
            self.state = state

    async def end(self) -> None:
        """Tell the application to end, and wait until it has; what goes wrong is logged."""
        if self._task is None or self._task.done():
            return
        self._answered.clear()
        self._stage = Stage.SHUTDOWN
        self._is_to_end.set()
        await self._answered.wait()
        if self._error:
            log.error("%s", self._error)

    async def _run(self, state: dict[str, Any]) -> None:
        try:
            await self._app(lifespan_scope(state), self._receive, self._send)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an application raises is one line
            self._failed(error)
        else:
            if self._stage is Stage.STARTUP and self._mode == "on":
                self._error = "the application returned before it answered lifespan.startup"
        finally:
            self._answered.set()

    def _failed(self, error: BaseException) -> None:
        """The application has raised."""
        if self._error:
            return  # it has said that it failed, and why
        if self._stage is Stage.STARTUP and self._mode == "auto":
            log.info(UNKNOWN, one_line(error))
            return
        when = {Stage.STARTUP: "at its start", Stage.SHUTDOWN: "at its end"}.get(self._stage)
        if when is None:
            log.error("the application failed in its lifespan: %s", one_line(error))
        else:
            self._error = f"the application failed {when}: {one_line(error)}"

    async def _receive(self) -> dict[str, Any]:
        if not self._has_heard:
            self._has_heard = True
            return {"type": "lifespan.startup"}
        await self._is_to_end.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        stage = self._stage
        part = taken(LIFESPAN_RULES, stage, message)
        assert isinstance(part, Answered)
        if part.error:
            what = "start" if stage is Stage.STARTUP else "end"
            self._error = f"the application says that it failed to {what}: {part.error}"
        self._stage = next_stage(stage, part)
        self._answered.set()
