"""Resampling: a series of the catalog as longer bars, written as a new series of it."""

import csv
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tradingd.data.catalog import Catalog
from tradingd.data.importer import ImportReport, import_file
from tradingd.data.readers import read_events
from tradingd.data.series import NS_PER_MS, SeriesKind, SeriesSpec, format_interval, parse_interval
from tradingd.data.validation import scan
from tradingd.domain.aggregation import TimeBars
from tradingd.domain.events import Bar
from tradingd.errors import DataError

__all__ = ["resample"]

_TICKS = {SeriesKind.TRADES, SeriesKind.QUOTES}
_HEAD = ("timestamp", "open", "high", "low", "close", "volume")


def resample(
    catalog: Catalog,
    symbol: str,
    to: str,
    *,
    source: str = "",
    dataset: str = "",
    prices: str = "raw",
    overwrite: bool = False,
) -> ImportReport:
    """Build bars of length `to` ("5m", "1d") from a series of `symbol`, and add them to the catalog.

    `source` is the length of the bars to build from, or "trades" or "quotes"; unless told, the one series of bars
    or trades that there is for it. The bars go into the folder `dataset`, `resampled_<to>` unless told. They are
    those of a strategy's `aggregate`: at round times UTC, without bars for periods in which nothing was told, and
    without the last one if it is not over.

    Raises:
        DataError: there is no such series, or several; it has problems; the bars cannot be built from it, or are
            there already and `overwrite` is not set.

    """
    interval_ns = parse_interval(to)
    spec = _find(catalog, symbol, interval_ns, source)
    length = format_interval(interval_ns)
    folder = dataset or f"resampled_{length}"
    if catalog.root / folder == spec.path.parent:
        raise DataError(f"{spec} is in the dataset {folder} itself; choose another for what is built from it")
    _require_sound(spec, prices)
    with TemporaryDirectory(prefix="tradingd-resample-") as scratch:
        built = Path(scratch) / f"{spec.path.stem}.csv"
        if not _write(built, _bars(spec, interval_ns, prices)):
            raise DataError(f"{spec} is too short for one whole bar of {length}")
        return import_file(
            built,
            catalog.root,
            dataset=folder,
            symbol=symbol,
            interval=length,
            kind=SeriesKind.BARS,
            calendar=spec.calendar,
            instrument=_instrument(spec),
            overwrite=overwrite,
            origin=f"resampled from {_told(spec)} of {spec.path.parent.name}/{spec.path.name}, {prices} prices",
        )


def _find(catalog: Catalog, symbol: str, interval_ns: int, source: str) -> SeriesSpec:
    """The series to build from."""
    if source in _TICKS:
        return catalog.find(symbol, kind=SeriesKind(source))
    if source:
        spec = catalog.find(symbol, parse_interval(source), SeriesKind.BARS)
        if not _fits(spec, interval_ns):
            whole = f"bars of {format_interval(spec.interval_ns)}"
            raise DataError(f"{format_interval(interval_ns)} is not a whole number of {whole}, and more than one")
        return spec
    known = [spec for spec in catalog.series() if spec.symbol == symbol and _fits(spec, interval_ns)]
    if len(known) == 1:
        return known[0]
    if known:
        listing = "; ".join(map(str, known))
        raise DataError(f"{symbol} has several series to build from; tell which (--from 1m or trades): {listing}")
    there = "; ".join(str(spec) for spec in catalog.series() if spec.symbol == symbol)
    if not there:
        catalog.find(symbol)  # says what is near
    raise DataError(f"no bars of {format_interval(interval_ns)} can be built from what there is: {there}")


def _fits(spec: SeriesSpec, interval_ns: int) -> bool:
    """Whether such bars can be built from it; of quotes only if they are asked for, as they tell no volume."""
    if spec.kind == SeriesKind.BARS:
        return interval_ns > spec.interval_ns and interval_ns % spec.interval_ns == 0
    return spec.kind == SeriesKind.TRADES


def _require_sound(spec: SeriesSpec, prices: str) -> None:
    report = scan(spec, prices=prices)
    if report.problem_count:
        problems = "\n".join(map(str, report.problems))
        raise DataError(f"{spec} was not resampled, it has {report.problem_count} problems:\n{problems}")


def _bars(spec: SeriesSpec, interval_ns: int, prices: str) -> Iterator[Bar]:
    bars = TimeBars(interval_ns)
    for event in read_events(spec, prices=prices):
        yield from bars.update(event)


def _write(path: Path, bars: Iterator[Bar]) -> int:
    """Write bars as they come, their floats in full; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEAD)
        for bar in bars:
            opened = bar.ts_open // NS_PER_MS
            writer.writerow((opened, bar.open, bar.high, bar.low, bar.close, bar.volume))
            count += 1
    return count


def _instrument(spec: SeriesSpec) -> dict[str, str]:
    fields = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in spec.instrument.items()
    }
    return fields | ({"allow_negative_prices": "true"} if spec.allow_negative_prices else {})


def _told(spec: SeriesSpec) -> str:
    return f"the {spec.kind}" if spec.kind in _TICKS else f"the {format_interval(spec.interval_ns)} bars"
