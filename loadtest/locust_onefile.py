"""A scenario for locust: clients that ask for one file as fast as they can.

    locust -f loadtest/locust_onefile.py --host http://127.0.0.1:8080 --headless -u 50 -t 30s

Owns the scenario only. GOSSAMER_LOAD_PATH names the file that is asked for (default: /).
"""

import os
from typing import Final

from locust import FastHttpUser, constant, task

PATH: Final = os.environ.get("GOSSAMER_LOAD_PATH", "/")


class OneFile(FastHttpUser):
    """Asks for one file again and again."""

    wait_time = constant(0)

    @task
    def get(self) -> None:
        """One GET."""
        self.client.get(PATH, name="one file")
