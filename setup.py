"""What pyproject.toml can't say: an installed package brings the dashboard along, in the folder of its command."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

APP = ("app.py", "pages", "assets", ".streamlit")
LEFT_OUT = shutil.ignore_patterns("__pycache__")


class BuildWithApp(build_py):
    """Lays the app beside `neural_ode_lab/__main__.py`; an editable install finds it in the checkout."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        if self.editable_mode:
            return
        home = Path(self.build_lib, "neural_ode_lab")
        for name in APP:
            if Path(name).is_dir():
                shutil.copytree(name, home / name, ignore=LEFT_OUT, dirs_exist_ok=True)
            else:
                shutil.copy2(name, home / name)


setup(cmdclass={"build_py": BuildWithApp})
