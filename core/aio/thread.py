"""A native thread, as asyncio sees it: a future.

Owns how the end of a thread becomes that of a future, and how cancelling goes from one to the other.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any

from gossamer.core.threads.calls import Returning
from gossamer.core.threads.cancel import CancelScope


class ThreadFuture(asyncio.Future[Any]):
    """The future of a native thread, as a task is that of a coroutine.

    `cancel` cancels the thread's scope; the future is done when the thread has ended, its `finally` clauses
    included, and cancelled where nothing was left of the thread but that.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._scope = CancelScope()

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the thread; whether it has not ended before. `msg` has no meaning to it."""
        del msg
        if self.done():
            return False
        self._scope.cancel()
        return True

    async def run(self, awaitable: Awaitable[Any]) -> None:
        """The thread itself."""
        result = None
        try:
            with self._scope:
                result = await awaitable
        except (KeyboardInterrupt, GeneratorExit):
            raise  # the program ends, and nobody waits any more
        except Returning as end:
            self.set_result(end.value)
        except asyncio.CancelledError:
            super().cancel()
        except BaseException as error:  # noqa: BLE001 - raised in whoever awaits it, or logged by asyncio
            self.set_exception(error)
            del self  # the error's traceback leads to this frame
        else:
            if self._scope.cancelled_caught:
                super().cancel()
            else:
                self.set_result(result)
