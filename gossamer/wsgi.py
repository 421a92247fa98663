"""WSGI applications (PEP 3333), Flask's and Django's for two, as handlers: over either stack.

    from mysite import app
    from gossamer import wsgi

    handler = wsgi.WsgiSite(app)                 # gossamer serve thisfile:handler

Each connection is a thread of ours, each request a call in a pool of operating-system threads.

>>> from gossamer.wsgi import WsgiSite
>>> def app(environ, start_response):
...     start_response("200 OK", [("Content-Type", "text/plain")])
...     return [b"hello"]
>>> handler = WsgiSite(app, threads=2)
"""

from gossamer.shards.wsgi.file_wrapper import FileWrapper
from gossamer.shards.wsgi.site import WsgiSite

__all__ = [
    # An application, served.
    "WsgiSite",
    # What it may return to have a file sent.
    "FileWrapper",
]
