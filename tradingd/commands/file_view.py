"""A view of the file system in which recorded data end at a moment.

It is a folder with links to everything there is, and with copies that are cut off in place of data files: for
`/home/me/data/AAPL.parquet` there is `<view>/home/me/data/AAPL.parquet`. A run that starts in there, its
configuration read from there, finds relative paths, `..` and the folder of a strategy's own module in the view.
What a view cannot change is a path that leads out of it: an absolute one that is written in a strategy. For those
there is `overlay`, where the system allows it, and `watch_opens` where it does not.
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tradingd.data.series import resolve_path
from tradingd.data.truncation import DATA_SUFFIXES, DataFile, truncate
from tradingd.errors import DataError

__all__ = ["FileView", "absolute", "named_data", "watch_opens"]


class FileView:
    """The view at `root`, with `files` to be cut and `folders` that are to be real folders in it."""

    def __init__(self, root: Path, files: Iterable[DataFile], folders: Iterable[Path]) -> None:
        self.root = root
        self.files = {path: each for each in files for path in (absolute(each.path), each.path.resolve())}
        entered = {absolute(folder) for folder in folders} | {path.parent for path in self.files}
        self._folders = {ancestor for folder in entered for ancestor in (folder, *folder.parents)}

    def build(self, until_ns: int | None) -> None:
        """Make the view; data files end at `until_ns`, or are the whole ones (None)."""
        for folder in sorted(self._folders):
            self._build_folder(folder, until_ns)

    def _build_folder(self, folder: Path, until_ns: int | None) -> None:
        target = self.inside(folder)
        target.mkdir(parents=True, exist_ok=True)
        for entry in _entries(folder):
            if entry in self._folders or entry == self.root.parent:
                continue
            file = self.files.get(entry)
            if file is None or until_ns is None:
                (target / entry.name).symlink_to(entry)
            else:
                truncate(file, target / entry.name, until_ns)

    def inside(self, path: Path) -> Path:
        """Where a path is in the view."""
        path = absolute(path)
        return path if path.is_relative_to(self.root) else self.root / path.relative_to(path.anchor)

    def redirected(self, value: Any) -> Any:  # noqa: ANN401 - what a configuration holds
        """A parameter with its absolute and `pkg:` paths to cut files, or to their folders, put into the view."""
        if isinstance(value, str):
            path = _path_of(value)
            known = path is not None and (path in self.files or path in self._folders)
            return str(self.inside(path)) if known and path is not None else value
        if isinstance(value, dict):
            return {key: self.redirected(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self.redirected, value))
        return value


def absolute(path: Path) -> Path:
    """The path from the root, without `..`; links in it stay."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps `..`


def named_data(value: Any, bases: Sequence[Path]) -> set[Path]:  # noqa: ANN401 - what a configuration holds
    """The files that a parameter names, and the data files of folders that it names (and of those in them)."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return {path for item in value for path in named_data(item, bases)}
    if not isinstance(value, str | Path) or not str(value).strip():
        return set()
    whole = _path_of(str(value))
    candidates = [whole] if whole is not None else [absolute(base / str(value)) for base in bases]
    return {file for path in candidates for file in _files_at(path)}


def _path_of(text: str) -> Path | None:
    """The path that a text means wherever it is read, if it does."""
    if not text.startswith(("/", "~", "pkg:")):
        return None
    try:
        return absolute(resolve_path(text, Path("/")))
    except (DataError, RuntimeError):  # no such package, no such user: then it is no path
        return None


def _files_at(path: Path) -> set[Path]:
    try:
        if path.is_file():
            return {path}
        if path.is_dir() and path != Path(path.anchor):
            return {each for glob in ("*", "*/*") for each in path.glob(glob) if _is_data(each)}
    except (OSError, ValueError):  # a text that cannot be a path, or a folder that may not be read
        pass
    return set()


def _is_data(path: Path) -> bool:
    return path.suffix.lower() in DATA_SUFFIXES and path.is_file()


def _entries(folder: Path) -> list[Path]:
    try:
        return [folder / name for name in os.listdir(folder)]  # noqa: PTH208 - the names are what is wanted
    except PermissionError:  # it may be passed through, not read: nothing can be found by its name there
        return []


def watch_opens(files: Iterable[Path], tell: Callable[[str], None]) -> None:
    """Tell of each of `files` that Python opens from now on, for the rest of the process."""
    watched = {str(path) for path in files}
    names = {os.path.basename(path) for path in watched}  # noqa: PTH119 - they are texts

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes):
            text = os.fsdecode(arguments[0])
            if os.path.basename(text) in names and {os.path.abspath(text), os.path.realpath(text)} & watched:  # noqa: PTH100, PTH119
                tell(text)

    sys.addaudithook(audit)
