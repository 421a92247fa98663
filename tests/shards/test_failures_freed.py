"""What an application has raised is freed without the collector, as what a thread has."""

from typing import Any

import pytest

from gossamer.shards.wsgi.site import WsgiSite

from ..core.threads.freed import nothing_left
from .asgi.serving import Served, served
from .wsgi.test_site import GET, LAST, talk

REQUESTS = 60


async def fails_at_once(_scope: Any, _receive: Any, _send: Any) -> None:
    raise LookupError


async def fails_once_it_has_waited(_scope: Any, receive: Any, _send: Any) -> None:
    await receive()
    raise LookupError


@pytest.mark.parametrize("app", [fails_at_once, fails_once_it_has_waited], ids=lambda app: app.__name__)
def test_asgi_application_that_fails__is_freed_without_the_collector(app: Any) -> None:
    async def body(server: Served) -> None:
        client = await server.connect()
        assert (await client.ask()).status == 500
        with nothing_left():
            for _ in range(REQUESTS):
                client = await server.connect()
                assert (await client.ask()).status == 500
                await client.stream.close()

    served(app, body)


def fails(_environ: Any, _start: Any) -> Any:
    raise LookupError


def fails_in_the_midst(_environ: Any, start: Any) -> Any:
    start("200 OK", [])
    yield bytes(70_000)
    raise LookupError


@pytest.mark.parametrize("app", [fails, fails_in_the_midst], ids=lambda app: app.__name__)
def test_wsgi_application_that_fails__is_freed_without_the_collector(app: Any) -> None:
    site = WsgiSite(app)
    talk(site, GET)
    with nothing_left():
        for _ in range(REQUESTS):
            talk(site, LAST)
