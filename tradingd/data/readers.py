"""Read a series as market events, streaming: memory does not grow with the file.

Values are trusted here, because `validation.scan` has looked at every row before; what cannot be turned into an
event at all (a null, an unknown side, a row cut off) still raises.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from operator import mul, truediv
from pathlib import Path

from tradingd.data.books import BookReplay, rows_of
from tradingd.data.parts import PARTS_SUFFIX, PartsTable, single_table
from tradingd.data.rules import SIDES
from tradingd.data.series import NS_PER_MS, SeriesKind, SeriesSpec
from tradingd.data.tables import ADJUSTED_CLOSE, Batch, Layout, Table, Window, layout_of, refuse, window_of
from tradingd.domain.events import Bar, MarketEvent, Quote, Trade
from tradingd.errors import DataError

__all__ = ["PRICES", "is_adjusted", "open_table", "read_events"]

PRICES = ("raw", "adjusted")
"""How bars may be priced: as traded, or with splits and dividends taken out by the file's adj_close."""

_Times = list[int]
_Columns = list[list[float]]
_Texts = list[list[str]]
_Build = Callable[[SeriesSpec, _Times, _Columns, _Texts], Iterator[MarketEvent]]


def open_table(path: Path) -> Table:
    """The file, or the folder of parts, as a table of columns, by its suffix.

    Raises:
        DataError: the file is missing, damaged, empty, or neither .parquet nor .csv.

    """
    return PartsTable(path) if path.suffix == PARTS_SUFFIX else single_table(path)


def is_adjusted(prices: str) -> bool:
    """Whether `prices`, one of PRICES, asks for adjusted ones.

    Raises:
        DataError: it is none of them.

    """
    if prices not in PRICES:
        raise DataError(f"prices are {' or '.join(PRICES)}, not {prices!r}")
    return prices == "adjusted"


def read_events(
    spec: SeriesSpec,
    start_ns: int | None = None,
    end_ns: int | None = None,
    prices: str = "raw",
    batch_rows: int = 8192,
) -> Iterator[MarketEvent]:
    """The events of a series whose file time (a bar's open) is within [start, end], in the file's order.

    A bar's `ts` is its close. A tick's `ts` is when it was received, where the file tells that, else the
    exchange's own time. `prices` "adjusted" multiplies open, high, low and close by adj_close / close; volume is
    left as it was traded.

    Raises:
        DataError: the file cannot be read, lacks a column (at once), or a row is damaged (when it is reached).

    """
    table = open_table(spec.path)
    layout = layout_of(spec, table.names, adjusted=is_adjusted(prices))
    if spec.kind == SeriesKind.BOOKS:
        return _books(spec, table, layout, window_of(start_ns, end_ns), batch_rows)
    # Chained maps: from here to the consumer no Python frame runs per event.
    return chain.from_iterable(_built(spec, table, layout, window_of(start_ns, end_ns), batch_rows))


def _built(
    spec: SeriesSpec, table: Table, layout: Layout, window: Window, batch_rows: int
) -> Iterator[Iterator[MarketEvent]]:
    build = _BUILD[spec.kind]
    for batch in table.batches(layout, batch_rows, refuse):
        if batch.times[0] > window.end:
            return
        low, high = window.cut(batch.times)
        if low == high:
            continue
        if batch.has_nulls:
            raise DataError(f"{spec.path}: a value is missing in rows {batch.rows[0]} to {batch.rows[-1]}")
        yield build(spec, *_part(batch, low, high, adjusted=ADJUSTED_CLOSE in layout.numbers))


def _books(
    spec: SeriesSpec, table: Table, layout: Layout, window: Window, batch_rows: int
) -> Iterator[MarketEvent]:
    """Books are rebuilt from the file's beginning on, wherever the window begins."""
    replay = BookReplay(spec, lambda _: None)  # what is doubtful was told when the file was scanned
    rows = chain.from_iterable(map(rows_of, table.batches(layout, batch_rows, refuse)))
    for book in replay.books(rows):
        time = book.ts // NS_PER_MS
        if time > window.end:
            return
        if time >= window.start:
            yield book


def _part(batch: Batch, low: int, high: int, *, adjusted: bool) -> tuple[_Times, _Columns, _Texts]:
    numbers = _adjust(batch.numbers) if adjusted else batch.numbers
    if high - low == len(batch.times):
        return batch.times, numbers, batch.texts
    cut = slice(low, high)
    return batch.times[cut], [column[cut] for column in numbers], [column[cut] for column in batch.texts]


def _adjust(numbers: Sequence[list[float]]) -> _Columns:
    # One factor for all four prices, the close included: a close at the high then stays at the high, which it
    # would miss by a rounding error if it were taken from adj_close itself.
    open_, high, low, close, volume, adjusted = numbers
    factors = list(map(truediv, adjusted, close))
    return [*(list(map(mul, prices, factors)) for prices in (open_, high, low, close)), volume]


def _bars(spec: SeriesSpec, times: _Times, columns: _Columns, _texts: _Texts) -> Iterator[MarketEvent]:
    opens = [time * NS_PER_MS for time in times]
    closes = map(spec.interval_ns.__add__, opens)
    return map(Bar, closes, repeat(spec.symbol), *columns, opens)


def _quotes(spec: SeriesSpec, times: _Times, columns: _Columns, _texts: _Texts) -> Iterator[MarketEvent]:
    return map(Quote, map(NS_PER_MS.__mul__, times), repeat(spec.symbol), *columns)


def _trades(spec: SeriesSpec, times: _Times, columns: _Columns, texts: _Texts) -> Iterator[MarketEvent]:
    try:
        sides = [SIDES[side] for side in texts[0]]
    except KeyError as error:
        raise DataError(f"{spec.path}: side {error} is neither buy nor sell") from None
    return map(Trade, map(NS_PER_MS.__mul__, times), repeat(spec.symbol), *columns, sides, *texts[1:])


_BUILD: dict[SeriesKind, _Build] = {
    SeriesKind.BARS: _bars,
    SeriesKind.QUOTES: _quotes,
    SeriesKind.TRADES: _trades,
}
