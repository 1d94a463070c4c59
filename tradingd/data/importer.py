"""Import a file of market data into a catalog: validated, converted, described by a TOML file beside it.

The catalog gets Parquet (zstd; int64 milliseconds, float64), or CSV where pyarrow is not installed.
"""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import msgspec

from tradingd.data.catalog import DATASET_FILE, INSTRUMENT_KEYS, refuse_unknown_keys
from tradingd.data.readers import open_table
from tradingd.data.series import SeriesKind, SeriesSpec, parse_interval
from tradingd.data.tables import ADJUSTED_CLOSE, Layout, layout_of, refuse
from tradingd.data.validation import ScanReport, scan
from tradingd.data.writing import csv_writer, parquet_writer, sidecar_text, staged
from tradingd.domain.money import from_market, to_decimal
from tradingd.errors import DataError, MoneyError

__all__ = ["ImportReport", "import_file"]

# Every batch becomes a row group: few enough to be small in all, small enough to hold.
_BATCH_ROWS = 65_536
_SHOWN_PROBLEMS = 20
_PRICES = {
    SeriesKind.BARS: ("open", "high", "low", "close"),
    SeriesKind.QUOTES: ("bid", "ask"),
    SeriesKind.TRADES: ("price",),
    SeriesKind.BOOKS: ("price",),
}
_EQUITY_LOT = "1"
_OTHER_LOT = "0.00000001"


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an import wrote."""

    path: Path
    sidecar: Path
    scan: ScanReport
    """Of the source: rows, range, warnings, gaps."""
    derived: dict[str, str]
    """The instrument's fields that were not given but derived: tick, lot."""
    dropped: tuple[str, ...]
    """The source's columns that tradingd does not read and that were left out."""


def import_file(
    source: Path,
    catalog_root: Path,
    *,
    dataset: str,
    symbol: str,
    interval: str | None,
    kind: SeriesKind,
    calendar: str,
    instrument: Mapping[str, str],
    overwrite: bool = False,
    origin: str = "",
) -> ImportReport:
    """Take `source` (CSV or Parquet) into the folder `dataset` of a catalog, as the series of `symbol`.

    Bars need an `interval`. A missing tick is derived as the finest decimal step of the prices, a missing lot as 1
    for shares and 0.00000001 for all else. `origin` tells where it came from, the file's name unless told. Nothing
    is written unless the whole file is sound, and what is written appears at once.

    Raises:
        DataError: the file has problems (all kept ones are told), an argument is wrong, or the series exists and
            `overwrite` is not set.

    """
    fields = _checked_instrument(instrument)
    bar_interval = (interval or "") if kind == SeriesKind.BARS else ""
    spec = SeriesSpec(
        symbol=symbol,
        path=source,
        kind=kind,
        interval_ns=parse_interval(bar_interval) if kind == SeriesKind.BARS else 0,
        calendar=calendar,
        instrument=dict(fields),
    )
    target = _target(catalog_root, dataset, symbol, overwrite=overwrite)
    report, layout, dropped = _inspect(spec)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot write to {target.parent}: {error.strerror}; give another catalog") from error
    sidecar = target.with_suffix(".toml")
    # The sidecar takes its place first: data never stand there undescribed.
    with staged(target) as staged_data, staged(sidecar) as staged_sidecar:
        exponent = _convert(spec, layout, staged_data, target.suffix)
        derived = _derive(fields, exponent)
        head = {"symbol": symbol, "kind": str(kind), "interval": bar_interval, "calendar": calendar}
        head["origin"] = origin or f"imported from {source.name}"
        staged_sidecar.write_text(sidecar_text(head, {**fields, **derived}), encoding="utf-8")
    for stale in _formats(target) - {target}:
        stale.unlink(missing_ok=True)
    return ImportReport(path=target, sidecar=sidecar, scan=report, derived=derived, dropped=dropped)


def _checked_instrument(instrument: Mapping[str, str]) -> Mapping[str, str]:
    refuse_unknown_keys(instrument, INSTRUMENT_KEYS, "instrument")
    for name in instrument.keys() & {"tick", "lot"}:
        try:
            value = to_decimal(instrument[name])
        except MoneyError as error:
            raise DataError(f"instrument: {name} {error}") from error
        if value <= 0:
            raise DataError(f"instrument: {name} {value} must be greater than 0")
    return instrument


def _target(root: Path, dataset: str, symbol: str, *, overwrite: bool) -> Path:
    if not re.fullmatch(r"\w[\w.-]*", dataset):
        raise DataError(f"the dataset {dataset!r} must be one folder's name: letters, digits, _ - .")
    stem = re.sub(r"[^\w.-]", "_", symbol).lstrip(".")
    if not stem or f"{stem}.toml" == DATASET_FILE:
        raise DataError(f"the symbol {symbol!r} makes no name for a file; choose another")
    suffix = ".csv" if find_spec("pyarrow") is None else ".parquet"
    target = root / dataset / f"{stem}{suffix}"
    existing = sorted(path for path in _formats(target) if path.exists())
    if existing and not overwrite:
        raise DataError(f"{existing[0]} exists; choose another dataset, or overwrite it (--overwrite)")
    return target


def _formats(target: Path) -> set[Path]:
    """The files that would be the same series: both formats share one sidecar."""
    return {target.with_name(f"{target.stem}{suffix}") for suffix in (".csv", ".parquet")}


def _inspect(spec: SeriesSpec) -> tuple[ScanReport, Layout, tuple[str, ...]]:
    """Scan the source; its report, the columns to take over and those to leave out."""
    names = open_table(spec.path).names
    adjusted = spec.kind == SeriesKind.BARS and ADJUSTED_CLOSE in names
    layout = layout_of(spec, names, adjusted=adjusted)
    report = scan(spec, limit=_SHOWN_PROBLEMS, prices="adjusted" if adjusted else "raw")
    if report.problem_count:
        problems = "\n".join(map(str, report.problems))
        raise DataError(f"{spec.path} was not imported, it has {report.problem_count} problems:\n{problems}")
    return report, layout, tuple(name for name in names if name not in layout.names)


def _convert(spec: SeriesSpec, layout: Layout, target: Path, suffix: str) -> int:
    """Write the source's rows to `target`; the finest decimal place of its prices, as a power of ten."""
    writer = csv_writer if suffix == ".csv" else parquet_writer
    columns = [layout.numbers.index(name) for name in _PRICES[spec.kind]]
    exponent = 0
    with writer(target, layout) as write:
        for batch in open_table(spec.path).batches(layout, _BATCH_ROWS, refuse):
            write(batch)
            # A set first: prices repeat, and naming their digits is the dear part.
            prices = {price for index in columns for price in batch.numbers[index]}
            exponent = min(exponent, _finest_place(prices))
    return exponent


def _finest_place(prices: Collection[float]) -> int:
    exponents = (from_market(price).normalize().as_tuple().exponent for price in prices)
    return min((exponent for exponent in exponents if isinstance(exponent, int)), default=0)


def _derive(fields: Mapping[str, str], exponent: int) -> dict[str, str]:
    lot = _EQUITY_LOT if fields.get("kind") == "equity" else _OTHER_LOT
    defaults = {"tick": f"{Decimal(1).scaleb(exponent):f}", "lot": lot}
    return {name: value for name, value in defaults.items() if name not in fields}
