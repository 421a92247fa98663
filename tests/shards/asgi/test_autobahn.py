"""Autobahn's cases, some 250, on WebSockets of an ASGI application and a native handler, on either stack.

`make autobahn` installs the package, which runs on Python 2.7 alone, and runs them. Left out are 9, 12 and
13, which measure: messages of up to 16 MiB, where ours end at 1 MiB, and hundreds of thousands of them.
"""

import json
import subprocess
from pathlib import Path

import pytest

from ..conftest import Place

WSTEST = Path(__file__).parents[3] / ".venv-autobahn" / "wstest"
APPLICATIONS = """
from gossamer import websocket


async def application(scope, receive, send):
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"], "bytes": message["bytes"]})


async def handler(stream):
    async with await websocket.accept_websocket(stream) as socket:
        async for message in socket:
            await socket.send(message)
"""
CASES = [f"{chapter}.*" for chapter in (1, 2, 3, 4, 5, 6, 7, 10)]
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}
"""NON-STRICT: a breach is noticed before what came ahead of it has been answered, as the RFC allows."""


@pytest.mark.long
@pytest.mark.skipif(not WSTEST.exists(), reason="no Autobahn test suite here: make autobahn")
@pytest.mark.parametrize("name", ["application", "handler"])
def test_autobahn__no_case_fails(place: Place, tmp_path: Path, name: str) -> None:
    (tmp_path / "echoing.py").write_text(APPLICATIONS)
    server = place.start(target=f"echoing:{name}", PYTHONPATH=str(tmp_path)).wait_ready()
    asked = {
        "outdir": str(tmp_path / "reports"),
        "servers": [{"agent": "gossamer", "url": f"ws://127.0.0.1:{server.port()}"}],
        "cases": CASES,
    }
    specification = tmp_path / "specification.json"
    specification.write_text(json.dumps(asked))
    with place.inside():
        done = subprocess.run(
            [str(WSTEST), "-m", "fuzzingclient", "-s", str(specification)],
            capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False,
        )  # fmt: skip
    found = json.loads((tmp_path / "reports" / "index.json").read_text())["gossamer"]
    assert len(found) > 240, done.stderr
    failed = {
        case: (each["behavior"], each["behaviorClose"])
        for case, each in found.items()
        if not {each["behavior"], each["behaviorClose"]} <= GOOD
    }
    assert failed == {}
    assert "Traceback" not in server.log()
