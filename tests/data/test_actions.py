"""Files of corporate actions, and where in the data their rows take effect."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tradingd.data.actions import ActionFiles, interleave, read_actions
from tradingd.data.handler import DataHandler
from tradingd.data.series import SeriesSpec, parse_time
from tradingd.domain.enums import ActionKind, InstrumentKind
from tradingd.domain.events import Bar, CorporateAction
from tradingd.errors import DataError
from tradingd.testing import make_instrument

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
HEADER = "symbol,ex_date,kind,ratio,amount,currency\n"


def written(folder: Path, text: str, name: str = "actions.csv") -> Path:
    """A file with that text."""
    path = folder / name
    path.write_text(text)
    return path


def test_rows_become_actions_by_date(tmp_path: Path) -> None:
    """Splits and dividends are read exactly, and told in the order of their ex-dates."""
    path = written(
        tmp_path,
        HEADER
        + "AAPL,2005-02-28,split,2:1,,\nIBM,2005-02-08,Dividend,,0.18,USD\nX,2004-01-05T08:00:00Z,split,0.125,,\n",
    )
    assert read_actions(path) == [
        CorporateAction(parse_time("2004-01-05T08:00"), "X", ActionKind.SPLIT, 1, 8),
        CorporateAction(
            parse_time("2005-02-08"), "IBM", ActionKind.DIVIDEND, amount=Decimal("0.18"), currency="USD"
        ),
        CorporateAction(parse_time("2005-02-28"), "AAPL", ActionKind.SPLIT, 2, 1),
    ]


def test_parquet_says_the_same(tmp_path: Path) -> None:
    """A Parquet file with the same rows, dates and numbers typed or not, gives the same actions."""
    path = tmp_path / "actions.parquet"
    rows = [{"symbol": "IBM", "ex_date": "2005-02-08", "kind": "dividend", "amount": 0.18, "ratio": None}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    csv = written(tmp_path, "symbol,ex_date,kind,amount\nIBM,2005-02-08,dividend,0.18\n")
    assert read_actions(path) == read_actions(csv)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("AAPL,2005-02-28,merger,2:1,,", "kind 'merger' is neither split nor dividend"),
        ("AAPL,28.2.2005,split,2:1,,", "no ISO date"),
        (",2005-02-28,split,2:1,,", "no symbol"),
        ("AAPL,2005-02-28,split,,,", "ratio '' is none"),
        ("AAPL,2005-02-28,split,two,,", "write new to old shares"),
        ("AAPL,2005-02-28,split,1:0,,", "ratio '1:0' is none"),
        ("AAPL,2005-02-28,split,1:1,,", "changes nothing"),
        ("AAPL,2005-02-28,split,-2:1,,", "not above 0"),
        ("AAPL,2005-02-28,split,1.50000000001,,", "too many digits"),
        ("AAPL,2005-02-28,split,2:1,0.5,", "a split has a ratio, no amount"),
        ("AAPL,2005-02-28,dividend,2:1,0.5,", "a dividend has an amount, no ratio"),
        ("AAPL,2005-02-28,dividend,,,", "amount"),
        ("AAPL,2005-02-28,dividend,,nan,", "amount"),
        ("AAPL,2005-02-28,dividend,,-1,", "amount -1 is not above 0"),
    ],
)
def test_a_wrong_row_is_told(tmp_path: Path, row: str, told: str) -> None:
    """Each row that cannot be meant is refused with its number and the reason."""
    path = written(tmp_path, HEADER + row + "\n")
    with pytest.raises(DataError, match="row 1") as error:
        read_actions(path)
    assert told in str(error.value)


def test_all_wrong_rows_are_told_at_once(tmp_path: Path) -> None:
    """One reading shows all that has to be mended, up to ten, and how many more there are."""
    path = written(tmp_path, HEADER + "AAPL,2005-02-28,merger,,,\n" * 12)
    with pytest.raises(DataError) as error:
        read_actions(path)
    assert len(str(error.value).splitlines()) == 11
    assert "2 more rows" in str(error.value)


@pytest.mark.parametrize(
    ("second", "told"), [("2:1", "repeats row 1"), ("3:1", "row 1 has another split of AAPL")]
)
def test_no_action_counts_twice(tmp_path: Path, second: str, told: str) -> None:
    """The same action twice, or two splits of one day, would double what is held: refused."""
    path = written(tmp_path, HEADER + f"AAPL,2005-02-28,split,2:1,,\nAAPL,2005-02-28,split,{second},,\n")
    with pytest.raises(DataError, match=told):
        read_actions(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("symbol,ex_date\nAAPL,2005-02-28\n", "kind is missing"),
        ("symbol,ex_date,kind,factor\nA,2005-02-28,split,2\n", "factor is none of them"),
        ("symbol,ex_date,kind\nA,2005-02-28\n", "2 fields instead of 3"),
    ],
)
def test_a_file_that_is_no_table_of_actions_is_refused(tmp_path: Path, text: str, told: str) -> None:
    """Missing and unknown columns, and rows that are cut off, are told."""
    with pytest.raises(DataError, match=told):
        read_actions(written(tmp_path, text))


def test_only_shares_have_actions(tmp_path: Path) -> None:
    """A split of a contract, or a dividend in a currency the share is not quoted in, is refused before the run."""
    path = written(tmp_path, HEADER + "A,2005-02-28,split,2:1,,\nB,2005-02-28,dividend,,1,EUR\n")
    instruments = {
        "A": make_instrument("A", kind=InstrumentKind.SWAP, base="ETH"),
        "B": make_instrument("B"),
    }
    actions = ActionFiles([path.name], tmp_path, instruments)
    with pytest.raises(DataError, match="only shares"):
        actions.of("A")
    with pytest.raises(DataError, match="quoted in USD and pays a dividend in EUR"):
        actions.of("B")
    assert actions.of("C") == ()


# --- where they take effect --------------------------------------------------------------------------------------


def handler(folder: Path, hour: int, rows: str, interval_days: int = 1, **options: Any) -> DataHandler:
    """Four daily bars of B from 2005-02-25 on, stamped with an hour of the day, and actions."""
    first = parse_time("2005-02-25") // 1_000_000 + hour * HOUR_MS
    lines = [f"{first + day * interval_days * DAY_MS},{10 + day},20,1,{10 + day},5" for day in range(4)]
    data = written(folder, "timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n", "B.csv")
    spec = SeriesSpec(symbol="B", path=data, interval_ns=interval_days * DAY_MS * 1_000_000)
    files = ActionFiles([written(folder, HEADER + rows).name], folder, {"B": make_instrument("B")})
    return DataHandler(lambda _: [spec], actions=files, **options)


@pytest.mark.parametrize("hour", [0, 5, 14])
def test_an_action_comes_before_the_first_bar_of_its_ex_date(tmp_path: Path, hour: int) -> None:
    """Whatever hour daily bars are stamped with: after the bar of the day before, before the ex-date's."""
    data = handler(tmp_path, hour, "B,2005-02-27,split,2:1,,\n")
    report = data.load_data("B")
    told = [(type(event).__name__, getattr(event, "open", 0)) for event in data]
    assert told == [("Bar", 10), ("Bar", 11), ("CorporateAction", 0), ("Bar", 12), ("Bar", 13)]
    assert report.total_events == data.delivered == 5


def test_times_never_go_back(tmp_path: Path) -> None:
    """An action whose day begins before the bar of the day before has closed has that close's time."""
    data = handler(tmp_path, 14, "B,2005-02-27,split,2:1,,\n")
    data.load_data("B")
    times = [event.ts for event in data]
    assert times == sorted(times)


@pytest.mark.parametrize("date", ["2005-02-24", "2005-02-25", "2005-03-01", "2005-03-02"])
def test_an_action_outside_the_data_is_none(tmp_path: Path, date: str) -> None:
    """What happened before anything could be held, or after the last bar began, does not come."""
    data = handler(tmp_path, 0, f"B,{date},split,2:1,,\n")
    assert data.load_data("B").total_events == 4
    assert all(isinstance(event, Bar) for event in data)


def test_actions_of_one_day_keep_their_order() -> None:
    """A dividend in old shares that stands before a split of the same day comes before it."""
    one = CorporateAction(5, "B", ActionKind.DIVIDEND, amount=Decimal(1))
    two = CorporateAction(5, "B", ActionKind.SPLIT, 2, 1)
    bars = [Bar(10 + i, "B", 1.0, 1.0, 1.0, 1.0, 1.0, i) for i in (0, 10)]
    assert list(interleave(iter(bars), [one, two]))[1:3] == [
        CorporateAction(10, "B", ActionKind.DIVIDEND, amount=Decimal(1)),
        CorporateAction(10, "B", ActionKind.SPLIT, 2, 1),
    ]


def test_bars_that_mix_old_and_new_prices_are_refused(tmp_path: Path) -> None:
    """A weekly bar over an ex-date has both prices in it: nobody can trade that."""
    with pytest.raises(DataError, match="use daily bars"):
        handler(tmp_path, 0, "B,2005-03-01,split,2:1,,\n", interval_days=7).load_data("B")


def test_adjusted_prices_have_no_actions(tmp_path: Path) -> None:
    """Adjusted prices have splits and dividends in them; both together would count twice."""
    with pytest.raises(DataError, match="adjusted prices have them already"):
        handler(tmp_path, 0, "B,2005-02-27,split,2:1,,\n", prices="adjusted")


def test_a_loop_over_bars_publishes_actions(tmp_path: Path) -> None:
    """`get_next_bar` passes actions on to everybody who listens, in their place, and returns bars only."""
    told: list[str] = []
    data = handler(
        tmp_path, 0, "B,2005-02-27,split,2:1,,\n", publish=lambda event: told.append(type(event).__name__)
    )
    data.load_data("B")
    bars = 0
    while data.has_more_data():
        assert isinstance(data.get_next_bar("B"), Bar)
        bars += 1
    assert bars == 4
    assert told == ["Bar", "Bar", "CorporateAction", "Bar", "Bar"]
