"""What scripts/module-docs makes of a module: its page, line by line."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

ERRORS = '''"""The errors."""


class PartyOver(Exception):
    """There is no more cake."""
'''

SOURCE = '''"""Guests, and what they are given.

    guests.greet("ann")

Never raises PartyOver, see docs/threads.md. Source: RFC 1149.
"""

from contextlib import contextmanager
from typing import Final

from gossamer.core.errors import PartyOver
from gossamer.core.seating import TablePlan
from gossamer.core.threads.systemcall import SystemCall

GUESTS_MAX: Final = 64
"""So many; the next are sent home."""

_secret = 1


class Ask(SystemCall[bytes], frozen=True):
    """Ask a guest. Raises: PartyOver."""

    name: str = "ann"
    loud: bool = False
    """Whether the neighbours hear it."""


sys_ask = Ask


class Guest:
    """One guest; `sys_ask` asks it, a TablePlan of `core.seating` seats it.

    >>> Guest("ann").name
    'ann'
    """

    def __init__(self, name: "str", *, late: bool = False) -> None:
        self.name = name
        """What it is called."""
        self._late = late

    @property
    def is_late(self) -> bool:
        """Whether it came after all GUESTS_MAX."""
        return self._late

    async def eat(self, *cakes: int, **how: str) -> int | None:
        """Eat 2**3 of them. Units: pieces."""

    def _leave(self) -> None: ...

    async def __aenter__(self) -> "Guest": ...


@contextmanager
def guest(name):
    """A Guest for a time."""
'''

PAGE = """<!-- Written by scripts/module-docs from core/threads/guests.py: change that. -->

# core.threads.guests

`gossamer.core.threads.guests` · [source](../../core/threads/guests.py) · [core.threads](core.threads.md) · \
[the thread library](../threads.md) · [all modules](../modules.md)

Guests, and what they are given.

```python
guests.greet("ann")
```

Never raises [PartyOver](core.errors.md#partyover), see [docs/threads.md](../threads.md). *Source:* RFC 1149.

## Ask

```python
Ask(name: str = "ann", loud: bool = False)
```

Called `sys_ask` in programs. A `SystemCall`; awaited, it returns `bytes`.

Ask a guest. *Raises:* [PartyOver](core.errors.md#partyover).

- **`loud: bool`**\\
  Whether the neighbours hear it.

## Guest

```python
Guest(name: str, *, late: bool = False)
```

Works with `async with`.

One guest; [`sys_ask`](#ask) asks it, a [TablePlan](../../core/seating.py) of \
[`core.seating`](../../core/seating.py) seats it.

```pycon
>>> Guest("ann").name
'ann'
```

- **`name: str`**\\
  What it is called.
- **`is_late: bool`** (read only)\\
  Whether it came after all [GUESTS_MAX](#constants-and-types).
- **`async eat(*cakes: int, **how: str) -> int | None`**\\
  Eat 2\\*\\*3 of them. *Units:* pieces.

## guest

```python
@contextmanager
def guest(name)
```

A Guest for a time.

## Constants and types

- **`GUESTS_MAX = 64`**\\
  So many; the next are sent home.
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of one module, and what it imports."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "core" / "threads").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "core" / "__init__.py").write_text('"""The library."""\n')
    (tmp_path / "core" / "errors.py").write_text(ERRORS)
    (tmp_path / "core" / "seating.py").write_text('"""Who sits where."""\n')
    (tmp_path / "core" / "threads" / "__init__.py").write_text('"""Threads."""\n')
    (tmp_path / "core" / "threads" / "guests.py").write_text(SOURCE)
    return tmp_path


def run(root: Path, *arguments: str) -> None:
    command = [sys.executable, str(root / "scripts" / "module-docs"), *arguments]
    subprocess.run(command, check=True, timeout=60)


def test_page__of_a_module(root: Path) -> None:
    run(root)
    assert (root / "docs" / "modules" / "core.threads.guests.md").read_text() == PAGE
    run(root, "--check")


def test_page__of_a_package_names_its_modules(root: Path) -> None:
    run(root)
    page = (root / "docs" / "modules" / "core.threads.md").read_text()
    assert "| [guests](core.threads.guests.md) | Guests, and what they are given. |" in page


def test_page__of_a_module_that_is_gone_is_removed(root: Path) -> None:
    run(root)
    (root / "core" / "threads" / "guests.py").unlink()
    run(root)
    left = {path.name for path in (root / "docs" / "modules").iterdir()}
    assert left == {"core.errors.md", "core.threads.md"}
