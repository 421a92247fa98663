"""A scenario for locust: browsers that walk a site.

    locust -f loadtest/locustfile.py --host http://127.0.0.1:8080 --headless -u 50 -r 50 -t 30s

Owns the scenario only; `locust_onefile` asks for one file, `engineuser` has `gossamer load` do it.
GOSSAMER_LOAD_PATH names the page that is asked for (default: /).
"""

import os
import re
from typing import Any, Final
from urllib.parse import urljoin

from locust import FastHttpUser, between, task

PATH: Final = os.environ.get("GOSSAMER_LOAD_PATH", "/")
LINK: Final = re.compile(r"""(?:href|src)=["'](?!(?:[a-z]+:)?//|#|mailto:)([^"'#]+)""")
LINKS_MAX: Final = 20


class Browser(FastHttpUser):
    """Loads a page and what it names, comes back with what it has cached, and takes a part of a file."""

    wait_time = between(0.05, 0.2)

    def on_start(self) -> None:
        """Nothing is cached yet."""
        self.etags: dict[str, str] = {}

    @task(4)
    def page(self) -> None:
        """The page and what it links to on this host."""
        found = self.cached_get(PATH, "page")
        for link in LINK.findall(found.text or "")[:LINKS_MAX]:
            self.cached_get(urljoin(PATH, link), "linked")

    def cached_get(self, path: str, name: str) -> Any:
        """A GET as a browser with a cache sends it."""
        etag = self.etags.get(path)
        headers = {"If-None-Match": etag} if etag else {}
        with self.client.get(path, name=name, headers=headers, catch_response=True) as response:
            if response.status_code == 304:
                # What was not sent again takes less time: it stands for itself.
                response.request_meta["name"] = f"{name} 304"
            if response.status_code == 200 and (found := (response.headers or {}).get("etag")):
                self.etags[path] = str(found)
        return response

    @task(1)
    def head(self) -> None:
        """Only the head."""
        self.client.head(PATH, name="page, head only")

    @task(1)
    def part(self) -> None:
        """The first bytes of a file."""
        with self.client.get(
            PATH, name="page, a range", headers={"Range": "bytes=0-15"}, catch_response=True
        ) as response:
            if response.status_code not in (200, 206):
                response.failure(f"status {response.status_code}")

    @task(1)
    def missing(self) -> None:
        """What is not there, which must be said with 404."""
        with self.client.get("/no-such-file", name="missing", catch_response=True) as response:
            if response.status_code == 404:
                response.success()
            else:
                response.failure(f"status {response.status_code} where 404 is right")
