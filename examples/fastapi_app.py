"""A FastAPI application: typed queries, a body, a background task, state that its lifespan has left.

    gossamer serve examples.fastapi_app:app --port 8000
    curl -d '{"name": "lamp", "price": 9.5}' -H 'Content-Type: application/json' http://127.0.0.1:8000/items
    curl 'http://127.0.0.1:8000/items?cheaper_than=10'

It is written as for any server, and needs FastAPI (`pip install fastapi`).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Item(BaseModel):
    """What is on sale."""

    name: str
    price: float


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, list[Item]]]:
    """Before the first request of a worker, and after its last: each worker has items of its own."""
    items: list[Item] = []
    yield {"items": items}
    items.clear()


app = FastAPI(lifespan=lifespan)


@app.post("/items", status_code=201)
async def add(item: Item, request: Request, background: BackgroundTasks) -> Item:
    """Add an item; it is put on the list once the answer has been sent."""
    background.add_task(request.state.items.append, item)
    return item


@app.get("/items")
async def cheap(request: Request, cheaper_than: float = 1e9) -> list[Item]:
    """What is on sale."""
    return [item for item in request.state.items if item.price < cheaper_than]


@app.get("/count/{number}")
async def count(number: int) -> StreamingResponse:
    """Numbers, a line each, sent as they come."""

    async def lines() -> AsyncIterator[str]:
        for each in range(number):
            yield f"{each}\n"

    return StreamingResponse(lines(), media_type="text/plain")
