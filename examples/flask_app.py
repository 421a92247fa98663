"""A Flask application: pages, a form, a file that comes up, an answer that comes in pieces.

    python examples/flask_app.py 7000
    gossamer serve examples.flask_app:app              # in worker processes; as root over our own TCP
    curl http://127.0.0.1:7000/hello/world

It is written as ever, needs Flask (`pip install flask`), and knows of Gossamer in its `main` alone. Each
request is a call in a pool of operating-system threads: what it does may block.
"""

import contextlib
import hashlib
import sys
from collections.abc import Iterator

import flask

from gossamer import listen, run, serve, wsgi

app = flask.Flask(__name__)

COUNT_MAX = 1000


@app.get("/hello/<name>")
def hello(name: str) -> str:
    return f"Hello, {name}, from {flask.request.remote_addr}\n"


@app.post("/form")
def form() -> dict[str, str]:
    return {key: value.upper() for key, value in flask.request.form.items()}


@app.put("/digest")
def digest() -> str:
    """Reads what comes up as it comes: of a large file one block at a time is in memory."""
    found = hashlib.sha256()
    while block := flask.request.stream.read(65536):
        found.update(block)
    return found.hexdigest()


@app.get("/count/<int:to>")
def count(to: int) -> flask.Response:
    """An answer whose length nobody knows yet: it goes in chunks, each as soon as it is there."""

    def lines() -> Iterator[str]:
        for number in range(min(to, COUNT_MAX)):
            yield f"{number}\n"

    return flask.Response(lines(), mimetype="text/plain")


async def main(port: int) -> None:
    async with listen(("127.0.0.1", port)) as acceptor:
        print(f"serving on http://127.0.0.1:{acceptor.local[1]}/", flush=True)
        await serve(acceptor, wsgi.WsgiSite(app))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        run(main(int(sys.argv[1])))
