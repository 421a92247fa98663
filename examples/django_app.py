"""A Django project in one file, served by its WSGI application.

    python examples/django_app.py 7000
    gossamer serve examples.django_app:application     # in worker processes; as root over our own TCP
    curl http://127.0.0.1:7000/hello/?name=world

A project of your own has all this in its `settings.py`, `urls.py` and `wsgi.py`, and adds nothing: it is
served by `gossamer serve mysite.wsgi:application`. It needs Django (`pip install django`).
"""

import contextlib
import os
import sys
from collections.abc import Iterator

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from gossamer import listen, run, serve, wsgi

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", "for this example alone"),
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
)
django.setup()

COUNT_MAX = 1000


def hello(request: HttpRequest) -> HttpResponse:
    name = request.GET.get("name", "nobody")
    return HttpResponse(f"Hello, {name}\n", content_type="text/plain")


def echo(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"method": request.method, "length": len(request.body)})


def source(_request: HttpRequest) -> FileResponse:
    """This file: Django hands it to the server, which has the kernel send it."""
    return FileResponse(open(__file__, "rb"), content_type="text/plain")


def count(_request: HttpRequest, to: int) -> StreamingHttpResponse:
    lines: Iterator[bytes] = (b"%d\n" % number for number in range(min(to, COUNT_MAX)))
    return StreamingHttpResponse(lines, content_type="text/plain")


urlpatterns = [
    path("hello/", hello),
    path("echo/", echo),
    path("source/", source),
    path("count/<int:to>/", count),
]
application = get_wsgi_application()


async def main(port: int) -> None:
    async with listen(("127.0.0.1", port)) as acceptor:
        print(f"serving on http://127.0.0.1:{acceptor.local[1]}/", flush=True)
        await serve(acceptor, wsgi.WsgiSite(application))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        run(main(int(sys.argv[1])))
