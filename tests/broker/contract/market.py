"""An account in memory at a market: the house's book, which takers walk, and a last price that triggers stops."""

from decimal import Decimal
from typing import Any

from tradingd.domain.enums import Liquidity, OrderType, Side, TimeInForce
from tradingd.domain.events import Fee, SubmitOrder
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, mul, sub
from tradingd.domain.terms import OrderTerms
from tradingd.domain.venue import VenueCapabilities
from tradingd.errors import VenueRefusedError
from tradingd.testing.venue import ScriptedVenue
from tradingd.venues.model import SeenStatus

__all__ = ["CAPABILITIES", "Levels", "MarketVenue"]

Levels = list[tuple[Decimal, Decimal]]

_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})

CAPABILITIES = VenueCapabilities(
    order_types=frozenset(OrderType) - {OrderType.TRAILING_STOP},
    times_in_force=_AT_ONCE | {TimeInForce.GTC},
    oco=False,
)
"""What `MarketVenue` does."""


class MarketVenue(ScriptedVenue):
    """One market, `symbol`. `fee_coin` is what pays fees: "quote", "base", or the name of a coin worth 500."""

    def __init__(self, *args: Any, symbol: str, **options: Any) -> None:
        super().__init__(*args, capabilities=CAPABILITIES, **options)
        self.fee_coin = "quote"
        self.fee_rate = Decimal("0.001")
        self._symbol = symbol
        self._house: dict[Side, Levels] = {Side.BUY: [], Side.SELL: []}
        self._asleep: dict[str, Any] = {}
        self._last = ZERO

    # --- the market's side -------------------------------------------------------------------------------------

    def show(self, bids: Levels, asks: Levels) -> None:
        """The house's levels, best first; orders that rest beyond them fill."""
        self._house = {Side.BUY: list(bids), Side.SELL: list(asks)}
        for entry in self._resting():
            self._take(entry, Liquidity.MAKER)

    def hit(self, side: Side, quantity: Decimal, price: Decimal) -> None:
        """A counterpart on `side` takes from our resting orders, the best and oldest first, up to a price."""
        theirs = [one for one in self._resting() if one.order.side is not side]
        theirs = [one for one in theirs if _crosses(side, one.order.limit_price, price)]
        for entry in sorted(theirs, key=lambda one: one.order.limit_price * side.sign):
            amount = min(entry.left, quantity)
            if amount:
                self.fill(entry.order.order_id, amount, entry.order.limit_price)
                quantity = sub(quantity, amount)

    def print(self, price: Decimal) -> None:
        """Somebody trades at a price: stops that waited for it go in."""
        self._last = price
        for order_id, entry in list(self._asleep.items()):
            if entry.status is not SeenStatus.OPEN:
                del self._asleep[order_id]
            elif self._is_triggered(entry.order):
                del self._asleep[order_id]
                self._enter_awake(entry)

    # --- orders ------------------------------------------------------------------------------------------------

    def _create(self, order: SubmitOrder) -> Any:
        code, text = self._refusal(order)
        if text:
            raise VenueRefusedError(text, code)
        return super()._create(order)

    def _refusal(self, order: SubmitOrder) -> tuple[str, str]:
        can = self.capabilities
        if (
            order.order_type not in can.order_types
            or order.time_in_force not in can.times_in_force
            or order.terms not in {OrderTerms(), OrderTerms(post_only=True)}
        ):
            return "NOT_SENT", "it offers no such orders"
        price = order.limit_price or order.stop_price or self._best(order.side)
        why = self.instruments[order.symbol].violation(order.quantity, order.limit_price, price)
        if why:
            return "-1013", f"Filter failure: {why}"
        if order.terms.post_only and order.limit_price is not None and self._offers(order.side, order.limit_price):
            return "-2010", "Order would immediately match and take."
        instrument = self.instruments[order.symbol]
        buys = order.side is Side.BUY
        asset = instrument.quote if buys else instrument.base
        cost = mul(order.quantity, price) if buys else order.quantity
        is_short = cost > sub(self.totals[asset], self._used(asset))
        return ("-2010", "Account has insufficient balance for requested action.") if is_short else ("", "")

    def _enter(self, entry: Any) -> None:
        if entry.order.order_type.is_conditional:
            self._asleep[entry.order.order_id] = entry
        else:
            self._enter_awake(entry)

    def _enter_awake(self, entry: Any) -> None:
        order = entry.order
        offers = self._offers(order.side, order.limit_price)
        if order.time_in_force is TimeInForce.FOK and sum(size for _, size in offers) < entry.left:
            self.end(order.order_id, SeenStatus.EXPIRED)
            return
        self._take(entry, Liquidity.TAKER)
        if entry.left and (not order.order_type.has_limit or order.time_in_force in _AT_ONCE):
            self.end(order.order_id, SeenStatus.EXPIRED)

    def _take(self, entry: Any, liquidity: Liquidity) -> None:
        order = entry.order
        levels = self._house[_other(order.side)]
        for number, (price, size) in enumerate(levels):
            amount = min(size, entry.left)
            if amount and _crosses(order.side, price, order.limit_price):
                levels[number] = (price, sub(size, amount))
                at = price if liquidity is Liquidity.TAKER else order.limit_price
                self.fill(order.order_id, amount, at, liquidity=liquidity)

    # --- inside ------------------------------------------------------------------------------------------------

    def _resting(self) -> list[Any]:
        return [
            one
            for one in self.orders.values()
            if one.status is SeenStatus.OPEN
            and one.order.limit_price is not None
            and one.order.order_id not in self._asleep
        ]

    def _offers(self, side: Side, limit: Decimal | None) -> Levels:
        return [level for level in self._house[_other(side)] if level[1] and _crosses(side, level[0], limit)]

    def _best(self, side: Side) -> Decimal:
        offers = self._offers(side, None)
        return offers[0][0] if offers else ZERO

    def _is_triggered(self, order: SubmitOrder) -> bool:
        stop = order.stop_price or ZERO
        falls = (order.side is Side.SELL) == (order.order_type in _STOPS)
        return self._last <= stop if falls else self._last >= stop

    def _fees(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> tuple[Fee, ...]:
        if self.fee_coin == "base":
            return (Fee(instrument.base, mul(quantity, self.fee_rate)),)
        if self.fee_coin == "quote":
            return super()._fees(instrument, quantity, price)
        return (Fee(self.fee_coin, mul(mul(quantity, price), mul(self.fee_rate, Decimal("0.002")))),)


def _other(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY


def _crosses(side: Side, price: Decimal | None, limit: Decimal | None) -> bool:
    """Whether a taker on `side` trades at `price`, up to its limit."""
    if price is None:
        return False
    return limit is None or (price <= limit if side is Side.BUY else price >= limit)
