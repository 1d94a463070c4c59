"""The data handler."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tradingd.data import DataHandler, SeriesKind, SeriesSpec, parse_interval, parse_time, resolve_path
from tradingd.domain.events import Bar, MarketEvent, Trade
from tradingd.errors import DataError

MakeFile = Callable[..., Path]
MakeSpec = Callable[..., SeriesSpec]
BarColumns = Callable[..., dict[str, list[Any]]]
Find = Callable[[str], list[SeriesSpec]]

START = parse_time("2020-01-01")
MINUTE = 60 * 10**9


@pytest.fixture
def find(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> Find:
    """A and B with four minute bars each, and T with two trades."""
    trades = {
        "timestamp": [START // 10**6 + 1, START // 10**6 + 90_000],
        "price": [1.0, 2.0],
        "amount": [1.0, 1.0],
        "side": ["buy", "sell"],
    }
    specs = {
        "A": [make_spec(make_file("A.csv", bar_columns()), symbol="A")],
        "B": [make_spec(make_file("B.parquet", bar_columns()), symbol="B")],
        "T": [make_spec(make_file("T.csv", trades), symbol="T", kind=SeriesKind.TRADES)],
        "nothing": [],
    }
    return specs.__getitem__


def test_load_report(find: Find) -> None:
    """A load tells how many events there are and from when to when."""
    report = DataHandler(find).load_data(["A", "T"])
    assert [scan.spec.symbol for scan in report.series] == ["A", "T"]
    assert report.total_events == 6
    assert (report.first_ts, report.last_ts) == (START + 10**6, START + 4 * MINUTE)
    assert report.gaps == {}


def test_events_in_order(find: Find) -> None:
    """Events come by time, ties in the order of the symbols, until there are none."""
    handler = DataHandler(find)
    assert not handler.has_more_data()
    handler.load_data(["B", "A", "T"])
    assert handler.has_more_data()
    symbols = "".join(event.symbol for event in handler)
    assert symbols == "TBATBABABA"
    assert not handler.has_more_data()
    assert (handler.total_events, handler.delivered) == (10, 10)
    assert handler.next_event() is None


def test_next_event_publishes_nothing(find: Find) -> None:
    """Events that are taken one by one are the caller's to route."""
    published: list[MarketEvent] = []
    handler = DataHandler(find, publish=published.append)
    handler.load_data("A")
    first = handler.next_event()
    assert isinstance(first, Bar)
    assert (first.ts, handler.delivered) == (START + MINUTE, 1)
    assert len(list(handler.stream())) == 3
    assert published == []


def test_get_next_bar(find: Find) -> None:
    """A loop over one symbol's bars publishes all events on its way, each before it goes on."""
    published: list[MarketEvent] = []
    handler = DataHandler(find, publish=published.append)
    handler.load_data(["A", "B", "T"])
    bar = handler.get_next_bar("B")
    assert (bar.symbol, bar.ts) == ("B", START + MINUTE)
    assert [type(event) for event in published] == [Trade, Bar, Bar]
    assert published[-1] is bar
    while handler.has_more_data():
        last = handler.get_next_bar("B")
    assert (last.ts, len(published)) == (START + 4 * MINUTE, 10)
    assert handler.get_next_bar("B") is None


def test_get_next_bar_of_any_symbol(find: Find) -> None:
    """Without a symbol the next bar of any is given; trades are no bars."""
    handler = DataHandler(find)
    handler.load_data(["T", "A", "B"])
    assert [handler.get_next_bar().symbol for _ in range(3)] == ["A", "B", "A"]


def test_bars_of_a_symbol_that_is_not_loaded(find: Find) -> None:
    """A symbol that was not loaded is an error, not the end of data."""
    handler = DataHandler(find)
    with pytest.raises(DataError, match="A is not loaded, nothing is; call load_data"):
        handler.get_next_bar("A")
    handler.load_data(["A", "B"])
    with pytest.raises(DataError, match="T is not loaded, A, B is"):
        handler.get_next_bar("T")


def test_load_replaces(find: Find) -> None:
    """Loading again starts over with what is loaded then."""
    handler = DataHandler(find)
    handler.load_data(["A", "B"])
    handler.next_event()
    handler.load_data(["B"])
    assert (handler.total_events, handler.delivered) == (4, 0)
    assert {event.symbol for event in handler} == {"B"}


def test_failed_load_changes_nothing(find: Find) -> None:
    """What was loaded stays when a later load fails."""
    handler = DataHandler(find)
    handler.load_data(["A"])
    with pytest.raises(DataError):
        handler.load_data(["A"], "2030-01-01")
    assert len(list(handler)) == 4


def test_repeated_symbol(find: Find) -> None:
    """A symbol that is named twice is loaded once."""
    assert DataHandler(find).load_data(["A", "A"]).total_events == 4


@pytest.mark.parametrize("end", ["2020-01-01", date(2020, 1, 1)])
def test_end_date_includes_its_day(end: str | date, find: Find) -> None:
    """A range that ends on a date includes that day's bars."""
    assert DataHandler(find).load_data(["A"], "2020-01-01", end).total_events == 4


def test_nothing_in_range(find: Find) -> None:
    """A range without data is refused with what range the file has."""
    message = r"A bars 1m .* has nothing in that range; it has 4 rows from 2020-01-01 00:00:00 to .* 00:03:00"
    with pytest.raises(DataError, match=message):
        DataHandler(find).load_data(["A"], "2021-01-01")


def test_backward_range(find: Find) -> None:
    """A range that ends before it starts is refused."""
    with pytest.raises(DataError, match="the range ends before it starts: 2020-01-02 to 2020-01-01"):
        DataHandler(find).load_data(["A"], "2020-01-02", "2020-01-01")


@pytest.mark.parametrize("symbols", [[], ["nothing"]])
def test_no_series(symbols: list[str], find: Find) -> None:
    """Loading nothing is refused."""
    with pytest.raises(DataError, match="there is no series to load for: no"):
        DataHandler(find).load_data(symbols)


def test_unknown_prices(find: Find) -> None:
    """A handler cannot be made with a kind of prices that there is not."""
    with pytest.raises(DataError, match="prices are raw or adjusted, not 'net'"):
        DataHandler(find, prices="net")


def test_all_problems_at_once(make_file: MakeFile, make_spec: MakeSpec, bar_columns: BarColumns) -> None:
    """A failed load tells the first problems of all files: file, row and reason."""
    specs = {
        "A": [make_spec(make_file("A.csv", bar_columns(9) | {"volume": [-1.0] * 9}), symbol="A")],
        "B": [make_spec(make_file("B.csv", {"x": [1]}), symbol="B")],
        "C": [make_spec(make_file("C.parquet", bar_columns(4, {("low", 1): -5.0})), symbol="C")],
    }
    with pytest.raises(DataError) as caught:
        DataHandler(specs.__getitem__).load_data(["A", "B", "C"])
    message = str(caught.value)
    assert "A.csv, row 1 (line 2): volume -1.0 is negative" in message
    assert "A.csv: 4 more rows have problems" in message
    assert "B.csv: bars need the column a time" in message
    assert "C.parquet, row 2: low -5.0 is not positive" in message


def test_changed_file(find: Find) -> None:
    """A file that shrank since it was loaded ends the data with an error, not in an endless loop."""
    handler = DataHandler(find)
    handler.load_data(["A"])
    path = find("A")[0].path
    path.write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[:3]), encoding="utf-8")
    assert handler.next_event() is not None
    assert handler.next_event() is not None
    with pytest.raises(DataError, match="has changed since it was loaded: 2 events instead of 4"):
        handler.next_event()
    with pytest.raises(DataError, match="has changed"):
        list(handler)


def test_specification_example(tmp_path: Path) -> None:
    """The specification's own example: AAPL in 2020 has 253 trading days."""
    path = resolve_path("pkg:hvsampledata/_data/apple_stocks.csv", tmp_path)
    spec = SeriesSpec(symbol="AAPL", path=path, interval_ns=parse_interval("1d"), calendar="weekdays")
    handler = DataHandler(lambda _symbol: [spec])
    report = handler.load_data(["AAPL"], start_date="2020-01-01", end_date="2020-12-31")
    assert report.total_events == 253
    count = 0
    while handler.has_more_data():
        bar = handler.get_next_bar("AAPL")
        assert bar.symbol == "AAPL"
        count += 1
    assert count == 253


def test_specification_example_adjusted(tmp_path: Path) -> None:
    """The example's prices can be adjusted, and all stay within their bars."""
    path = resolve_path("pkg:hvsampledata/_data/apple_stocks.csv", tmp_path)
    spec = SeriesSpec(symbol="AAPL", path=path, interval_ns=parse_interval("1d"))
    handler = DataHandler(lambda _symbol: [spec], prices="adjusted")
    handler.load_data(["AAPL"], "2020-01-01", "2020-12-31")
    assert all(bar.low <= bar.close <= bar.high for bar in handler if isinstance(bar, Bar))
