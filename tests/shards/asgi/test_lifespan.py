"""An application's beginning and end: told, answered, refused, unknown to it."""

import asyncio
import logging
from typing import Any

import pytest

from gossamer.shards.asgi.lifespan import App, Lifespan, LifespanError, Mode


def lived(app: App, mode: Mode = "auto") -> tuple[dict[str, Any] | None, Lifespan]:
    """Start and end it; the state between."""

    async def main() -> tuple[dict[str, Any] | None, Lifespan]:
        lifespan = Lifespan(app, mode)
        await asyncio.wait_for(lifespan.start(), 10)
        state = lifespan.state
        await asyncio.wait_for(lifespan.end(), 10)
        return state, lifespan

    return asyncio.run(main())


async def good(scope: dict[str, Any], receive: Any, send: Any) -> None:
    assert scope["type"] == "lifespan"
    assert await receive() == {"type": "lifespan.startup"}
    scope["state"]["db"] = "open"
    await send({"type": "lifespan.startup.complete"})
    assert await receive() == {"type": "lifespan.shutdown"}
    scope["state"]["db"] = "closed"
    await send({"type": "lifespan.shutdown.complete"})


async def unknown(scope: dict[str, Any], _receive: Any, _send: Any) -> None:
    raise ValueError(f"no such scope: {scope['type']}")


async def silent(_scope: dict[str, Any], _receive: Any, _send: Any) -> None:
    return


async def refuses(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no\ndatabase"})
    raise ValueError("said already")


async def wrong(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def fails_at_end(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    raise ValueError("cannot end")


async def refuses_to_end(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.failed", "message": "still busy"})


async def fails_meanwhile(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    raise ValueError("in between")


async def exits(_scope: dict[str, Any], _receive: Any, _send: Any) -> None:
    raise SystemExit(5)


def test_start_and_end__told_and_the_state_is_what_was_left() -> None:
    state, _ = lived(good)
    assert state == {"db": "closed"}
    assert lived(good, "on")[0] is not None
    assert lived(good, "off")[0] is None


def test_unknown_to_the_application__served_with_auto_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        assert lived(unknown)[0] is None
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert "taken for one without lifespan (ValueError: no such scope: lifespan (" in record.getMessage()
    assert "test_lifespan.py, line " in record.getMessage()
    assert lived(silent)[0] is None
    with pytest.raises(LifespanError, match="the application failed at its start: ValueError: no such scope"):
        lived(unknown, "on")
    with pytest.raises(LifespanError, match=r"the application returned before it answered lifespan\.startup"):
        lived(silent, "on")
    with pytest.raises(LifespanError, match="at its start: SystemExit: 5"):
        lived(exits, "on")


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_start__refused_by_the_application__one_line(mode: Mode, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(LifespanError, match=r"^the application says that it failed to start: no database$"):
        lived(refuses, mode)
    assert caplog.text == ""


def test_message_that_is_wrong__named() -> None:
    with pytest.raises(LifespanError, match=r"found lifespan\.shutdown\.complete before lifespan\.startup"):
        lived(wrong, "on")


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (fails_at_end, "the application failed at its end: ValueError: cannot end ("),
        (refuses_to_end, "the application says that it failed to end: still busy"),
        (fails_meanwhile, "the application failed in its lifespan: ValueError: in between ("),
    ],
)
def test_end__that_fails__logged_once(app: App, said: str, caplog: pytest.LogCaptureFixture) -> None:
    lived(app)
    (record,) = caplog.records
    assert record.getMessage().startswith(said)
    assert record.levelname == "ERROR"
