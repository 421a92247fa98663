"""Several things asked in one test, each by its name: the first that fails hides no other."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def named_part(name: str) -> Iterator[None]:
    """What fails in the block says in which part of its test that was."""
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:
        error.add_note(f"in the part {name}")
        raise


def ask_each(parts: Iterable[tuple[str, Callable[[], object]]]) -> None:
    """Call each part. Raises: BaseExceptionGroup of what failed, each error with the name of its part."""
    errors: list[BaseException] = []
    for name, part in parts:
        try:
            with named_part(name):
                part()
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - raised when all parts were asked
            errors.append(error)
    if errors:
        raise BaseExceptionGroup("parts that failed", errors)
