"""What pyproject.toml can't say: an installed package brings the dashboard along, in the folder of its command.

And the compiled solves, where there is a C++ compiler (see node_core/native/build.py).
"""

import runpy
import shutil
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

APP = ("app.py", "pages", "assets", ".streamlit")
LEFT_OUT = shutil.ignore_patterns("__pycache__")


class BuildWithApp(build_py):
    """Lays the app beside `neural_ode_lab/__main__.py`; an editable install finds it in the checkout."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        native = Path("node_core", "native")
        compiler = runpy.run_path(str(native / "build.py"))
        compiler["main"]([str(native if self.editable_mode else Path(self.build_lib, native))])
        if self.editable_mode:
            return
        home = Path(self.build_lib, "neural_ode_lab")
        for name in APP:
            if Path(name).is_dir():
                shutil.copytree(name, home / name, ignore=LEFT_OUT, dirs_exist_ok=True)
            else:
                shutil.copy2(name, home / name)


class OfOnePlatform(Distribution):
    """Its wheel is for this kind of machine: it may hold compiled code."""

    def has_ext_modules(self) -> bool:
        """As if there were an extension module."""
        return True


setup(cmdclass={"build_py": BuildWithApp}, distclass=OfOnePlatform)
