"""`tradingd sweep`: the configured strategy over a grid of parameters."""

import csv
import heapq
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tradingd.analytics.summary import decimal_text
from tradingd.commands.output import echo_json, echo_table
from tradingd.config import Settings, load_settings
from tradingd.errors import OutputError, UsageError

if TYPE_CHECKING:
    from tradingd.sweep.grid import Grid
    from tradingd.sweep.runner import Figures, Simulation

__all__ = ["run_sweep"]

_COLUMNS = (
    "return_percent", "max_drawdown_percent", "sharpe", "fills", "fees", "refused", "halt", "equity", "status",
)  # fmt: skip
_SUFFIXES = (".csv", ".parquet")
_BATCH = 4096

_Rows = Sequence[Mapping[str, Any]]
_Write = Callable[[_Rows], None]


def run_sweep(
    files: Sequence[Path],
    sets: Sequence[str],
    params: Sequence[str],
    *,
    top: int,
    out: Path | None,
    workers: int | None,
    verify: bool,
    as_json: bool,
) -> None:
    """Simulate every parameter set of the grid, print the best, and write all of them where asked to."""
    threads = _workers(workers)
    if top < 1:
        raise UsageError(f"--top {top}: give 1 or more")
    if out is not None and out.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"--out {out}: name a file that ends in {' or '.join(_SUFFIXES)}")
    load_settings(files, overrides=sets, environ=os.environ)  # what it says of run.mode is checked, then replaced
    settings = load_settings(files, overrides=[*sets, "run.mode=backtest"], environ=os.environ)
    grid = _grid(settings, params)
    _require_extra()

    from tradingd.sweep.runner import prepare

    simulation = prepare(settings)
    report = {
        "strategy": _only_enabled(settings).name,
        "symbol": simulation.symbol,
        "bars": len(simulation.bars.ts),
        **_sweep(simulation, grid, _Results(grid.names, top, out), threads),
    }
    best = report["best"]
    if verify and best:
        from tradingd.sweep.verify import verify as hold_against

        agreed = hold_against(simulation, grid.with_values({name: best[0][name] for name in grid.names}))
        report["verified"] = {"fills": agreed.fills, "equity": decimal_text(agreed.equity)}
    _show(report, grid, simulation.currency, as_json=as_json)


def _require_extra() -> None:
    try:
        import numba  # noqa: F401
        import numpy  # noqa: F401, ICN001
    except ImportError as error:
        raise UsageError(f"a sweep needs numba and numpy: pip install 'tradingd[sweep]' ({error})") from error


def _workers(asked: int | None) -> int:
    if asked is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not 1 <= asked <= _MOST_WORKERS:
        raise UsageError(f"--workers {asked}: give 1 to {_MOST_WORKERS}")
    return asked


_MOST_WORKERS = 256


def _only_enabled(settings: Settings) -> Any:  # noqa: ANN401 - StrategySettings
    enabled = [each for each in settings.strategies if each.enabled]
    if len(enabled) != 1:
        raise UsageError(
            f"a sweep runs one strategy, {len(enabled)} are configured and enabled; set enabled = false in the "
            "others"
        )
    return enabled[0]


def _grid(settings: Settings, params: Sequence[str]) -> "Grid":
    """The grid, checked as far as it can be without the data."""
    from tradingd.strategy.factory import load_strategy_class
    from tradingd.sweep.grid import Grid, parse_axes

    chosen = _only_enabled(settings)
    strategy = load_strategy_class(chosen.name)
    fields = [name for name in strategy.Params.model_fields if name not in {"symbol", "symbols"}]
    return Grid(strategy, chosen.params, parse_axes(params, fields))


def _sweep(simulation: "Simulation", grid: "Grid", results: "_Results", threads: int) -> dict[str, Any]:
    first = next(iter(grid), None)
    if first is None:
        raise UsageError(f"all {grid.size} parameter sets are invalid; of the first: {grid.complaint}")
    compiled = simulation.compile(first.params)
    began, cpu = time.perf_counter(), time.process_time()
    best = results.take(simulation.all_figures(grid, threads))
    cpu = time.process_time() - cpu
    return {
        "parameter_sets": results.count,
        "invalid": grid.invalid,
        "undecided": results.undecided,
        "compile_s": round(compiled, 3),
        "wall_s": round(time.perf_counter() - began, 3),
        "cpu_s": round(cpu, 3),
        "bars_per_core_s": round(len(simulation.bars.ts) * results.count / max(cpu, 1e-9)),
        "best": best,
    }


class _Results:
    """Keeps the best, writes all where asked to, holds none of the others."""

    def __init__(self, names: Sequence[str], top: int, out: Path | None) -> None:
        self.count = 0
        self.undecided = 0
        self._names = names
        self._top = top
        self._out = out

    def take(self, found: "Iterator[Figures]") -> list[dict[str, Any]]:
        """Take all results; returns the rows of the best, the best first."""
        if self._out is None:
            return self._best(found)
        with _writing(self._out, [*self._names, *_COLUMNS]) as write:
            return self._best(_passing(found, write))

    def _best(self, found: "Iterator[Figures]") -> list[dict[str, Any]]:
        return [_row(each) for each in heapq.nsmallest(self._top, self._counted(found), key=_rank)]

    def _counted(self, found: "Iterator[Figures]") -> "Iterator[Figures]":
        for each in found:
            self.count += 1
            if each.status == "ok":
                yield each
            else:
                self.undecided += 1


def _passing(found: "Iterator[Figures]", write: _Write) -> "Iterator[Figures]":
    """Pass results on, and the rows of all of them to a file, in the order of the grid."""
    while chunk := list(islice(found, _BATCH)):
        write([_row(each) for each in chunk])
        yield from chunk


def _rank(figures: "Figures") -> Any:  # noqa: ANN401 - a sort key
    """The highest return first; of equal ones the smaller drawdown, then the earlier in the grid."""
    return -figures.return_percent, figures.max_drawdown_percent


def _row(figures: "Figures") -> dict[str, Any]:
    """One parameter set as it is told in JSON and files."""
    row = {name: getattr(figures, name) for name in _COLUMNS}
    row["sharpe"] = None if isnan(figures.sharpe) else round(figures.sharpe, 4)
    if figures.status != "ok":
        return {**figures.params, **dict.fromkeys(_COLUMNS), "status": figures.status}
    row["max_drawdown_percent"] = round(figures.max_drawdown_percent, 4)
    for name in ("return_percent", "fees", "equity"):
        row[name] = decimal_text(row[name])
    return {**figures.params, **row}


def _show(report: Mapping[str, Any], grid: "Grid", currency: str, *, as_json: bool) -> None:
    if as_json:
        echo_json(report)
        return
    best = report["best"]
    titles = ("return %", "max drawdown %", "Sharpe", "fills", f"fees {currency}", "refused", "halt")
    if best:
        echo_table([*grid.names, *titles], [_cells(row, grid.names) for row in best])
    for line in _notes(report, grid):
        typer.echo(line)


def _cells(row: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    sharpe = "-" if row["sharpe"] is None else f"{row['sharpe']:.2f}"
    figures = (
        f"{float(row['return_percent']):.2f}",
        f"{row['max_drawdown_percent']:.2f}",
        sharpe,
        str(row["fills"]),
    )
    return [
        *(str(row[name]) for name in names),
        *figures,
        f"{float(row['fees']):.2f}",
        str(row["refused"]),
        row["halt"],
    ]


def _notes(report: Mapping[str, Any], grid: "Grid") -> Iterator[str]:
    """What there is to say below the table."""
    yield (
        f"{report['parameter_sets']} parameter sets of {report['strategy']} on {report['bars']:,} bars of "
        f"{report['symbol']}: {report['wall_s']} s, {report['bars_per_core_s']:,} bars/s a core; "
        f"machine code made or loaded in {report['compile_s']} s"
    )
    if report["invalid"]:
        yield f"{report['invalid']} combinations are invalid and left out; the first: {grid.complaint}"
    if report["undecided"]:
        yield (
            f"{report['undecided']} sets have no figures: a decision hung on digits the kernel does not keep, "
            "or the account outgrew its numbers; `tradingd backtest` can tell (docs/sweep.md)"
        )
    if "verified" in report:
        agreed = report["verified"]
        yield (
            f"Verified: the event engine makes the same {agreed['fills']} fills of the best set, "
            f"equity {agreed['equity']}"
        )


# --- files -----------------------------------------------------------------------------------------------------


@contextmanager
def _writing(path: Path, columns: Sequence[str]) -> Iterator[_Write]:
    """Give what writes rows to a file; amounts are decimal text, so that nothing is rounded."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _csv(path, columns) if path.suffix.lower() == ".csv" else _parquet(path, columns) as write:
            yield write
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; give another file") from error


@contextmanager
def _csv(path: Path, columns: Sequence[str]) -> Iterator[_Write]:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        yield writer.writerows


@contextmanager
def _parquet(path: Path, columns: Sequence[str]) -> Iterator[_Write]:
    from tradingd.data.parquet_table import import_pyarrow

    pa = import_pyarrow()
    with path.open("wb") as file, ExitStack() as stack:
        writer: Any = None

        def write(rows: _Rows) -> None:
            nonlocal writer
            if writer is None:
                writer = pa.parquet.ParquetWriter(file, _schema(pa, columns, rows), compression="zstd")
                stack.callback(writer.close)
            writer.write_table(pa.Table.from_pylist(rows, writer.schema))

        yield write


def _schema(pa: Any, columns: Sequence[str], rows: _Rows) -> Any:  # noqa: ANN401 - pyarrow
    """Texts for amounts and names, numbers for what is one."""
    kinds = {
        "fills": pa.int64(),
        "refused": pa.int64(),
        "max_drawdown_percent": pa.float64(),
        "sharpe": pa.float64(),
    }

    def kind(name: str) -> Any:  # noqa: ANN401
        if name in kinds:
            return kinds[name]
        return pa.string() if name in _COLUMNS else pa.infer_type([row[name] for row in rows])

    return pa.schema([(name, kind(name)) for name in columns])
