"""Files of corporate actions, and where in the market data they take effect.

A file is CSV or Parquet with a row per action::

    symbol,ex_date,kind,ratio,amount,currency
    AAPL,2005-02-28,split,2:1,,
    IBM,2005-02-08,dividend,,0.18,

`ratio` is new shares to old ones: 2:1, 1:8 or 1.5. `amount` is cash per share, in the currency that the share is
quoted in (`currency` may be left out or empty; where it is told, it must be that). `ex_date` is the first day of
trading at new prices, or a moment of that day; UTC. Only the columns that the rows need have to be there.

An action takes effect before the first market event that lies wholly on or after its ex-date: before the first bar
that opens then, whatever hour of the day daily bars are stamped with. Rows of one ex-date count in their order.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from tradingd.data.parquet_table import import_pyarrow
from tradingd.data.series import parse_time, resolve_path
from tradingd.data.tables import normal_name, require_unique
from tradingd.domain.enums import ActionKind, InstrumentKind
from tradingd.domain.events import Bar, CorporateAction, FeedEvent
from tradingd.domain.money import ZERO, to_decimal
from tradingd.domain.ports import InstrumentLookup
from tradingd.errors import DataError, MoneyError

__all__ = ["NO_ACTIONS", "ActionFiles", "interleave", "read_actions"]

_NEEDED = ("symbol", "ex_date", "kind")
_COLUMNS = (*_NEEDED, "ratio", "amount", "currency")
_SHOWN = 10
_MOST = 1_000_000
"""No ratio has a greater side: a slip of the pen should not become a fortune."""

Row = Mapping[str, str]


class ActionFiles:
    """The actions of some files, by symbol; `paths` as a configuration in the folder `base` has them.

    Raises:
        DataError: a file cannot be read, or rows are wrong.

    """

    def __init__(self, paths: Iterable[str], base: Path, instruments: InstrumentLookup) -> None:
        self._instruments = instruments
        self._by_symbol: dict[str, list[CorporateAction]] = {}
        for path in paths:
            for action in read_actions(resolve_path(path, base)):
                self._by_symbol.setdefault(action.symbol, []).append(action)

    def __bool__(self) -> bool:
        return bool(self._by_symbol)

    def of(self, symbol: str) -> Sequence[CorporateAction]:
        """The actions of `symbol` by ex-date, as the books can bear them.

        Raises:
            DataError: it is no share, or a dividend is not in the currency it is quoted in.

        """
        if symbol not in self._by_symbol:
            return ()
        instrument = self._instruments[symbol]
        if instrument.kind is not InstrumentKind.EQUITY:
            raise DataError(
                f"data.actions: {symbol} is {instrument.kind}; only shares (kind equity) have splits and dividends"
            )
        found = sorted(self._by_symbol[symbol], key=lambda action: action.ts)
        for action in found:
            if action.currency not in {"", instrument.quote}:
                raise DataError(
                    f"data.actions: {symbol} is quoted in {instrument.quote} and pays a dividend in "
                    f"{action.currency}; convert the amount"
                )
        return found


NO_ACTIONS = ActionFiles((), Path(), {})


def read_actions(path: Path) -> list[CorporateAction]:
    """All actions of a file, by ex-date.

    Raises:
        DataError: the file cannot be read, or rows are wrong (the first few are told, each with its reason).

    """
    found: dict[CorporateAction, int] = {}
    complaints: list[str] = []
    for number, row in enumerate(_rows(path), 1):
        try:
            action = _action(row)
            _refuse_repetition(action, found)
        except DataError as error:
            complaints.append(f"{path}, row {number}: {error}")
        else:
            found[action] = number
    if len(complaints) > _SHOWN:
        complaints[_SHOWN:] = [f"{path}: {len(complaints) - _SHOWN} more rows have problems"]
    if complaints:
        raise DataError("\n".join(complaints))
    return sorted(found, key=lambda action: action.ts)


def interleave(events: Iterator[FeedEvent], actions: Sequence[CorporateAction]) -> Iterator[FeedEvent]:
    """The market events of one symbol with its actions, each before the first event of its ex-date.

    Its time becomes that of the event before, where that closes on the ex-date only.
    """
    waiting = list(reversed(actions))
    latest = 0
    for event in events:
        if waiting:
            begins = event.ts_open if isinstance(event, Bar) else event.ts
            while waiting and waiting[-1].ts <= begins:
                action = waiting.pop()
                yield action if action.ts >= latest else msgspec.structs.replace(action, ts=latest)
            latest = event.ts
        yield event


# --- rows --------------------------------------------------------------------------------------------------------


def _rows(path: Path) -> Iterator[Row]:
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise DataError(f"{path} is neither .csv nor .parquet; convert it")
    names, table = _csv_rows(path) if suffix == ".csv" else _parquet_rows(path)
    names = [normal_name(name) for name in names]
    require_unique(path, names)
    missing = [name for name in _NEEDED if name not in names]
    unknown = [name for name in names if name not in _COLUMNS]
    if missing or unknown:
        raise DataError(
            f"{path}: corporate actions have the columns {', '.join(_COLUMNS)}; "
            + (f"{', '.join(missing)} is missing" if missing else f"{', '.join(unknown)} is none of them")
        )
    for cells in table:
        if len(cells) != len(names):
            raise DataError(f"{path}: a row has {len(cells)} fields instead of {len(names)}: {','.join(cells)}")
        yield {name: cell.strip() for name, cell in zip(names, cells, strict=True)}


def _csv_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = [cells for cells in csv.reader(file, strict=True) if cells]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is damaged: {error}; get it again") from error
    if not table:
        raise DataError(f"{path} is empty; it needs a header")
    return table[0], table[1:]


def _parquet_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    pa = import_pyarrow()
    try:
        table = pa.parquet.read_table(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    except pa.ArrowException as error:
        raise DataError(f"{path} is damaged: {error}; get it again") from error
    return table.column_names, [[_text(cell) for cell in row.values()] for row in table.to_pylist()]


def _text(cell: Any) -> str:  # noqa: ANN401 - whatever a Parquet file holds
    return "" if cell is None else str(cell)


def _action(row: Row) -> CorporateAction:
    symbol, ratio, amount, currency = (row.get(name, "") for name in ("symbol", "ratio", "amount", "currency"))
    if not symbol:
        raise DataError("there is no symbol")
    try:
        kind = ActionKind(row["kind"].lower())
    except ValueError:
        raise DataError(f"kind {row['kind']!r} is neither split nor dividend") from None
    ts = parse_time(row["ex_date"])
    if kind is ActionKind.SPLIT:
        if amount or currency:
            raise DataError("a split has a ratio, no amount and no currency")
        new, old = _ratio(ratio)
        return CorporateAction(ts, symbol, kind, new, old)
    if ratio:
        raise DataError("a dividend has an amount, no ratio")
    return CorporateAction(ts, symbol, kind, amount=_amount(amount), currency=currency)


def _ratio(text: str) -> tuple[int, int]:
    new, _, old = text.replace("/", ":").partition(":")
    try:
        ratio = Fraction(new.strip()) / Fraction(old.strip() or "1")
    except (ValueError, ZeroDivisionError):
        raise DataError(f"ratio {text!r} is none: write new to old shares, such as 2:1, 1:8 or 1.5") from None
    if ratio <= 0 or ratio == 1:
        raise DataError(f"ratio {text!r} is not above 0, or changes nothing")
    if max(ratio.numerator, ratio.denominator) > _MOST:
        raise DataError(f"ratio {text!r} has too many digits: write it as new to old shares, such as 3:2")
    return ratio.numerator, ratio.denominator


def _amount(text: str) -> Decimal:
    try:
        amount = to_decimal(text)
    except MoneyError as error:
        raise DataError(f"amount {error}") from error
    if amount <= ZERO:
        raise DataError(f"amount {text} is not above 0")
    return amount


def _refuse_repetition(action: CorporateAction, found: Mapping[CorporateAction, int]) -> None:
    if action in found:
        raise DataError(f"it repeats row {found[action]}; remove one")
    for other, number in found.items():
        same = (other.symbol, other.ts, other.kind) == (action.symbol, action.ts, ActionKind.SPLIT)
        if same and action.kind is ActionKind.SPLIT:
            raise DataError(f"row {number} has another split of {action.symbol} at that time; remove one")
