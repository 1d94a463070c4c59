"""The data handler: loads recorded series and hands out their events in the order of time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime

import msgspec

from tradingd.data.actions import NO_ACTIONS, ActionFiles, interleave
from tradingd.data.merge import merge_by_time
from tradingd.data.readers import is_adjusted, read_events
from tradingd.data.series import SeriesSpec, format_time, parse_time
from tradingd.data.validation import Gap, ScanReport, scan
from tradingd.domain.events import Bar, CorporateAction, FeedEvent
from tradingd.errors import DataError

__all__ = ["DataHandler", "LoadReport"]

Moment = str | date | datetime | int
"""A point in time as `series.parse_time` takes it."""

_SHOWN_PROBLEMS = 5
_DAY_NS = 86_400_000_000_000


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was loaded. Times are those of the events (a bar's is its close), nanoseconds UTC."""

    series: tuple[ScanReport, ...]
    total_events: int
    first_ts: int
    last_ts: int

    @property
    def gaps(self) -> dict[str, tuple[Gap, ...]]:
        """The holes of each symbol that has some (the first few of each series)."""
        found: dict[str, tuple[Gap, ...]] = {}
        for report in self.series:
            if report.gaps:
                found[report.spec.symbol] = (*found.get(report.spec.symbol, ()), *report.gaps)
        return found


class DataHandler:
    """Recorded market data, merged by time and handed out one event at a time; none of it is held in memory.

    `find` names the series of a symbol, raising a DataError for an unknown one. `publish` is told of every event
    that `get_next_bar` passes; the other ways of taking events publish nothing. `prices` is "raw" or "adjusted".
    `actions` are handed out among the events of their symbols, see `tradingd.data.actions`.
    """

    def __init__(
        self,
        find: Callable[[str], Sequence[SeriesSpec]],
        *,
        publish: Callable[[FeedEvent], None] | None = None,
        prices: str = "raw",
        actions: ActionFiles = NO_ACTIONS,
    ) -> None:
        if is_adjusted(prices) and actions:
            raise DataError('corporate actions need data.prices = "raw": adjusted prices have them already')
        self._actions = actions
        self._find = find
        self._publish = publish
        self._prices = prices
        self._symbols: frozenset[str] = frozenset()
        self._events: Iterator[FeedEvent] = iter(())
        self._total = 0
        self._delivered = 0

    @property
    def total_events(self) -> int:
        """How many events are loaded, delivered or not."""
        return self._total

    @property
    def delivered(self) -> int:
        """How many of them have been handed out."""
        return self._delivered

    def load_data(
        self, symbols: str | Sequence[str], start_date: Moment | None = None, end_date: Moment | None = None
    ) -> LoadReport:
        """Validate every series of `symbols` and get ready to hand out its events; replaces what was loaded.

        The range is of the file's times, so of bars' opens; an `end_date` without a time of day includes that day.
        Events of the same time come in the order of `symbols`.

        Raises:
            DataError: a symbol is unknown, a file is damaged or has faulty rows (the first of all files are
                told), or a series has nothing in the range. What was loaded before then stays.

        """
        start = None if start_date is None else parse_time(start_date)
        end = None if end_date is None else parse_time(end_date, end=True)
        if start is not None and end is not None and start > end:
            raise DataError(f"the range ends before it starts: {start_date} to {end_date}")
        specs = self._specs([symbols] if isinstance(symbols, str) else symbols)
        reports = self._scan(specs, start, end)
        named = dict.fromkeys(spec.symbol for spec in specs)
        actions = {symbol: found for symbol in named if (found := self._actions_of(symbol, reports))}
        streams: list[Iterator[FeedEvent]] = [read_events(spec, start, end, self._prices) for spec in specs]
        self._symbols = frozenset(named)
        self._events = merge_by_time(_with_actions(actions, specs, streams) if actions else streams)
        self._total = sum(report.rows_in_range for report in reports) + sum(map(len, actions.values()))
        self._delivered = 0
        return LoadReport(
            series=tuple(reports),
            total_events=self._total,
            first_ts=min((report.range_first_ts or 0) + report.spec.interval_ns for report in reports),
            last_ts=max((report.range_last_ts or 0) + report.spec.interval_ns for report in reports),
        )

    def has_more_data(self) -> bool:
        """Whether an event of any loaded symbol is left."""
        return self._delivered < self._total

    def next_event(self) -> FeedEvent | None:
        """Take the next event; None at the end. Publishes nothing.

        Raises:
            DataError: a file has been changed since it was loaded.

        """
        event = next(self._events, None)
        if event is None:
            self._require_all()
        else:
            self._delivered += 1
        return event

    def __iter__(self) -> Iterator[FeedEvent]:
        return self.stream()

    def stream(self) -> Iterator[FeedEvent]:
        """Take the rest of the events, as `next_event` would one by one."""
        for event in self._events:
            self._delivered += 1
            yield event
        self._require_all()

    def get_next_bar(self, symbol: str | None = None) -> Bar | None:
        """Take events in the order of time up to the next bar of `symbol` (None: of any); None at the end.

        Every event on the way, and the bar itself, is published first, so that a loop over one symbol's bars
        still feeds everybody who listens to the others.

        Raises:
            DataError: `symbol` is not loaded, or a file has been changed since it was loaded.

        """
        if symbol is not None and symbol not in self._symbols:
            loaded = ", ".join(sorted(self._symbols)) or "nothing"
            raise DataError(f"{symbol} is not loaded, {loaded} is; call load_data with it first")
        for event in self.stream():
            if self._publish is not None:
                self._publish(event)
            if isinstance(event, Bar) and symbol in {None, event.symbol}:
                return event
        return None

    def _require_all(self) -> None:
        # Without this, a caller that loops while `has_more_data` would never get out.
        if self._delivered != self._total:
            raise DataError(
                f"a data file has changed since it was loaded: {self._delivered} events instead of {self._total}"
            )

    def _actions_of(self, symbol: str, reports: Sequence[ScanReport]) -> list[CorporateAction]:
        """The actions that something held can live to see: after the first event, not after the last one began."""
        known = self._actions.of(symbol)
        own = [report for report in reports if report.spec.symbol == symbol]
        first = min(report.range_first_ts or 0 for report in own)
        last = max(report.range_last_ts or 0 for report in own)
        found = [action for action in known if first < action.ts <= last]
        longest = max(report.spec.interval_ns for report in own)
        if found and longest > _DAY_NS:
            raise DataError(
                f"{symbol} has corporate actions and bars of more than a day, which mix old and new prices; "
                "use daily bars"
            )
        return found

    def _specs(self, symbols: Sequence[str]) -> list[SeriesSpec]:
        specs = [spec for symbol in dict.fromkeys(symbols) for spec in self._find(symbol)]
        if not specs:
            raise DataError(f"there is no series to load for: {', '.join(symbols) or 'no symbols'}")
        return specs

    def _scan(self, specs: Sequence[SeriesSpec], start: int | None, end: int | None) -> list[ScanReport]:
        """Scan all files before any complaint, so that one run shows all that has to be mended."""
        reports: list[ScanReport] = []
        complaints: list[str] = []
        for spec in specs:
            try:
                report = scan(spec, start, end, prices=self._prices)
            except DataError as error:
                complaints.append(str(error))
                continue
            reports.append(report)
            complaints.extend(_complaints(report))
        if complaints:
            raise DataError("\n".join(complaints))
        return reports


def _with_actions(
    actions: Mapping[str, Sequence[CorporateAction]],
    specs: Sequence[SeriesSpec],
    streams: Sequence[Iterator[FeedEvent]],
) -> list[Iterator[FeedEvent]]:
    """One stream per symbol, in their order, of all its series and with its actions."""
    own: dict[str, list[Iterator[FeedEvent]]] = {}
    for spec, stream in zip(specs, streams, strict=True):
        own.setdefault(spec.symbol, []).append(stream)
    return [
        interleave(merge_by_time(series), actions[symbol]) if symbol in actions else merge_by_time(series)
        for symbol, series in own.items()
    ]


def _complaints(report: ScanReport) -> list[str]:
    shown = [str(problem) for problem in report.problems[:_SHOWN_PROBLEMS]]
    if report.problem_count > len(shown):
        shown.append(f"{report.spec.path}: {report.problem_count - len(shown)} more rows have problems")
    if not report.problem_count and not report.rows_in_range:
        held = f"{format_time(report.first_ts)} to {format_time(report.last_ts)}"
        shown.append(f"{report.spec} has nothing in that range; it has {report.rows} rows from {held}")
    return shown
