"""Files that come with the package and are no modules: examples, scripts of packets, a commented config.toml.

Owns where they stand: in a wheel in gossamer/given, in a clone where people look for them.
"""

from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).parent.parent
IN_A_CLONE: Final = {
    "packets": "tests/packets",
    "locustfile.py": "loadtest/locustfile.py",
    "engineuser.py": "loadtest/engineuser.py",
}
"""What stands elsewhere there than at the top."""


def accompanying(name: str) -> Path:
    """The file or folder of that name."""
    installed = PACKAGE / "given" / name
    return installed if installed.exists() else PACKAGE.resolve().parent / IN_A_CLONE.get(name, name)
