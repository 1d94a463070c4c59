"""Recording and replaying: what was published comes out again, event for event."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tradingd.data import Catalog, DataHandler, SeriesKind, read_events, scan
from tradingd.data.recorder import FeedRecorder
from tradingd.data.truncation import recorded_file, truncate
from tradingd.domain.enums import Side
from tradingd.domain.events import Bar, Book, MarketEvent, Quote, Trade
from tradingd.errors import OutputError
from tradingd.testing import make_instrument

MS = 1_000_000
START = 1_700_000_040_000 * MS
MINUTE = 60_000 * MS
ALL = tuple(SeriesKind(name) for name in ("trades", "quotes", "books", "bars"))


def session(number: int = 0, count: int = 40) -> list[MarketEvent]:
    """Events of all kinds of one symbol, as a live feed tells them."""
    events: list[MarketEvent] = []
    for index in range(count):
        ts = START + (number * count + index) * 700 * MS
        price = 100.1 + index / 7
        events.append(
            Trade(ts, "BTC/USDT", price, 0.1 + index, Side.SELL if index % 3 else Side.BUY, f"{number}-{index}")
        )
        events.append(Quote(ts, "BTC/USDT", price - 0.1, price + 0.1, 1.5, 2.25))
        lost = index % 10 == 5
        events.append(
            Book(
                ts,
                "BTC/USDT",
                () if lost else ((price - 0.1, 1.0), (price - 0.2, 2.0)),
                () if lost else ((price, 3.0),),
            )
        )
    first = START + number * count * MINUTE
    opens = (first + index * MINUTE for index in range(count))
    events += [Bar(opened + MINUTE, "BTC/USDT", 1.5, 3.25, 1.25, 2.0, 7.0, opened) for opened in opens]
    return events


def recorder(folder: Path, **options: object) -> FeedRecorder:
    """A recorder of everything."""
    return FeedRecorder(folder, kinds=ALL, monotonic=lambda: 0.0, **options)  # type: ignore[arg-type]


def record(folder: Path, events: Iterable[MarketEvent], **options: object) -> FeedRecorder:
    """Record and close."""
    made = recorder(folder, **options)
    for event in events:
        made(event)
    made.close()
    return made


def replayed(folder: Path) -> dict[SeriesKind, list[MarketEvent]]:
    """What the catalog has now, by kind."""
    return {spec.kind: list(read_events(spec)) for spec in Catalog(folder).series()}


def of_kind(events: Iterable[MarketEvent], kind: type) -> list[MarketEvent]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


def test_recorded_and_replayed_are_equal(tmp_path: Path) -> None:
    """Trades, quotes, books (known and not known) and bars replay as the very events that were published."""
    events = session()
    record(tmp_path, events)
    assert replayed(tmp_path) == {
        SeriesKind.TRADES: of_kind(events, Trade),
        SeriesKind.QUOTES: of_kind(events, Quote),
        SeriesKind.BOOKS: of_kind(events, Book),
        SeriesKind.BARS: of_kind(events, Bar),
    }


def test_parts_follow_one_another(tmp_path: Path) -> None:
    """A series in many parts reads as one, passes the scan, and goes on after a restart."""
    events = [*session(0), *session(1)]
    for number in (0, 1):
        made = recorder(tmp_path, part_rows=7)
        for event in session(number):
            made(event)
            made.flush()
        made.close()
    assert len(list((tmp_path / "recorded" / "BTC_USDT-trades.parts").glob("*.parquet"))) > 4
    found = replayed(tmp_path)
    assert found[SeriesKind.TRADES] == of_kind(events, Trade)
    assert found[SeriesKind.BOOKS] == of_kind(events, Book)
    assert [scan(spec).problem_count for spec in Catalog(tmp_path).series()] == [0] * 4


def test_history_that_is_told_again_is_not_kept_twice(tmp_path: Path) -> None:
    """Bars that a restarted feed tells as its warm-up are kept once."""
    bars = of_kind(session(), Bar)
    record(tmp_path, bars[:30])
    made = record(tmp_path, bars[10:])
    assert made.passed_over == 20
    assert replayed(tmp_path)[SeriesKind.BARS] == bars


def test_a_crash_loses_no_more_than_what_was_not_written(tmp_path: Path) -> None:
    """What a killed recorder had written is kept, without the row that was cut off."""
    trades = of_kind(session(), Trade)
    made = recorder(tmp_path)
    for event in trades[:20]:
        made(event)
    made.flush()
    (left,) = (tmp_path / "recorded" / "BTC_USDT-trades.parts").glob(".*.open")
    with left.open("a", encoding="utf-8") as file:
        file.write("1700000099999,12.")
    assert Catalog(tmp_path).series() == ()
    record(tmp_path, trades[20:])
    assert replayed(tmp_path)[SeriesKind.TRADES] == trades


def test_a_crash_in_a_book_keeps_whole_books(tmp_path: Path) -> None:
    """Of books the last one is left out after a crash, because its levels may not all be there."""
    books = of_kind(session(), Book)[:5]
    made = recorder(tmp_path)
    for event in books:
        made(event)
    made.flush()
    record(tmp_path, ())
    assert replayed(tmp_path)[SeriesKind.BOOKS] == books[:4]


def test_a_crash_while_a_part_is_completed_doubles_nothing(tmp_path: Path) -> None:
    """A part that was complete already is not completed again out of the file it was made of."""
    trades = of_kind(session(), Trade)
    record(tmp_path, trades)
    folder = tmp_path / "recorded" / "BTC_USDT-trades.parts"
    (folder / ".000001.open").write_text("timestamp,price,amount,side,id\n1,1,1,buy,x\n")
    record(tmp_path, ())
    assert replayed(tmp_path)[SeriesKind.TRADES] == trades


def test_the_sidecar_describes_the_instrument(tmp_path: Path) -> None:
    """A recording is a series like any other: with its instrument, so that a backtest can trade on it."""
    instrument = make_instrument("BTC/USDT", tick=Decimal("0.1"), min_notional=Decimal(5))
    record(tmp_path, of_kind(session(), Trade), instruments={"BTC/USDT": instrument})
    spec = Catalog(tmp_path).find("BTC/USDT")
    assert {"tick": "0.1", "min_notional": "5", "kind": "spot", "quote": "USDT"}.items() <= spec.instrument.items()


def test_a_recording_can_be_loaded(tmp_path: Path) -> None:
    """The data handler loads a recording as it does any file."""
    trades = of_kind(session(), Trade)
    record(tmp_path, trades, part_rows=10)
    catalog = Catalog(tmp_path)
    handler = DataHandler(lambda symbol: [catalog.find(symbol)])
    assert handler.load_data("BTC/USDT").total_events == len(trades)
    assert list(handler) == trades


def test_two_symbols_do_not_share_a_file(tmp_path: Path) -> None:
    """A symbol whose name makes the same file as another one's is refused."""
    made = recorder(tmp_path)
    made(Trade(START, "A/B", 1.0, 1.0, Side.BUY, "1"))
    with pytest.raises(OutputError, match="another symbol"):
        made(Trade(START, "A_B", 1.0, 1.0, Side.BUY, "1"))


async def test_the_task_writes_every_second_and_completes_parts(tmp_path: Path) -> None:
    """While it runs, full parts become readable without anybody closing the recorder."""
    ticks: list[float] = []

    async def sleep(seconds: float) -> None:
        ticks.append(seconds)
        if len(ticks) == 3:
            raise StopAsyncIteration

    made = recorder(tmp_path, part_rows=10, sleep=sleep)
    trades = of_kind(session(), Trade)[:10]
    for event in trades:
        made(event)
    with pytest.raises(StopAsyncIteration):
        await made.run()
    assert replayed(tmp_path)[SeriesKind.TRADES] == trades


def test_a_recording_can_be_cut_off_at_a_moment(tmp_path: Path) -> None:
    """The look-ahead check gets a copy of the parts that ends where it asks."""
    trades = of_kind(session(), Trade)
    record(tmp_path, trades, part_rows=10)
    spec = Catalog(tmp_path).find("BTC/USDT")
    target = tmp_path / "cut.parts"
    truncate(recorded_file(spec), target, trades[14].ts)
    assert list(read_events(msgspec.structs.replace(spec, path=target))) == trades[:15]
