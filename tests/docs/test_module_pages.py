"""What scripts/module-docs makes of a front module: its page, line by line."""

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

FRONT = '''"""Guests, and what they are given.

    guests.greet("ann")

Never raises PartyOver, see docs/threads.md. Source: RFC 1149.
"""

from gossamer.core.errors import PartyOver
from gossamer.core.threads import rooms
from gossamer.core.threads.guests import GUESTS_MAX, Guest, sys_ask
from gossamer.core.threads.guests import guest as invited

__all__ = [
    # Guests.
    "Guest",
    "sys_ask",
    "invited",
    "rooms",
    "GUESTS_MAX",
    # What goes wrong: guests.
    "PartyOver",
]
'''

CALLS = '''"""Calls."""


class SystemCall:
    """A call."""
'''

ROOMS = '''"""Rooms."""


def opened(number: int) -> bool:
    """Whether it is."""
'''

SOURCE = '''"""Guests."""

from contextlib import contextmanager
from typing import Final

from gossamer.core.errors import PartyOver
from gossamer.core.seating import TablePlan
from gossamer.core.threads.systemcall import SystemCall

GUESTS_MAX: Final = 64
"""So many; the next are sent home."""


class Ask(SystemCall[bytes], frozen=True):
    """Ask a guest. Raises: PartyOver."""

    name: str = "ann"
    loud: bool = False
    """Whether the neighbours hear it."""


sys_ask = Ask


class Person:
    """Nobody hands it on."""

    def sleep(self) -> None:
        """Until morning."""

    def eat(self) -> None:
        """Overridden."""


class Guest(Person):
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

PAGE = """<!-- Written by scripts/module-docs from gossamer/__init__.py and what it imports: change that. -->

# gossamer

[source](../../gossamer/__init__.py) · [gossamer.aio](gossamer.aio.md) · \
[gossamer.lowlevel](gossamer.lowlevel.md) · [gossamer.tcp](gossamer.tcp.md) · \
[gossamer.testing](gossamer.testing.md) · [gossamer.websocket](gossamer.websocket.md) · \
[gossamer.wsgi](gossamer.wsgi.md) · [the thread library](../threads.md) · \
[all modules](../modules.md)

Guests, and what they are given.

```python
guests.greet("ann")
```

Never raises [PartyOver](#partyover), see [docs/threads.md](../threads.md). *Source:* RFC 1149.

| | |
|---|---|
| [Guests](#guests) | [`Guest`](#guest), [`sys_ask`](#sys_ask), [`invited`](#invited), [`rooms`](#rooms), \
[`GUESTS_MAX`](#guests_max) |
| [What goes wrong: guests](#what-goes-wrong-guests) | [`PartyOver`](#partyover) |

## Guests

### Guest

```python
Guest(name: str, *, late: bool = False)
```

[core/threads/guests.py](../../core/threads/guests.py). Works with `async with`.

One guest; [`sys_ask`](#sys_ask) asks it, a [TablePlan](../../core/seating.py) of \
[`core.seating`](../../core/seating.py) seats it.

```pycon
>>> Guest("ann").name
'ann'
```

- **`name: str`**\\
  What it is called.
- **`is_late: bool`** (read only)\\
  Whether it came after all [GUESTS_MAX](#guests_max).
- **`async eat(*cakes: int, **how: str) -> int | None`**\\
  Eat 2\\*\\*3 of them. *Units:* pieces.
- **`sleep() -> None`**\\
  Until morning.

### sys_ask

```python
sys_ask(name: str = "ann", loud: bool = False)
```

[core/threads/guests.py](../../core/threads/guests.py). A [`SystemCall`](../../core/threads/systemcall.py); \
awaited, it returns `bytes`.

Ask a guest. *Raises:* [PartyOver](#partyover).

- **`loud: bool`**\\
  Whether the neighbours hear it.

### invited

```python
@contextmanager
def invited(name)
```

[core/threads/guests.py](../../core/threads/guests.py).

A Guest for a time.

### rooms

A module: [core/threads/rooms.py](../../core/threads/rooms.py).

Rooms.

- **`opened(number: int) -> bool`**\\
  Whether it is.

### GUESTS_MAX

```python
GUESTS_MAX = 64
```

[core/threads/guests.py](../../core/threads/guests.py).

So many; the next are sent home.

## What goes wrong: guests

### PartyOver

```python
class PartyOver(Exception)
```

[core/errors.py](../../core/errors.py).

There is no more cake.
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of one front module, and what it imports."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "core" / "threads").mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "gossamer").mkdir()
    (tmp_path / "gossamer" / "__init__.py").write_text(FRONT)
    (tmp_path / "core" / "__init__.py").write_text('"""The library."""\n')
    (tmp_path / "core" / "errors.py").write_text(ERRORS)
    (tmp_path / "core" / "seating.py").write_text('"""Who sits where."""\n')
    (tmp_path / "core" / "threads" / "__init__.py").write_text('"""Threads."""\n')
    (tmp_path / "core" / "threads" / "guests.py").write_text(SOURCE)
    (tmp_path / "core" / "threads" / "systemcall.py").write_text(CALLS)
    (tmp_path / "core" / "threads" / "rooms.py").write_text(ROOMS)
    return tmp_path


def run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(root / "scripts" / "module-docs"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_page__of_a_front_module(root: Path) -> None:
    run(root)
    assert (root / "docs" / "modules" / "gossamer.md").read_text() == PAGE
    done = run(root, "--check")
    assert done.returncode == 0, done.stdout


def test_list__leads_to_the_page_of_a_front_module_and_to_the_source_of_another(root: Path) -> None:
    run(root)
    text = (root / "docs" / "modules.md").read_text()
    assert "Guests, and what they are given. [More](modules/gossamer.md)." in text
    assert "| [guests](../core/threads/guests.py) | Guests. |" in text


def test_name__that_says_nothing(root: Path) -> None:
    guests = root / "core" / "threads" / "guests.py"
    guests.write_text(SOURCE.replace('"""So many; the next are sent home."""', "").replace("Final", "int"))
    run(root)
    done = run(root, "--check")
    assert done.stdout == "core/threads/guests.py: GUESTS_MAX says nothing of itself\n"
    assert done.returncode == 1


def test_page__of_a_module_that_is_gone_is_removed(root: Path) -> None:
    run(root)
    (root / "docs" / "modules" / "gossamer.udp.md").write_text("# gossamer.udp\n")
    run(root)
    assert {path.name for path in (root / "docs" / "modules").iterdir()} == {"gossamer.md"}
