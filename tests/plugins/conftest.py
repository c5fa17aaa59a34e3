"""Packages that add something by entry points.

What is installed is read once in a process, so each test looks from its own process.
"""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]


class Package:
    """A package that is installed in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def install(self, points, group, distribution="my-package", **modules):
        """Write modules, and the entry points that lead to them."""
        for name, text in modules.items():
            (self.folder / f"{name}.py").write_text(dedent(text), encoding="utf-8")
        info = self.folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n", encoding="utf-8"
        )
        lines = [f"[{group}]", *(f"{name} = {place}" for name, place in points.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def python(self, *arguments, check=True, data_dir=None):
        """Run Python where the package is installed; return what it printed."""
        path = os.pathsep.join([str(self.folder), str(ROOT)])
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ
            | {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
            | ({"FEWSHOT_DATA_DIR": str(data_dir)} if data_dir else {}),
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        ).stdout


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "site-packages"
    folder.mkdir()
    return Package(folder)
