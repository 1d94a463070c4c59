"""ccxt's dicts into our own terms: exact, shape-checked, nothing guessed.

Numbers are texts already (`number=str`); what a venue sent as a JSON number is taken by its shortest text.
Whatever does not fit raises `VenueUnavailableError`: an answer that cannot be read is never "none".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import AccountPosition, Balance, Fee
from tradingd.domain.money import ZERO, add, from_market, mul, neg, sub, to_decimal
from tradingd.errors import MoneyError, VenueUnavailableError
from tradingd.venues.model import OrderSeen, SeenStatus, TradeSeen
from tradingd.venues.shapes import named
from tradingd.venues.table import VenueRow
from tradingd.venues.untyped import Untyped

__all__ = ["Converter", "exact"]

_MS = 1_000_000
_STATUSES = {
    "open": SeenStatus.OPEN,
    "canceling": SeenStatus.OPEN,
    "closed": SeenStatus.CLOSED,
    "canceled": SeenStatus.CANCELED,
    "cancelled": SeenStatus.CANCELED,
    "expired": SeenStatus.EXPIRED,
    "rejected": SeenStatus.REJECTED,
}
_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_NO_ASSETS = frozenset({"info", "timestamp", "datetime", "free", "used", "total", "debt"})


def exact(value: Untyped, what: str) -> Decimal | None:
    """A number of ccxt's as an exact Decimal in plain notation, None where there is none.

    Raises:
        VenueUnavailableError: it is no finite number.

    """
    if value is None or value == "":
        return None
    try:
        number = from_market(value) if isinstance(value, float) else to_decimal(value)
        return Decimal(format(number, "f"))
    except (MoneyError, InvalidOperation):
        raise VenueUnavailableError(f"{what}: a field is no number") from None


def _needed(value: Untyped, what: str) -> Decimal:
    number = exact(value, what)
    if number is None:
        raise VenueUnavailableError(f"{what}: a number is missing")
    return number


def _positive(value: Untyped, what: str) -> Decimal | None:
    """A price; many venues tell 0 where there is none."""
    number = exact(value, what)
    return number if number is not None and number > 0 else None


def _time(entry: Mapping[str, Untyped], *fields: str) -> int:
    for field in fields:
        value = entry.get(field)
        if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
            return int(value) * _MS
    return 0


class Converter(msgspec.Struct, frozen=True):
    """Converts for one account: it knows the venue's row, and how the run calls ccxt's symbols."""

    row: VenueRow
    ours: Callable[[str], str]
    """The run's name of a symbol of ccxt's."""

    # --- orders ----------------------------------------------------------------------------------------------

    def order(self, entry: Untyped, what: str, *, symbol: str = "") -> OrderSeen:
        """An order; `symbol` is what was asked for, where the venue does not repeat it.

        Raises:
            VenueUnavailableError: it has no id, or a field is of the wrong kind.

        """
        if not isinstance(entry, Mapping):
            raise VenueUnavailableError(f"{what}: the answer is no order")
        kind = entry.get("type")
        told = entry.get("symbol")
        return OrderSeen(
            exchange_order_id=named(entry, "id", what),
            order_id=self.client_id(entry),
            symbol=self.ours(told) if isinstance(told, str) and told else symbol,
            side=_SIDES.get(str(entry.get("side")).lower()),
            status=_STATUSES.get(str(entry.get("status")).lower(), SeenStatus.UNTOLD),
            quantity=_positive(entry.get("amount"), what),
            filled=exact(entry.get("filled"), what),
            limit_price=None if kind == "market" else _positive(entry.get("price"), what),
            stop_price=_positive(entry.get("triggerPrice") or entry.get("stopPrice"), what),
            ts=_time(entry, "lastUpdateTimestamp", "lastTradeTimestamp", "timestamp"),
        )

    def client_id(self, entry: Mapping[str, Untyped]) -> str:
        """Our client order id in an order or trade; as told where it is none of ours; empty where none is told."""
        info = entry.get("info")
        raw = info if isinstance(info, Mapping) else {}
        told = next((raw[name] for name in self.row.own_id_fields if raw.get(name)), entry.get("clientOrderId"))
        if not isinstance(told, str | int) or isinstance(told, bool):
            return ""
        return self.row.codec.decode(str(told))

    # --- trades ----------------------------------------------------------------------------------------------

    def trade(self, entry: Untyped, what: str, *, symbol: str = "", fee_sign: int = 1) -> TradeSeen:
        """A trade of ours.

        Raises:
            VenueUnavailableError: it is not whole.

        """
        if not isinstance(entry, Mapping):
            raise VenueUnavailableError(f"{what}: the answer is no trade")
        side = _SIDES.get(str(entry.get("side")).lower())
        quantity, price = _needed(entry.get("amount"), what), _needed(entry.get("price"), what)
        if side is None or quantity <= 0:
            raise VenueUnavailableError(f"{what}: a trade without side or quantity")
        told = entry.get("symbol")
        order = entry.get("order")
        return TradeSeen(
            trade_id=named(entry, "id", what),
            exchange_order_id="" if order is None else str(order),
            order_id=self.client_id(entry),
            symbol=self.ours(told) if isinstance(told, str) and told else symbol,
            side=side,
            quantity=quantity,
            price=price,
            fees=tuple(_fees(entry, fee_sign, what)),
            liquidity=Liquidity.MAKER if entry.get("takerOrMaker") == "maker" else Liquidity.TAKER,
            ts=_time(entry, "timestamp"),
        )

    # --- what the account holds ------------------------------------------------------------------------------

    def balances(self, result: Untyped, what: str) -> Iterator[Balance]:
        """Every asset that is told, those of which nothing is held as well.

        Raises:
            VenueUnavailableError: it is not of the shape.

        """
        if not isinstance(result, Mapping):
            raise VenueUnavailableError(f"{what}: the answer is no balance")
        cash = dict(_cash(result.get("info"), self.row.cash_fields, what)) if self.row.cash_fields[0] else {}
        for asset, held in result.items():
            if asset not in _NO_ASSETS and isinstance(held, Mapping):
                balance = _balance(asset, held, what)
                total = cash.get(asset, balance.total)
                yield balance if total == balance.total else Balance(asset, total, balance.used)

    def positions(self, entries: Iterable[Mapping[str, Untyped]], what: str) -> Iterator[AccountPosition]:
        """The contract positions that are not flat.

        Raises:
            VenueUnavailableError: one is not whole.

        """
        for entry in entries:
            size = exact(entry.get("contracts"), what)
            if not size:
                continue
            side = str(entry.get("side")).lower()
            if side not in {"long", "short"}:
                raise VenueUnavailableError(f"{what}: a position without side")
            quantity = neg(size) if side == "short" and size > 0 else size
            symbol = self.ours(named(entry, "symbol", what))
            yield AccountPosition(symbol, quantity, _positive(entry.get("entryPrice"), what))


def _fees(entry: Mapping[str, Untyped], sign: int, what: str) -> Iterator[Fee]:
    """The fees of a trade: some venues fill `fee`, some `fees`, some both with the same."""
    several = entry.get("fees")
    single = entry.get("fee")
    told = several if isinstance(several, list) and several else [single] if isinstance(single, Mapping) else []
    for fee in told:
        amount = exact(fee.get("cost"), what) if isinstance(fee, Mapping) else None
        if not amount:
            continue
        currency = fee.get("currency")
        if not isinstance(currency, str) or not currency:
            raise VenueUnavailableError(f"{what}: a fee without its coin")
        yield Fee(currency, mul(amount, Decimal(sign)))


def _cash(raw: Untyped, fields: tuple[str, str], what: str) -> Iterator[tuple[str, Decimal]]:
    """What a raw balance has of each coin, wherever in it the entries are."""
    if isinstance(raw, list):
        for entry in raw:
            yield from _cash(entry, fields, what)
    elif isinstance(raw, Mapping):
        coin, amount = raw.get(fields[0]), exact(raw.get(fields[1]), what) if fields[1] in raw else None
        if isinstance(coin, str) and amount is not None:
            yield coin, amount
        for entry in raw.values():
            if isinstance(entry, list | Mapping):
                yield from _cash(entry, fields, what)


def _balance(asset: str, held: Mapping[str, Untyped], what: str) -> Balance:
    total, free, used = (exact(held.get(name), what) for name in ("total", "free", "used"))
    if total is None:
        total = None if free is None else add(free, used or ZERO)
    if total is None:
        raise VenueUnavailableError(f"{what}: {asset} without an amount")
    if used is None:
        used = ZERO if free is None else sub(total, free)
    return Balance(asset, total, used)
