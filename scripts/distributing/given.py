"""What a wheel carries besides modules: files that `gossamer examples` and `serve --print-config` give.

They stand at the top of a clone, where people look for them, and in gossamer/given of a wheel.
"""

import shutil
from pathlib import Path

from setuptools.command.build_py import build_py

GIVEN = {
    "config.toml": "config.toml",
    "deploy": "deploy",
    "examples": "examples",
    "www": "www",
    "tests/packets": "packets",
    "loadtest/locustfile.py": "locustfile.py",
    "loadtest/engineuser.py": "engineuser.py",
}
"""Where each stands in a clone, and in gossamer/given."""


class BuildPackage(build_py):
    """Puts them beside the modules, where it does not build in place."""

    def run(self) -> None:
        """Build."""
        super().run()
        if not self.editable_mode:
            for source, name in GIVEN.items():
                self._give(Path(source), Path(self.build_lib, "gossamer", "given", name))

    def _give(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
