"""An application that keeps what it counts in Redis, asked over asyncio's connections within each request."""

import os
from typing import Any

from redis.asyncio import Redis

redis = Redis(host="127.0.0.1", port=int(os.environ["REDIS_PORT"]))


async def app(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """How often this path was asked for; a large value too, written and read again."""
    assert scope["type"] == "http"
    path = scope["path"]
    async with redis.pipeline() as pipeline:
        count, *_ = await pipeline.incr(path).set(f"{path} large", b"x" * 1_000_000).execute()
    large = await redis.get(f"{path} large")
    body = f"{path} {count} {len(large)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
