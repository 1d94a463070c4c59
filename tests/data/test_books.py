"""Order books rebuilt from recorded snapshots and changes."""

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.runtime.parts import REPO, drive, loaded
from tradingd.data.handler import DataHandler
from tradingd.data.importer import import_file
from tradingd.data.readers import read_events
from tradingd.data.series import SeriesKind, SeriesSpec
from tradingd.data.validation import scan
from tradingd.domain.events import Book, EventType, Fill, Trade
from tradingd.errors import DataError
from tradingd.testing import EventLog

TICKS = REPO.parent / "shared" / "data" / "tests_only" / "crypto_ticks"
L2 = TICKS / "binance_BTCUSDT_20240808_l2.parquet"
recorded = pytest.mark.skipif(not L2.exists(), reason=f"the recorded ticks are not at {TICKS}")

HEADER = "recv_timestamp,timestamp,type,seq_first,seq_last,side,price,amount\n"
START = 1_700_000_000_000
SNAPSHOT = """
0 snapshot 10 10 bid 99 1
0 snapshot 10 10 bid 98 2
0 snapshot 10 10 ask 101 3
0 snapshot 10 10 ask 102 4
"""
FULL = (((99.0, 1.0), (98.0, 2.0)), ((101.0, 3.0), (102.0, 4.0)))


def spec_of(folder: Path, rows: str, depth: int = 20) -> SeriesSpec:
    """A series of these rows; the times are milliseconds from the start."""
    lines = []
    for row in rows.strip().splitlines():
        time, *cells = row.split()
        lines.append(f"{START + int(time)},{START},{','.join(cells)}\n")
    path = folder / "X.csv"
    path.write_text(HEADER + "".join(lines))
    return SeriesSpec(symbol="X", path=path, kind=SeriesKind.BOOKS, depth=depth)


def books(spec: SeriesSpec, **window: int) -> list[Book]:
    """All books of a series."""
    return [event for event in read_events(spec, **window) if isinstance(event, Book)]


def shapes(spec: SeriesSpec) -> list[tuple[tuple[tuple[float, float], ...], tuple[tuple[float, float], ...]]]:
    """The books' sides."""
    return [(book.bids, book.asks) for book in books(spec)]


def test_one_book_comes_of_each_message(tmp_path: Path) -> None:
    """All rows of a message count before its book is told: at its receive time, best levels first."""
    spec = spec_of(
        tmp_path, SNAPSHOT + "5 delta 11 12 bid 99 0\n5 delta 11 12 bid 98.5 7\n9 delta 13 13 ask 100 1"
    )
    found = books(spec)
    assert [book.ts // 1_000_000 - START for book in found] == [0, 5, 9]
    assert (found[0].bids, found[0].asks) == FULL
    assert found[1].bids == ((98.5, 7.0), (98.0, 2.0))
    assert found[2].asks[0] == (100.0, 1.0)


def test_no_more_levels_are_told_than_asked_for(tmp_path: Path) -> None:
    """`depth` cuts what is told, and a level behind comes up when one before it goes."""
    spec = spec_of(tmp_path, SNAPSHOT + "1 delta 11 11 ask 101 0", depth=1)
    assert shapes(spec) == [(((99.0, 1.0),), ((101.0, 3.0),)), (((99.0, 1.0),), ((102.0, 4.0),))]


def test_a_hole_ends_the_book_until_the_next_snapshot(tmp_path: Path) -> None:
    """One empty book tells that nothing is known; changes after a hole lead to none, a snapshot to the next."""
    again = SNAPSHOT.replace("0 snapshot 10 10", "9 snapshot 30 30")
    spec = spec_of(tmp_path, SNAPSHOT + "1 delta 13 14 bid 99 5\n2 delta 15 15 bid 99 6" + again)
    assert shapes(spec) == [FULL, ((), ()), FULL]
    [warning] = scan(spec).warnings
    assert str(warning).endswith("X.csv, row 5 (line 6): changes 11 to 12 are missing before it")


def test_changes_that_came_before_an_older_snapshot_are_in_the_book(tmp_path: Path) -> None:
    """A snapshot that was made before the changes received already takes them over; older ones it has itself."""
    spec = spec_of(tmp_path, "0 delta 8 9 bid 97 9\n0 delta 9 12 bid 99 8" + SNAPSHOT + "1 delta 13 13 ask 102 0")
    found = shapes(spec)
    assert found[0] == (((99.0, 8.0), (98.0, 2.0)), FULL[1])
    assert found[1][1] == ((101.0, 3.0),)


def test_old_messages_change_nothing(tmp_path: Path) -> None:
    """A change told twice, or a snapshot from before the book, leads to no book."""
    old = SNAPSHOT.replace("0 snapshot 10 10", "3 snapshot 9 9")
    spec = spec_of(
        tmp_path, SNAPSHOT + "1 delta 11 11 bid 99 5\n2 delta 11 11 bid 99 5\n2 delta 9 10 bid 99 7" + old
    )
    assert len(books(spec)) == 2


def test_a_crossed_book_is_counted_and_not_told(tmp_path: Path) -> None:
    """Nobody could have traded in it; the book after the next change is told again."""
    spec = spec_of(tmp_path, SNAPSHOT + "1 delta 11 11 bid 101 5\n2 delta 12 12 bid 101 0")
    assert shapes(spec) == [FULL, FULL]
    [warning] = scan(spec).warnings
    assert "crossed after it: bid 101.0, ask 101.0" in str(warning)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1 delta 11 11 bid nan 1", "price is nan"),
        ("1 delta 11 11 bid 99 nan", "amount is nan"),
        ("1 delta 11 11 bid -1 1", "price -1.0 is not positive"),
        ("1 delta 11 11 bid 99 -1", "amount -1.0 is negative"),
        ("1 delta 12 11 bid 99 1", "seq_last 11 is before seq_first 12"),
        ("1 update 11 11 bid 99 1", "type 'update' is neither"),
        ("1 delta 11 11 buy 99 1", "side 'buy' is neither"),
        ("-1 delta 11 11 bid 99 1", "is before that of the row above"),
    ],
)
def test_a_faulty_row_is_refused(tmp_path: Path, row: str, told: str) -> None:
    """What cannot be a level of a book is told with its row, before the run."""
    spec = spec_of(tmp_path, SNAPSHOT + row)
    with pytest.raises(DataError, match="row 5") as error:
        DataHandler(lambda _: [spec]).load_data("X")
    assert told in str(error.value)


def test_a_window_begins_with_the_book_of_before(tmp_path: Path) -> None:
    """A range that begins later has the snapshot's levels all the same, and only its own books are counted."""
    spec = spec_of(tmp_path, SNAPSHOT + "5 delta 11 11 bid 99 7\n8 delta 12 12 bid 99 8")
    data = DataHandler(lambda _: [spec])
    report = data.load_data("X", start_date=START + 5, end_date=START + 7)
    [book] = list(data)
    assert report.total_events == 1
    assert isinstance(book, Book)
    assert (book.bids, book.asks) == (((99.0, 7.0), (98.0, 2.0)), FULL[1])


def test_a_depth_of_nothing_is_refused(tmp_path: Path) -> None:
    """A book of no levels is none."""
    with pytest.raises(DataError, match="use 1 or more"):
        spec_of(tmp_path, SNAPSHOT, depth=0)


def test_books_can_be_imported(tmp_path: Path) -> None:
    """The imported file has the same books, and its tick is that of the prices."""
    spec = spec_of(tmp_path, SNAPSHOT + "5 delta 11 11 bid 98.5 7")
    report = import_file(
        spec.path,
        tmp_path / "catalog",
        dataset="l2",
        symbol="X",
        interval=None,
        kind=SeriesKind.BOOKS,
        calendar="24/7",
        instrument={},
    )
    assert report.derived["tick"] == "0.1"
    assert shapes(SeriesSpec(symbol="X", path=report.path, kind=SeriesKind.BOOKS)) == shapes(spec)


def test_memory_holds_one_book(tmp_path: Path) -> None:
    """Ten times as many messages take no more memory."""
    peaks = []
    for count in (2_000, 20_000):
        rows = "\n".join(f"{i} delta {i} {i} bid {90 + i % 9} {1 + i % 5}" for i in range(11, count))
        spec = spec_of(tmp_path, SNAPSHOT + rows)
        tracemalloc.start()
        told = sum(1 for _ in read_events(spec, batch_rows=512))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert told == count - 10
    assert peaks[1] < 1.2 * peaks[0]


# --- the recorded book -------------------------------------------------------------------------------------------


def recorded_books() -> list[Book]:
    """The minute of Binance BTC/USDT."""
    return books(SeriesSpec(symbol="BTC/USDT", path=L2, kind=SeriesKind.BOOKS))


@recorded
def test_the_recorded_minute_is_sound() -> None:
    """No hole and no crossed book in 597 changes, of which the first three are the snapshot's or in it."""
    report = scan(SeriesSpec(symbol="BTC/USDT", path=L2, kind=SeriesKind.BOOKS))
    assert (report.problem_count, report.warning_count) == (0, 0)
    found = recorded_books()
    assert report.rows_in_range == len(found) > 590
    for book in found:
        assert len(book.bids) == len(book.asks) == 20
        assert list(book.bids) == sorted(book.bids, reverse=True)
        assert list(book.asks) == sorted(book.asks)
        assert book.bids[0][0] < book.asks[0][0]


@recorded
def test_recorded_books_agree_with_the_recorded_quotes() -> None:
    """At the same sequence number a book's best levels are those of the quotes feed, prices and sizes."""
    table = pq.read_table(TICKS / "binance_BTCUSDT_20240808_quotes.parquet").to_pylist()
    quotes = {row["seq"]: ((row["bid"], row["bid_size"]), (row["ask"], row["ask_size"])) for row in table}
    ends = list(dict.fromkeys(_ends()))
    found = recorded_books()
    compared = 0
    for end, book in zip(ends[-len(found) :], found, strict=True):
        if end in quotes:
            compared += 1
            assert (book.bids[0], book.asks[0]) == quotes[end]
    assert compared > 20


def _ends() -> Iterator[int]:
    """The last sequence numbers of the snapshot and of the changes after it, in the file's order."""
    rows = pq.read_table(L2, columns=["type", "seq_last"]).to_pylist()
    begun = False
    for row in rows:
        begun = begun or row["type"] == "snapshot"
        if begun:
            yield row["seq_last"]


@recorded
def test_books_merge_with_the_trades_of_their_symbol(tmp_path: Path) -> None:
    """Two files of one symbol in the configuration are one stream in the order of time, in a whole run."""
    config = tmp_path / "c.toml"
    files = "".join(
        f'[[data.files]]\nsymbol = "BTC/USDT"\nkind = "{kind}"\ndepth = 5\n'
        f'path = "{TICKS}/binance_BTCUSDT_20240808_{name}.parquet"\n'
        for kind, name in (("books", "l2"), ("trades", "trades"))
    )
    config.write_text(
        files + '[[instruments]]\nsymbol = "BTC/USDT"\ntick = "0.01"\nlot = "0.00001"\n'
        '[portfolio]\ncurrency = "USDT"\n[risk.sizer]\nkind = "fixed_notional"\nnotional = 10000\n'
        '[[strategies]]\nname = "tests.runtime.ticker:Ticker"\nparams = { symbols = ["BTC/USDT"] }\n'
    )
    container, _, report = loaded([config], "backtest")
    manager = container.get("event_manager")
    log = EventLog()
    manager.observe(log.observe, (EventType.BOOK, EventType.TRADE, EventType.FILL))
    drive(manager, container.get("data_handler").stream())
    market = [event for event in log.events if isinstance(event, Book | Trade)]
    assert [event.ts for event in market] == sorted(event.ts for event in market)
    kinds = Counter(type(event) for event in log.events)
    assert kinds[Book] > 590
    assert kinds[Trade] > 1000
    assert kinds[Fill] > 0
    assert kinds[Book] + kinds[Trade] == report.total_events
    assert all(len(event.bids) == len(event.asks) == 5 for event in log.of(Book))
