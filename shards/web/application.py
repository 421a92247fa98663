"""What a TARGET `module:attribute` is: a native application, found by its name.

    async def handler(stream: Stream) -> None: ...

One thread runs it for every connection, on either stack. The stream is closed when it returns. What it raises
is logged and counted (`thread_errors_total`), but for what the stream says of a peer that has left or is
silent; a limit that it set itself with `fail_after` is one line of the log. When the server drains, a blocked
recv raises `gossamer.core.errors.Draining`: finish the request at hand, then close. With `save` and `restore`
(`shards.handler_state`) connections go to the new worker before that.

Owns the loading and its errors; it never knows what a handler does.
"""

import importlib
import inspect
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from gossamer.core.errors import GossamerError, what_failed
from gossamer.core.io.stream import Stream
from gossamer.shards.web.application_name import is_application_name

Handler = Callable[[Stream], Coroutine[Any, Any, None]]

EXPECTED = "an async function (or an object whose __call__ is one) of one argument, the stream"


class ApplicationError(GossamerError):
    """The TARGET names no application; the message is one line: what was found, and what is expected."""


def load_application(target: str) -> Handler:
    """The handler that `module:attribute` names. Raises: ApplicationError."""
    if not is_application_name(target):
        raise ApplicationError(f"TARGET {target!r}: expected module:attribute, as in mysite.app:handler")
    module_name, _, attribute_name = target.partition(":")
    found = find_attribute(import_module(module_name), attribute_name, target)
    if not is_handler(found):
        raise ApplicationError(f"TARGET {target!r} is {describe(found)}; expected {EXPECTED}")
    handler: Handler = found
    return handler


def import_module(name: str) -> Any:
    """The module. Raises: ApplicationError, also for whatever the module raises while it is imported."""
    try:
        return importlib.import_module(name)
    except SystemExit as error:
        raise ApplicationError(
            f"module {name!r} ends the program while it is imported (exit code {error.code!r})"
        ) from error
    except Exception as error:
        what = f"{type(error).__name__}: {' '.join(what_failed(error).split())}"
        raise ApplicationError(f"module {name!r} cannot be imported: {what}{place_of(error)}") from error


def place_of(error: Exception) -> str:
    """File and line where the import of a module failed; "" where no module's code had a part in it."""
    if isinstance(error, SyntaxError):
        # Its own text names the file, without the folder, and the line.
        return f" ({error.filename}, line {error.lineno})"
    for entry in reversed(traceback.extract_tb(error.__traceback__)):
        if entry.filename not in (__file__, importlib.__file__) and entry.filename[0] != "<":
            return f" ({entry.filename}, line {entry.lineno})"
    return ""


def find_attribute(module: Any, dotted: str, target: str) -> Any:
    """The attribute, perhaps of an attribute. Raises: ApplicationError, with what there is instead."""
    found = module
    for name in dotted.split("."):
        if not hasattr(found, name):
            offered = [key for key, value in vars(module).items() if is_handler(value) and key[0] != "_"]
            hint = f"; it has {', '.join(sorted(offered)[:5])}" if offered else ""
            raise ApplicationError(f"TARGET {target!r}: module {module.__name__!r} has no {dotted!r}{hint}")
        found = getattr(found, name)
    return found


def is_handler(found: Any) -> bool:
    """Whether it can be called with one stream and gives a coroutine."""
    # The method itself is asked for, not whether there is one: that is why B004 does not apply.
    is_function = inspect.isroutine(found) or isinstance(found, partial)
    function = found if is_function else getattr(found, "__call__", None)  # noqa: B004 (see above)
    if inspect.isclass(found) or not inspect.iscoroutinefunction(function):
        return False
    try:
        inspect.signature(found).bind(None)
    except TypeError:
        return False
    return True


def describe(found: Any) -> str:
    """What was found, in a few words."""
    if inspect.isclass(found):
        return f"a class ({found.__name__})"
    if inspect.iscoroutinefunction(found):
        return f"an async function of other arguments {inspect.signature(found)}"
    if inspect.isroutine(found):
        return "a function that is not async"
    return f"a {type(found).__name__}"
