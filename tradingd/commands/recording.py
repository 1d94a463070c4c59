"""Runs of one configuration that record what is decided, each in a process of its own.

A process of its own, because a module of a strategy may keep what it has read: in the process of the full run it
would still know the future that a cut run must not know.
"""

import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import ForkContext, ForkProcess, SpawnContext, SpawnProcess
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

from tradingd.analytics.lookahead import DECISIONS, Decision, DecisionLog
from tradingd.app import build, load_market_data, make_strategies, register_all
from tradingd.commands.file_view import FileView, absolute, named_data, watch_opens
from tradingd.commands.overlay import overlay
from tradingd.config import Settings, load_settings
from tradingd.data.handler import DataHandler
from tradingd.data.truncation import DataFile, data_file, recorded_file
from tradingd.domain.events import FeedEvent
from tradingd.domain.loading import explain
from tradingd.errors import ComponentError, DataError, TradingdError
from tradingd.runtime.sync_manager import SyncEventManager

__all__ = ["Recording", "Runner", "Survey"]

T = TypeVar("T")

_MARKS = 512
"""Among how many moments, spread over the events, cuts are chosen."""


@dataclass(frozen=True)
class Survey:
    """What a run has: its data files, its strategies, and from when on all its series have something."""

    files: tuple[DataFile, ...]
    strategies: tuple[str, ...]
    events: int
    first_ts: int
    last_ts: int
    earliest: int
    uncut: tuple[str, ...]
    """Files that parameters name and that no time can be found in: they are the same in every run."""


@dataclass
class Recording:
    """What one run decided."""

    decisions: list[Decision]
    events: int
    marks: list[int] = field(default_factory=list)
    """Times of market events, spread over the run."""
    overlaid: bool = False
    """Whether the data files were cut at their own paths, too."""
    bypassed: list[str] = field(default_factory=list)
    """Data files that were opened whole, outside of the view."""


@dataclass(frozen=True)
class Runner:
    """Runs a configuration; `folder` is for what it writes and removes again."""

    files: Sequence[Path]
    sets: Sequence[str]
    folder: Path
    in_place: bool = True
    """Whether cut runs may try to find cut data at the files' own paths, too; see `overlay`."""

    def survey(self) -> Survey:
        """Load everything without running it.

        Raises:
            TradingdError: the configuration or its data are wrong.

        """
        return self._apart(_fork(), self._survey)

    def twice(self, survey: Survey) -> list[Recording]:
        """The full run, and once more in the same process."""
        return self._apart(_fork(), _Full(self, survey, times=2))

    def afresh(self, survey: Survey) -> Recording:
        """The full run in a new interpreter, where text has other hashes."""
        return self._apart(_spawn(), _Full(self, survey, times=1))[0]

    def cut(self, survey: Survey, until_ns: int) -> Recording:
        """The run on data that end at `until_ns`."""
        return self._apart(_fork(), _Cut(self, survey, until_ns))

    # --- in the parent -----------------------------------------------------------------------------------------

    def _apart(self, context: ForkContext | SpawnContext, work: Callable[[], T]) -> T:
        """What `work` returns or raises in a process of its own."""
        result = self.folder / "result"
        process: ForkProcess | SpawnProcess = context.Process(target=_perform, args=(work, result))
        process.start()
        try:
            process.join()
        finally:
            process.kill()
            process.join()
            rmtree(self.view_folder, ignore_errors=True)
        if not result.exists():
            raise ComponentError(f"a run of the check ended without a result (exit code {process.exitcode})")
        is_error, found = pickle.loads(result.read_bytes())  # noqa: S301 - our own process wrote it
        result.unlink()
        if is_error:
            raise found
        outcome: T = found
        return outcome

    @property
    def view_folder(self) -> Path:
        """Where every run finds its view: the same for all, so that paths do not tell them apart."""
        return self.folder / "view"

    # --- in the child ------------------------------------------------------------------------------------------

    def _survey(self) -> Survey:
        settings = self._settings(self.files)
        container = build(settings)
        strategies = make_strategies(container)
        report = load_market_data(container, strategies)
        recorded = [recorded_file(each.spec) for each in report.series]
        named = _named(settings) - {absolute(each.path) for each in recorded}
        found, uncut = _sorted_out(sorted(named))
        starts = ((each.range_first_ts or 0) + each.spec.interval_ns for each in report.series)
        return Survey(
            files=(*recorded, *found),
            strategies=tuple(each.strategy_id for each in strategies),
            events=report.total_events,
            first_ts=report.first_ts,
            last_ts=report.last_ts,
            earliest=max(starts),
            uncut=tuple(uncut),
        )

    def enter(self, survey: Survey, until_ns: int | None) -> tuple[Settings, FileView]:
        """Make the view and move this process into it."""
        here = Path.cwd()
        configs = [absolute(path) for path in self.files]
        view = FileView(self.view_folder, survey.files, [here, *(path.parent for path in configs)])
        view.build(until_ns)
        settings = self._settings([view.inside(path) for path in configs])
        os.chdir(view.inside(here))
        sys.path[:] = [_import_from(view, entry) for entry in sys.path]
        return _redirected(settings, view), view

    def _settings(self, files: Sequence[Path]) -> Settings:
        return load_settings(files, overrides=[*self.sets, "run.mode=backtest"], environ=os.environ)


@dataclass(frozen=True)
class _Full:
    runner: Runner
    survey: Survey
    times: int

    def __call__(self) -> list[Recording]:
        settings, _ = self.runner.enter(self.survey, None)
        return [_record(settings) for _ in range(self.times)]


@dataclass(frozen=True)
class _Cut:
    runner: Runner
    survey: Survey
    until_ns: int

    def __call__(self) -> Recording:
        settings, view = self.runner.enter(self.survey, self.until_ns)
        overlaid = self.runner.in_place and overlay({path: view.inside(path) for path in view.files})
        bypassed: list[str] = []
        if not overlaid:
            watch_opens(view.files, bypassed.append)
        recording = _record(settings)
        recording.overlaid = overlaid
        recording.bypassed = list(dict.fromkeys(bypassed))
        return recording


def _fork() -> ForkContext:
    return multiprocessing.get_context("fork")


def _spawn() -> SpawnContext:
    return multiprocessing.get_context("spawn")


def _perform(work: Callable[[], object], result: Path) -> None:
    """Do the work of a child process and leave its result, or its error, in a file."""
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what strategies print would be printed once for every run
        os.dup2(silent, stream)
    outcome: tuple[bool, object]
    try:
        outcome = (False, work())
    except TradingdError as error:
        outcome = (True, error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the boundary of a process: told by the parent
        outcome = (True, ComponentError(f"a run of the check failed: {type(error).__name__}: {error}"))
    written = result.with_suffix(".part")
    written.write_bytes(pickle.dumps(outcome))
    written.rename(result)


def _record(settings: Settings) -> Recording:
    """Run to the end of the data and no further: what a stop sets off is nothing that was decided."""
    container = build(settings)
    strategies = make_strategies(container)
    report = load_market_data(container, strategies)
    register_all(container, strategies)
    manager: SyncEventManager = container.get("event_manager")
    data: DataHandler = container.get("data_handler")
    log = DecisionLog(manager)
    manager.observe(log.observe, DECISIONS)
    manager.clock.advance_to(report.first_ts)
    lost: list[str] = []
    manager.on_observer_failure = lambda name, error: lost.append(f"{name}: {explain(error)}")
    marks: list[int] = []
    manager.start()
    manager.run(_marked(data.stream(), max(report.total_events // _MARKS, 1), marks))
    if lost:
        raise ComponentError(f"decisions could not be recorded: {lost[0]}")
    return Recording(log.decisions, manager.market_events, marks)


def _marked(events: Iterable[FeedEvent], every: int, marks: list[int]) -> Iterator[FeedEvent]:
    """The events; the times of every so many of them, and of the last, are noted."""
    number, ts = 0, 0
    for number, event in enumerate(events, 1):
        ts = event.ts
        if not number % every:
            marks.append(ts)
        yield event
    if number and marks[-1:] != [ts]:
        marks.append(ts)


def _named(settings: Settings) -> set[Path]:
    """Every file that parameters of strategies and of the sizer name."""
    bases = (Path.cwd(), settings.base_dir)
    wanted: list[Any] = [each.params for each in settings.strategies if each.enabled]
    return named_data([*wanted, settings.risk.sizer.params], bases)


def _sorted_out(paths: Iterable[Path]) -> tuple[list[DataFile], list[str]]:
    """The files that can be cut, and those that cannot."""
    found: list[DataFile] = []
    uncut: list[str] = []
    for path in paths:
        try:
            found.append(data_file(path))
        except DataError as error:
            uncut.append(str(error))
    return found, uncut


def _redirected(settings: Settings, view: FileView) -> Settings:
    """The settings with every path to data led into the view."""
    data, risk = settings.data, settings.risk
    files = [each.model_copy(update={"path": view.redirected(each.path)}) for each in data.files]
    strategies = [each.model_copy(update={"params": view.redirected(each.params)}) for each in settings.strategies]
    sizer = risk.sizer.model_copy(update={"params": view.redirected(risk.sizer.params)})
    return settings.model_copy(
        update={
            "data": data.model_copy(update={"catalog": view.redirected(data.catalog), "files": files}),
            "strategies": strategies,
            "risk": risk.model_copy(update={"sizer": sizer}),
        }
    )


def _import_from(view: FileView, entry: str) -> str:
    """Where to import from in the view; not tradingd itself, which is imported already."""
    if not entry or any((Path(entry) / name).exists() for name in ("tradingd", "pyvenv.cfg")):
        return entry
    return str(view.redirected(entry))
