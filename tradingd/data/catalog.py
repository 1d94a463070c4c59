"""The catalog: a folder of recorded series and what their TOML files say about them.

A series is a `*.parquet` or `*.csv` file in the catalog's root or in one of its dataset folders, or a folder
`*.parts` there that holds such files, as a recorder writes them (`tradingd.data.parts`). A `dataset.toml`
holds what is common to all files of its folder; `<stem>.toml` beside a file overrides it for that one::

    symbol = "EUR/USD"      # only beside a file; the file's stem unless told
    kind = "bars"           # bars, quotes, trades, books; table = reference data that is not traded
    interval = "1h"
    calendar = "weekdays"   # or "24/7"
    depth = 20              # of books: the levels that are told a side
    origin = "where it came from"
    licence = "what may be done with it"

    [instrument]            # the fields of tradingd's Instrument, as text, and allow_negative_prices
    tick = "0.00001"

No data file is opened here.
"""

import difflib
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tradingd.data.parts import PARTS_SUFFIX, part_files
from tradingd.data.series import ALWAYS, BOOK_DEPTH, SeriesKind, SeriesSpec, format_interval, parse_interval
from tradingd.domain.instrument import Instrument
from tradingd.errors import DataError

__all__ = ["DATASET_FILE", "INSTRUMENT_KEYS", "Catalog", "refuse_unknown_keys"]

DATASET_FILE = "dataset.toml"
INSTRUMENT_KEYS = (*(name for name in Instrument.__struct_fields__ if name != "symbol"), "allow_negative_prices")
"""What an [instrument] table may hold."""

_DATASET_KEYS = ("kind", "interval", "calendar", "depth", "origin", "licence", "instrument")
_SIDECAR_KEYS = ("symbol", *_DATASET_KEYS)
_DATA_SUFFIXES = {".parquet", ".csv"}
_NEAREST = 5
_SHOWN = 12


class _Metadata(msgspec.Struct, frozen=True):
    """What the TOML files say of one series, before it is known to be enough."""

    symbol: str
    kind: SeriesKind = SeriesKind.BARS
    interval: str = ""
    calendar: str = ALWAYS
    depth: int = BOOK_DEPTH
    origin: str = ""
    licence: str = ""
    instrument: dict[str, str | bool | int] = msgspec.field(default_factory=dict)


class Catalog:
    """The series below `root`, as they were when the catalog was made.

    Raises:
        DataError: `root` is no folder, or a TOML file in it is damaged, has an unknown key or a bad value.

    """

    def __init__(self, root: Path) -> None:
        if root.exists() and not root.is_dir():
            raise DataError(f"{root} is a file; a catalog is the folder that holds folders of such files")
        if not root.is_dir():
            raise DataError(
                f"the data folder {root} does not exist; create it, or set the key data.catalog of the "
                "configuration to the folder that holds your data"
            )
        self.root = root
        self._incomplete: list[tuple[Path, str]] = []
        found = [spec for folder in _folders(root) for spec in self._read_folder(folder)]
        self._series = tuple(sorted(found, key=_sort_key))

    def series(self) -> tuple[SeriesSpec, ...]:
        """Every complete series, sorted by symbol, kind, interval and path."""
        return self._series

    def incomplete(self) -> tuple[tuple[Path, str], ...]:
        """The files that cannot be read yet: each with what it lacks and how to mend it."""
        return tuple(self._incomplete)

    def find(self, symbol: str, interval_ns: int | None = None, kind: SeriesKind | None = None) -> SeriesSpec:
        """The one series of `symbol`; `interval_ns` and `kind` choose among several.

        Raises:
            DataError: there is none (with the nearest names), or more than one (with all of them).

        """
        known = [spec for spec in self._series if spec.symbol == symbol and spec.kind != SeriesKind.TABLE]
        if not known:
            raise DataError(self._unknown(symbol))
        matches = [
            spec
            for spec in known
            if interval_ns in {None, spec.interval_ns} and (kind is None or spec.kind == kind)
        ]
        if len(matches) == 1:
            return matches[0]
        listing = "; ".join(map(str, matches or known))
        if matches:
            raise DataError(f"{symbol} is ambiguous, tell the interval or the kind: {listing}")
        wish = " ".join([kind or "", format_interval(interval_ns) if interval_ns else ""]).strip()
        raise DataError(f"{symbol} has no series of {wish}; there is: {listing}")

    def _unknown(self, symbol: str) -> str:
        names = {spec.symbol for spec in self._series if spec.kind != SeriesKind.TABLE}
        nearest = difflib.get_close_matches(symbol, sorted(names), n=_NEAREST, cutoff=0.4)
        reasons = [f"{path}: {reason}" for path, reason in self._incomplete if path.stem == symbol]
        if reasons:
            return f"{symbol} cannot be read yet: {'; '.join(reasons)}"
        if nearest:
            return f"there is no series {symbol} in {self.root}; the nearest: {', '.join(nearest)}"
        shown = sorted(names)[:_SHOWN]
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        return f"there is no series {symbol} in {self.root}; it has {', '.join(shown) or 'none'}{more}"

    def _read_folder(self, folder: Path) -> Iterator[SeriesSpec]:
        defaults = _read_toml(folder / DATASET_FILE, _DATASET_KEYS)
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        data = [path for path in files if path.suffix in _DATA_SUFFIXES]
        data += [path for path in sorted(folder.glob(f"*{PARTS_SUFFIX}")) if path.is_dir() and part_files(path)]
        for path in data:
            spec = self._read_series(path, defaults)
            if spec is not None:
                yield spec
        stems = {path.stem for path in data}
        for path in files:
            if path.suffix == ".toml" and path.name != DATASET_FILE and path.stem not in stems:
                self._incomplete.append((path, f"there is no data file {path.stem}.parquet or .csv beside it"))

    def _read_series(self, path: Path, defaults: dict[str, Any]) -> SeriesSpec | None:
        sidecar = path.with_suffix(".toml")
        metadata = _metadata(path, defaults, _read_toml(sidecar, _SIDECAR_KEYS))
        if metadata.kind == SeriesKind.BARS and not metadata.interval:
            mend = f'write interval = "1d" (or 1m, 1h, ...) into {sidecar.name} or {DATASET_FILE} beside it'
            self._incomplete.append((path, f"its bars have no interval: {mend}"))
            return None
        try:
            return _spec(path, metadata)
        except DataError as error:
            raise DataError(f"{sidecar.name} or {DATASET_FILE} of {path}: {error}") from None


def _sort_key(spec: SeriesSpec) -> tuple[str, str, int, Path]:
    return spec.symbol, spec.kind, spec.interval_ns, spec.path


def _folders(root: Path) -> Iterator[Path]:
    yield root
    folders = (path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    yield from sorted(path for path in folders if path.suffix != PARTS_SUFFIX)


def _read_toml(path: Path, allowed: Collection[str]) -> dict[str, Any]:
    """The TOML file as a dict; empty if there is none."""
    if not path.is_file():
        return {}
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no valid TOML: {error}") from error
    refuse_unknown_keys(table, allowed, str(path))
    instrument = table.get("instrument", {})
    if not isinstance(instrument, dict):
        raise DataError(f"{path}: instrument must be a table: write [instrument] and its keys below it")
    refuse_unknown_keys(instrument, INSTRUMENT_KEYS, f"{path} [instrument]")
    for key, value in instrument.items():
        if isinstance(value, float):
            raise DataError(f'{path} [instrument]: {key} must be text, to be exact: {key} = "{value}"')
    return table


def refuse_unknown_keys(keys: Iterable[str], allowed: Collection[str], where: str) -> None:
    """Raise a DataError for the first key that is not allowed, naming the nearest that is."""
    for key in keys:
        if key not in allowed:
            nearest = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"there are: {', '.join(allowed)}"
            raise DataError(f"{where}: unknown key {key}; {hint}")


def _metadata(path: Path, defaults: Mapping[str, Any], own: Mapping[str, Any]) -> _Metadata:
    instrument = {**defaults.get("instrument", {}), **own.get("instrument", {})}
    table = {"symbol": path.stem, **defaults, **own, "instrument": instrument}
    try:
        return msgspec.convert(table, _Metadata)
    except msgspec.ValidationError as error:
        raise DataError(f"{path.stem}.toml or {DATASET_FILE} of {path}: {error}") from error


def _spec(path: Path, metadata: _Metadata) -> SeriesSpec:
    instrument: dict[str, Any] = dict(metadata.instrument)
    if instrument.get("kind") == "equity":
        instrument.setdefault("base", metadata.symbol)  # the share is the base asset
    return SeriesSpec(
        symbol=metadata.symbol,
        path=path,
        kind=metadata.kind,
        interval_ns=parse_interval(metadata.interval) if metadata.kind == SeriesKind.BARS else 0,
        calendar=metadata.calendar,
        depth=metadata.depth,
        instrument=instrument,
        origin=metadata.origin,
        licence=metadata.licence,
    )
