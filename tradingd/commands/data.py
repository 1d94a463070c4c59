"""`tradingd data list | check | import | resample`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from tradingd.commands.output import echo_json, echo_table
from tradingd.data.catalog import Catalog
from tradingd.data.importer import import_file
from tradingd.data.resample import resample
from tradingd.data.series import SeriesKind, SeriesSpec, format_interval, format_time, resolve_path
from tradingd.data.validation import ScanReport, scan
from tradingd.errors import DataError, UsageError

_SHOWN = 3

__all__ = ["check_catalog", "import_series", "list_catalog", "resample_series"]


def list_catalog(folder: Path, *, as_json: bool) -> None:
    """Print the series of a catalog, and the files that lack something."""
    catalog = _open(folder)
    rows = [(spec, _scan_or_none(spec)) for spec in catalog.series()]
    incomplete = catalog.incomplete()
    if as_json:
        lacking = [{"file": str(path), "reason": reason} for path, reason in incomplete]
        echo_json({"series": [_row(*row) for row in rows], "incomplete": lacking})
        return
    echo_table(
        ("symbol", "kind", "interval", "rows", "first", "last", "file"),
        [tuple(_row(spec, report).values()) for spec, report in rows],
    )
    for path, reason in incomplete:
        typer.echo(f"{path}: {reason}")
    if not rows and not incomplete:
        typer.echo(f"{catalog.root} has no Parquet or CSV files")


def check_catalog(folder: Path, symbol: str | None, *, as_json: bool) -> int:
    """Read every row; print problems, warnings and gaps; returns 65 if a series would be refused, else 0."""
    catalog = _open(folder)
    specs = [spec for spec in catalog.series() if symbol in (None, spec.symbol) and spec.kind != SeriesKind.TABLE]
    if not specs:
        raise DataError(f"{folder}: no series" + (f" of {symbol!r}" if symbol else "") + " to check")
    results = [(spec, *_try_scan(spec)) for spec in specs]
    if as_json:
        echo_json([_finding(spec, report, error) for spec, report, error in results])
    else:
        for spec, report, error in results:
            _print_finding(spec, report, error)
    refused = any(error or (report and report.problem_count) for _, report, error in results)
    return DataError.exit_code if refused else 0


def import_series(
    source: Path,
    catalog: Path,
    *,
    symbol: str,
    interval: str | None,
    dataset: str,
    kind: str,
    calendar: str,
    instrument: Sequence[str],
    overwrite: bool,
    as_json: bool,
) -> None:
    """Check a file and add it to a catalog; prints what was derived."""
    if interval is None and kind == SeriesKind.BARS:
        raise UsageError("bars need --interval, for example --interval 1m")
    report = import_file(
        source,
        catalog,
        dataset=dataset,
        symbol=symbol,
        interval=interval,
        kind=_kind(kind),
        calendar=calendar,
        instrument=_fields(instrument),
        overwrite=overwrite,
    )
    if as_json:
        echo_json(
            {"path": report.path, "rows": report.scan.rows, "derived": report.derived, "gaps": report.scan.missing}
        )
        return
    typer.echo(f"{report.path}: {report.scan.rows} rows of {symbol}")
    for name, value in report.derived.items():
        source_of = "the finest step of the prices" if name == "tick" else "the default"
        typer.echo(f"  {name} was not given: {value}, {source_of} (change it in {report.sidecar})")
    for column in report.dropped:
        typer.echo(f"  column {column!r} is not used and was left out")
    for warning in report.scan.warnings[:_SHOWN]:
        typer.echo(f"  warning: {warning}")
    if report.scan.warning_count > _SHOWN:
        typer.echo(f"  and {report.scan.warning_count - _SHOWN} more warnings: tradingd data check {catalog}")
    _print_gaps(report.scan)


def resample_series(
    catalog: Path,
    symbol: str,
    to: str,
    *,
    source: str,
    dataset: str,
    prices: str,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Build longer bars from a series and add them to its catalog; prints where they are."""
    known = _open(catalog)
    report = resample(known, symbol, to, source=source, dataset=dataset, prices=prices, overwrite=overwrite)
    if as_json:
        echo_json({"path": report.path, "rows": report.scan.rows, "gaps": report.scan.missing})
        return
    typer.echo(f"{report.path}: {report.scan.rows} bars of {symbol}")
    _print_gaps(report.scan)


def _open(folder: Path) -> Catalog:
    return Catalog(resolve_path(str(folder), Path.cwd()))


def _kind(text: str) -> SeriesKind:
    try:
        return SeriesKind(text)
    except ValueError:
        raise UsageError(f"--kind {text}: use bars, trades, quotes or books") from None


def _fields(pairs: Sequence[str]) -> dict[str, str]:
    fields = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise UsageError(f"--instrument {pair}: write it as FIELD=VALUE, for example tick=0.01")
        fields[name] = value
    return fields


def _try_scan(spec: SeriesSpec) -> tuple[ScanReport | None, str]:
    try:
        return scan(spec), ""
    except DataError as error:
        return None, str(error)


def _scan_or_none(spec: SeriesSpec) -> ScanReport | None:
    return None if spec.kind == SeriesKind.TABLE else _try_scan(spec)[0]


def _row(spec: SeriesSpec, report: ScanReport | None) -> Mapping[str, str]:
    return {
        "symbol": spec.symbol,
        "kind": str(spec.kind),
        "interval": format_interval(spec.interval_ns) if spec.interval_ns else "",
        "rows": str(report.rows) if report else "",
        "first": format_time(report.first_ts) if report else "",
        "last": format_time(report.last_ts) if report else "",
        "file": f"{spec.path.parent.name}/{spec.path.name}",
    }


def _finding(spec: SeriesSpec, report: ScanReport | None, error: str) -> dict[str, object]:
    if report is None:
        return {"symbol": spec.symbol, "path": str(spec.path), "error": error}
    return {
        "symbol": spec.symbol,
        "path": str(spec.path),
        "rows": report.rows,
        "problems": [str(problem) for problem in report.problems],
        "problem_count": report.problem_count,
        "warnings": [str(warning) for warning in report.warnings],
        "warning_count": report.warning_count,
        "gaps": [
            {"from": format_time(gap.start_ns), "to": format_time(gap.end_ns), "missing": gap.missing}
            for gap in report.gaps
        ],
        "gap_count": report.gap_count,
        "missing": report.missing,
    }


def _print_finding(spec: SeriesSpec, report: ScanReport | None, error: str) -> None:
    if report is None:
        typer.echo(f"REFUSED {error}")
        return
    verdict = "REFUSED" if report.problem_count else "ok"
    typer.echo(f"{verdict:7} {spec}: {report.rows} rows")
    for problem in report.problems:
        typer.echo(f"    {problem}")
    if report.problem_count > len(report.problems):
        typer.echo(f"    and {report.problem_count - len(report.problems)} more")
    for warning in report.warnings[:_SHOWN]:
        typer.echo(f"    warning: {warning}")
    if report.warning_count > _SHOWN:
        typer.echo(f"    and {report.warning_count - _SHOWN} more warnings")
    _print_gaps(report)


def _print_gaps(report: ScanReport, shown: int = 3) -> None:
    if not report.gap_count:
        return
    typer.echo(f"    {report.gap_count} gaps, {report.missing} bars missing; the longest that were kept:")
    for gap in sorted(report.gaps, key=lambda gap: -gap.missing)[:shown]:
        typer.echo(f"      {format_time(gap.start_ns)} to {format_time(gap.end_ns)}: {gap.missing} missing")
