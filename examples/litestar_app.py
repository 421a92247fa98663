"""A Litestar application: typed handlers, validation, a dependency.

    gossamer serve examples.litestar_app:app --port 8000
    curl http://127.0.0.1:8000/square/12
    curl -d '{"numbers": [1, 2, 3]}' -H 'Content-Type: application/json' http://127.0.0.1:8000/sum

It is written as for any server, and needs Litestar (`pip install litestar`).
"""

import msgspec
from litestar import Litestar, get, post
from litestar.di import Provide


class Numbers(msgspec.Struct):
    """What is to be added up."""

    numbers: list[int]


async def unit() -> str:
    """A dependency."""
    return "apples"


@get("/square/{number:int}")
async def square(number: int, unit: str) -> dict[str, int | str]:
    """The square of a number."""
    return {"square": number * number, "unit": unit}


@post("/sum")
async def add_up(data: Numbers) -> int:
    """The sum of a list; one that holds anything but whole numbers is 400."""
    return sum(data.numbers)


app = Litestar([square, add_up], dependencies={"unit": Provide(unit)})
