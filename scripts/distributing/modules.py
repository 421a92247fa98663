"""The C modules, and, where it is asked for, the native build beside them.

GOSSAMER_WHEEL   unset: one wheel for every Python, whose core is interpreted
                 native: a wheel of this very Python, with the native build of the core as well
"""

import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools.command.build_ext import build_ext

IS_NATIVE = os.environ.get("GOSSAMER_WHEEL") == "native"
COMPILED = Path("gossamer", "compiled", sysconfig.get_config_var("EXT_SUFFIX").split(".")[1])


class BuildModules(build_ext):
    """Notes of which sources the modules are that it puts beside them: they are compared at import."""

    def run(self) -> None:
        """Build; a build in place that ends in the middle leaves no note."""
        built = runpy.run_path("gossamer/ffi/built.py")
        if self.inplace:
            built["forget"]()
        super().run()
        if self.inplace:
            built["note"]()
        elif IS_NATIVE:
            self._add_native_core()

    def _add_native_core(self) -> None:
        subprocess.run([sys.executable, "scripts/native/build.py"], check=True)
        shutil.copytree(COMPILED, Path(self.build_lib, COMPILED), dirs_exist_ok=True)
