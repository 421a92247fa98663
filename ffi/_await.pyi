"""What src/await.c makes."""

from collections.abc import Generator
from typing import Any

class Answer:
    """Waits for the answer to one system call."""

    @property
    def call(self) -> Any: ...

def await_answer(self: Any, /) -> Generator[Any, Any, Any]: ...
