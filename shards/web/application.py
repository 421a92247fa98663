"""What a TARGET `module:attribute` is: a native handler, an application by ASGI 3 or by WSGI, found by its
name.

    async def handler(stream: Stream) -> None: ...                     # native: a thread for each connection
    async def application(scope, receive, send) -> None: ...           # ASGI 3: a task for each request
    def application(environ, start_response) -> Iterable[bytes]: ...   # WSGI: a call for each request

Of a native handler, the stream is closed when it returns. What it raises is logged and counted
(`thread_errors_total`), but for what the stream says of a peer that has left or is silent; a limit that it
set itself with `fail_after` is one line of the log. When the server drains, a blocked recv raises
`gossamer.core.errors.Draining`: finish the request at hand, then close. With `save` and `restore`
(`shards.worker.handler_state`) connections go to the new worker before that.

Owns the loading, its errors, and how the three are told from each other: by the arguments they take, and
whether they are async. It never knows what an application does.
"""

import importlib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from gossamer.core.errors import GossamerError
from gossamer.shards.web.application_name import Interface, Wanted, is_application_name
from gossamer.shards.web.failures import one_line

OURS: Final = (__file__, importlib.__file__)
"""Of a failure that is told, frames that say nothing."""

EXPECTED: Final = (
    "an async function (or an object whose __call__ is one) of one argument, the stream, "
    "or of three, scope, receive and send (ASGI 3); or a plain one of two, environ and start_response (WSGI)"
)
ARGUMENTS: Final[dict[Interface, int]] = {"native": 1, "wsgi": 2, "asgi": 3}
WANTED_AS: Final[dict[Interface, str]] = {
    "native": "async, of one argument, the stream",
    "asgi": "of three arguments, scope, receive and send (ASGI 3)",
    "wsgi": "not async, of two arguments, environ and start_response (WSGI)",
}


class ApplicationError(GossamerError):
    """The TARGET names no application; the message is one line: what was found, and what is expected."""


class FoundApplication(NamedTuple):
    """What a TARGET names."""

    interface: Interface
    call: Callable[..., Any]


def load_application(target: str, wanted: Wanted = "auto", *, is_factory: bool = False) -> FoundApplication:
    """The application that `module:attribute` names, or that the function of that name makes. Raises:
    ApplicationError.
    """
    if not is_application_name(target):
        raise ApplicationError(f"TARGET {target!r}: expected module:attribute, as in mysite.app:handler")
    module_name, _, attribute_name = target.partition(":")
    found = find_attribute(import_module(module_name), attribute_name, target)
    if is_factory:
        found = made_by(found, target)
    return FoundApplication(interface_of(found, wanted, target), found)


def made_by(factory: Any, target: str) -> Any:
    """What a factory makes. Raises: ApplicationError, also for whatever it raises."""
    if not callable(factory) or not takes(factory, 0):
        raise ApplicationError(
            f"TARGET {target!r} is {describe(factory)}; with --factory expected: a function without arguments"
        )
    try:
        made = factory()
    except (Exception, SystemExit) as error:
        raise ApplicationError(f"TARGET {target!r}: the factory failed: {one_line(error, OURS)}") from error
    if inspect.iscoroutine(made):
        made.close()
        raise ApplicationError(f"TARGET {target!r}: the factory is async; expected a plain function")
    return made


def interface_of(found: Any, wanted: Wanted, target: str) -> Interface:
    """How an application is to be called. Raises: ApplicationError, where that cannot be told."""
    fitting = interfaces_of(found)
    if wanted != "auto":
        # Who says it knows it, of what takes any arguments too; and ASGI may be wrapped in what is not async.
        fits = wanted in fitting or (wanted == "asgi" and callable(found) and takes(found, 3))
        if not fits:
            expected = f"with --interface {wanted} expected: {WANTED_AS[wanted]}"
            raise ApplicationError(f"TARGET {target!r} is {describe(found)}; {expected}")
        return wanted
    if len(fitting) > 1:
        names = " or ".join(fitting)
        raise ApplicationError(f"TARGET {target!r} may be called as {names}: say which by --interface")
    if not fitting:
        raise ApplicationError(f"TARGET {target!r} is {describe(found)}; expected {EXPECTED}")
    return fitting[0]


def interfaces_of(found: Any) -> list[Interface]:
    """The interfaces that it may have."""
    if not callable(found):
        return []
    if inspect.isclass(found):
        # `await App(scope, receive, send)`
        return ["asgi"] if hasattr(found, "__await__") and takes(found, 3) else []
    kinds: tuple[Interface, ...] = ("native", "asgi") if is_async(found) else ("wsgi", "asgi")
    return [kind for kind in kinds if takes(found, ARGUMENTS[kind])]


def is_async(found: Any) -> bool:
    """Whether calling it gives a coroutine."""
    # The method itself is asked for, not whether there is one: that is why B004 does not apply.
    is_function = inspect.isroutine(found) or isinstance(found, partial)
    function = found if is_function else getattr(found, "__call__", None)  # noqa: B004 (see above)
    return inspect.iscoroutinefunction(function)


def takes(found: Any, count: int) -> bool:
    """Whether it can be called with so many arguments."""
    try:
        inspect.signature(found).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


def import_module(name: str) -> Any:
    """The module. Raises: ApplicationError, also for whatever the module raises while it is imported."""
    try:
        return importlib.import_module(name)
    except SystemExit as error:
        raise ApplicationError(
            f"module {name!r} ends the program while it is imported (exit code {error.code!r})"
        ) from error
    except Exception as error:
        raise ApplicationError(f"module {name!r} cannot be imported: {one_line(error, OURS)}") from error


def find_attribute(module: Any, dotted: str, target: str) -> Any:
    """The attribute, perhaps of an attribute. Raises: ApplicationError, with what there is instead."""
    found = module
    for name in dotted.split("."):
        if not hasattr(found, name):
            offered = [key for key, value in vars(module).items() if is_offered(key, value)]
            hint = f"; it has {', '.join(sorted(offered)[:5])}" if offered else ""
            raise ApplicationError(f"TARGET {target!r}: module {module.__name__!r} has no {dotted!r}{hint}")
        found = getattr(found, name)
    return found


def is_offered(name: str, value: Any) -> bool:
    """Whether it may be what was meant: async, since plain functions of two arguments are many."""
    return name[0] != "_" and is_async(value) and bool(interfaces_of(value))


def describe(found: Any) -> str:
    """What was found, in a few words."""
    if inspect.isclass(found):
        return f"a class ({found.__name__})"
    if inspect.iscoroutinefunction(found):
        return f"an async function of other arguments {inspect.signature(found)}"
    if inspect.isroutine(found):
        return "a function that is not async"
    return f"a {type(found).__name__}"
