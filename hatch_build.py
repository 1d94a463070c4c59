"""Compile the core with mypyc: `python hatch_build.py FOLDER`, or TRADINGD_COMPILE=1 while a wheel is built.

The compiled modules are the same files, type-checked and translated to C; nothing is written twice. Where there
are none (no C compiler, another Python), the plain files run. `docs/performance.md` tells what it brings.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent

MODULES = (
    "domain/money.py",
    "domain/order.py",
    "domain/position.py",
    "domain/prices.py",
    "portfolio",
    "execution",
    "broker",
    "risk",
    "runtime/async_manager.py",
    "runtime/clock.py",
    "runtime/manager.py",
    "runtime/sync_manager.py",
    "strategy/indicators",
)
"""What the path of a bar and of an order runs through. A folder stands for all modules in it."""

PLAIN = {"broker/base.py", "execution/algorithms/base.py", "risk/limits/base.py"}
"""Classes that users derive from stay plain."""


def modules(package: Path) -> list[str]:
    """The files to compile, relative to the folder that `package` is in."""
    found: list[Path] = []
    for name in MODULES:
        path = package / name
        found += [path] if path.suffix else sorted(path.rglob("*.py"))
    wanted = [path for path in found if path.name != "__init__.py" and str(path.relative_to(package)) not in PLAIN]
    return [str(path.relative_to(package.parent)) for path in wanted]


def compile_copy(folder: Path) -> Path:
    """Copy the package into `folder` and compile it there; returns the package's new place."""
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    package = folder.resolve() / "tradingd"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(ROOT / "tradingd", package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    before = Path.cwd()
    os.chdir(package.parent)
    try:
        extensions = mypycify([f"--config-file={ROOT / 'pyproject.toml'}", *modules(package)], target_dir="build")
        command = build_ext(Distribution({"name": "tradingd", "ext_modules": extensions}))
        command.inplace = True
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
    return package


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled modules to a wheel that is built with TRADINGD_COMPILE=1."""

    def dependencies(self) -> list[str]:
        """What compiling needs, beside a C compiler."""
        return ["mypy>=1.16", "setuptools"] if _wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and make the wheel one of this platform."""
        del version
        if not _wanted() or self.target_name != "wheel":
            return
        folder = Path(tempfile.mkdtemp(prefix="tradingd-build-"))
        package = compile_copy(folder)
        libraries = [*package.rglob("*.so"), *folder.glob("*.so")]
        build_data["force_include"].update({str(path): str(path.relative_to(folder)) for path in libraries})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _wanted() -> bool:
    return os.environ.get("TRADINGD_COMPILE") == "1"


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("usage: python hatch_build.py FOLDER")
    print(compile_copy(Path(sys.argv[1])))  # noqa: T201
