"""Compile a copy of the core with mypyc, to measure what that would bring: `python benchmarks/compile.py FOLDER`.

An experiment, not a way to run tradingd: the compiled modules meet a value of a wrong type with TypeErrors of
their own before our checks can say what to mend, so that some tests fail on them. The files are the same; nothing
is written twice. It takes a C compiler, setuptools, and some minutes.
"""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

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


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/compile.py FOLDER")
    print(compile_copy(Path(sys.argv[1])))
