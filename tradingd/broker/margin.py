"""Maintenance margin at the simulated exchange: margin calls and liquidation.

At each market event of a symbol that is held, the account's equity is held against the maintenance margin, a
fraction of the gross exposure. Equity and exposure count per settlement currency, at the latest prices; the
position whose bar it is counts at the bar's worst price (a long at the low, a short at the high), since what a
bar hides is resolved against us; one that has traded inside that very bar, at its close.

Below `call` x maintenance a margin call is told, once until it is met again. Below maintenance the exchange
closes positions in full at the market, the largest exposure first, until maintenance is met or nothing is held.
Orders of a symbol that it closes are canceled before. Inside a bar its trade has the price at which maintenance
was breached, the open where that jumped over it; other symbols trade at their latest price. All prices slip as
taker fills do. What is lost beyond equity is a debt that the account keeps.
"""

from collections.abc import Container
from decimal import Decimal
from math import inf, isfinite
from typing import NamedTuple

from tradingd.broker.account import Mark, SimulatedAccount
from tradingd.broker.desk import Desk
from tradingd.broker.matching import match
from tradingd.domain.enums import Liquidity, OrderType, Side
from tradingd.domain.events import Bar, Fee, MarginCall, MarketEvent, Trade, TradeReport
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO, from_market, magnitude, mul
from tradingd.domain.position import Position

__all__ = ["MarginDesk", "MarginInterest", "MarginRules"]

_DOUBT = 1e-6
"""How close to a breach, as a part of all amounts, the floats are not trusted: their error is far below."""


class MarginRules(NamedTuple):
    """What a margin account has to keep; all are fractions."""

    maintenance: Decimal
    """Of gross exposure; 0 for neither calls nor liquidation."""
    call: Decimal = ONE
    """Of maintenance: below so much of it a margin call is told."""
    liquidation_fee: Decimal = ZERO
    """Of the notional that the exchange closes, instead of the fee of an order."""
    initial: Decimal | None = None
    """Of the exposure that an order leads to, instead of one over the leverage."""


class _Totals:
    """Equity and exposure of one currency, as floats: enough to tell that nothing is near."""

    __slots__ = ("equity", "exposure")

    def __init__(self, equity: float) -> None:
        self.equity = equity
        self.exposure = 0.0


class _Held:
    """A position that is held, as floats."""

    __slots__ = ("fresh", "inverse", "revision", "size", "totals", "value")

    def __init__(self, instrument: Instrument, position: Position, totals: _Totals, *, fresh: bool) -> None:
        self.size = float(position.quantity) * float(instrument.multiplier)
        self.inverse = instrument.inverse
        self.revision = position.revision
        self.totals = totals
        self.fresh = fresh
        """Whether it has traded since its symbol's last event was judged."""
        self.value = 0.0

    def worth(self, price: float) -> float:
        """Its market value."""
        return -self.size / price if self.inverse else self.size * price

    def worst(self, event: MarketEvent) -> float:
        """The price of an event that is the worst for this position."""
        if self.fresh or not isinstance(event, Bar):
            return event.price
        return event.low if self.size > 0 else event.high


class MarginDesk:
    """Watches one margin account; costs one look at a revision and into a dict where nothing is held."""

    def __init__(
        self,
        account: SimulatedAccount,
        rules: MarginRules,
        desk: Desk,
    ) -> None:
        self._account = account
        self._rules = rules
        self._desk = desk
        self._venue = desk.venue
        self._emit = desk.emit
        self._mark = desk.mark
        self._call = float(mul(rules.maintenance, rules.call))
        self._held: dict[str, _Held] = {}
        self._revision = account.revision
        self._called: set[str] = set()
        self._liquidations = 0

    def __contains__(self, symbol: object) -> bool:
        """Whether a position is held in `symbol`, so that its market events matter."""
        self._refresh()
        return symbol in self._held

    def see(self, event: MarketEvent) -> None:
        """Judge the account by a market event, after the orders were matched against it."""
        traded = self._refresh()
        held = self._held.get(event.symbol)
        if held is None:
            if traded and self._held and event.symbol in self._account.positions and 0 < event.price < inf:
                self._judge(event, event.price, at_close=True)  # what closed it may have cost the rest its margin
            return
        worst = held.worst(event)
        if 0 < worst < inf and 0 < event.price < inf and self._doubtful(held, worst, event.price):
            self._judge(event, worst, at_close=held.fresh)
        held.fresh = False

    # --- floats: is anything near? -------------------------------------------------------------------------

    def _refresh(self) -> bool:
        """Take over what has moved in the account since the last look; whether anything has."""
        if self._revision == self._account.revision:
            return False
        self._revision = self._account.revision
        before, self._held = self._held, {}
        totals: dict[str, _Totals] = {}
        for instrument, position in self._account.held():
            currency = instrument.settle
            if currency not in totals:
                totals[currency] = _Totals(float(self._account.balances.get(currency, ZERO)))
            known = before.get(instrument.symbol)
            fresh = known is None or known.fresh or known.revision != position.revision
            held = _Held(instrument, position, totals[currency], fresh=fresh)
            held.value = held.worth(float(self._mark(instrument.symbol) or magnitude(position.average_price)))
            held.totals.equity += held.value - (float(position.cost) if instrument.kind.is_contract else 0.0)
            held.totals.exposure += abs(held.value)
            self._held[instrument.symbol] = held
        return True

    def _doubtful(self, held: _Held, worst: float, price: float) -> bool:
        """Mark the position at `price`; whether at `worst` the account might be short of margin."""
        totals, value = held.totals, held.value
        lowest = held.worth(worst)
        equity = totals.equity + lowest - value
        exposure = totals.exposure + abs(lowest) - abs(value)
        held.value = held.worth(price)
        totals.equity += held.value - value
        totals.exposure += abs(held.value) - abs(value)
        near = equity - self._call * exposure <= _DOUBT * (abs(equity) + exposure)
        return near or bool(self._called)

    # --- money: what is to be done -------------------------------------------------------------------------

    def _judge(self, event: MarketEvent, worst: float, *, at_close: bool) -> None:
        """Tell a margin call, and liquidate, where exact figures say so."""
        currency = self._account.instrument(event.symbol).settle
        exact = from_market(worst)

        def mark(symbol: str) -> Decimal | None:
            return exact if symbol == event.symbol else self._mark(symbol)

        equity, required = self._figures(currency, mark)
        if equity >= mul(required, self._rules.call):
            self._called.discard(currency)
            return
        if currency not in self._called:
            self._called.add(currency)
            self._emit(MarginCall(event.ts, self._venue, currency, equity, required))
        if equity < required:
            self._liquidate(currency, event, mark, at_close=at_close)

    def _figures(self, currency: str, mark: Mark) -> tuple[Decimal, Decimal]:
        """Equity, and the maintenance margin that it has to reach."""
        equity, exposure = self._account.equity_and_exposure(currency, mark)
        return equity, mul(exposure, self._rules.maintenance)

    def _liquidate(self, currency: str, event: MarketEvent, mark: Mark, *, at_close: bool) -> None:
        """Close the largest positions until maintenance is met."""
        for instrument, position in self._by_size(currency, mark):
            equity, required = self._figures(currency, mark)
            if equity >= required:
                return
            side = Side.SELL if position.quantity > 0 else Side.BUY
            seen: MarketEvent | None = event
            if instrument.symbol != event.symbol:
                seen = self._latest(instrument.symbol, event.ts, side)
            elif isinstance(event, Bar):
                level = event.close if at_close else self._level(instrument, position, mark, event)
                seen = Trade(event.ts, event.symbol, level, event.volume, side)
            if seen is not None:
                self._close(instrument, position, side, seen)

    def _by_size(self, currency: str, mark: Mark) -> list[tuple[Instrument, Position]]:
        """The positions that settle in a currency, the largest exposure first."""

        def size(held: tuple[Instrument, Position]) -> tuple[Decimal, str]:
            instrument, position = held
            price = mark(instrument.symbol) or magnitude(position.average_price)
            return -magnitude(position.market_value(price)), instrument.symbol

        return sorted((held for held in self._account.held() if held[0].settle == currency), key=size)

    def _latest(self, symbol: str, ts: int, side: Side) -> Trade | None:
        """Another symbol's latest price as a trade now; None where it has none."""
        price = self._mark(symbol)
        return None if price is None else Trade(ts, symbol, float(price), 0.0, side)

    def _level(self, instrument: Instrument, position: Position, mark: Mark, bar: Bar) -> float:
        """At what price of a bar maintenance was breached: the open where it was so from the beginning.

        With all else at its mark, equity is a + v and exposure b + |v|, where v, the position's value, is linear
        in the price (inverse: in one over it). The breach is where a + v = m (b + |v|).
        """
        worst = mark(instrument.symbol) or ZERO
        value = position.market_value(worst)
        equity, exposure = self._account.equity_and_exposure(instrument.settle, mark)
        gap = float(self._rules.maintenance) * (float(exposure) - abs(float(value))) - float(equity) + float(value)
        part = 1.0 - float(self._rules.maintenance) * (1 if value > 0 else -1)
        size = float(mul(position.quantity, instrument.multiplier))
        breach = gap / part  # the value of the position there
        level = float(worst)
        if breach:
            level = -size / breach if instrument.inverse else breach / size
        if not isfinite(level):
            level = float(worst)
        if size > 0:
            return min(bar.open, max(level, bar.low))
        return max(bar.open, min(level, bar.high))

    def _close(self, instrument: Instrument, position: Position, side: Side, seen: MarketEvent) -> None:
        """Trade a position away at the market, unless there is no price for it."""
        offered = match(OrderType.MARKET, side, 0.0, seen, fresh=True, touch=False)
        if offered is None:
            return
        quantity = magnitude(position.quantity)
        price = self._desk.costs.slipped(instrument, side, from_market(offered.price), quantity, seen)
        if price <= 0:
            return
        self._desk.end_all(instrument.symbol, "LIQUIDATION: the position is closed by the exchange")
        fee = mul(instrument.notional(quantity, price), self._rules.liquidation_fee)
        fees = (Fee(instrument.settle, fee),) if fee else ()
        self._account.settle(instrument, side, quantity, price, fees)
        self._liquidations += 1
        name = f"{self._venue}-L{self._liquidations}"
        self._emit(
            TradeReport(
                seen.ts,
                self._venue,
                name,
                name,
                instrument.symbol,
                side,
                quantity,
                price,
                fees,
                Liquidity.TAKER,
                forced=True,
            )
        )


class MarginInterest(Container[str]):
    """The symbols that an exchange with margin accounts has to see: with working orders, or held. A live view."""

    __slots__ = ("_held", "_working")

    def __init__(self, working: Container[str], held: MarginDesk) -> None:
        self._working = working
        self._held = held

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._working or symbol in self._held
