"""A Django project in one file, served by its ASGI application: async views, and a plain one.

    gossamer serve examples.django_asgi:application --port 8000
    curl http://127.0.0.1:8000/
    curl -d 'some text' http://127.0.0.1:8000/length

A project of your own has this in its `asgi.py`: `gossamer serve mysite.asgi:application`.
"""

import asyncio
from collections.abc import AsyncIterator

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for an example alone",
    USE_TZ=True,
)


async def home(request: HttpRequest) -> JsonResponse:
    """An async view."""
    await asyncio.sleep(0)
    return JsonResponse({"method": request.method, "path": request.path})


def length(request: HttpRequest) -> HttpResponse:
    """A plain view, which Django runs in a thread."""
    return HttpResponse(f"{len(request.body)} octets\n", content_type="text/plain")


async def count(_request: HttpRequest, number: int) -> StreamingHttpResponse:
    """Numbers, a line each, sent as they come."""

    async def lines() -> AsyncIterator[bytes]:
        for each in range(number):
            yield b"%d\n" % each

    return StreamingHttpResponse(lines(), content_type="text/plain")


urlpatterns = [path("", home), path("length", length), path("count/<int:number>", count)]
application = get_asgi_application()
