"""The portfolio: sole owner of positions and cash."""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, ClassVar

from tradingd.domain.enums import Side
from tradingd.domain.events import (
    AccountSnapshot,
    CorporateAction,
    EventType,
    Fee,
    Fill,
    LedgerEntry,
    MarketEvent,
    PositionUpdate,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import (
    ZERO,
    DecimalLike,
    add,
    divide,
    magnitude,
    neg,
    sub,
    to_decimal,
    worth,
)
from tradingd.domain.ports import Emit, InstrumentLookup, Stage
from tradingd.domain.position import Position
from tradingd.domain.prices import PriceBoard
from tradingd.errors import AccountingError, MoneyError
from tradingd.portfolio.actions import ActionBooks
from tradingd.portfolio.agreement import Opening
from tradingd.portfolio.forced import parts_of
from tradingd.portfolio.ledger import ASSETS, DIVIDENDS, EQUITY, FEES, MARKET, PNL, Ledger
from tradingd.portfolio.valuation import Valuation

__all__ = ["PortfolioManager"]


class PortfolioManager:
    """Books fills; knows cash, positions, equity, profit, fees, exposure and drawdown.

    Works alone: `PortfolioManager(initial_cash=100_000)`, `on_fill`, `get_equity`. Symbols without an
    instrument are then taken as shares quoted in `currency`, valued at their last trade until `prices` has more.

    Positions are kept twice: per symbol for the account, as the venue sees it, and per strategy, for its own
    figures. Amounts are in each asset's own unit, and never rounded. Equity is in `currency`; only its part in an
    asset that is priced by an inverse or a very long price is rounded, far behind the last digit that pays.

    `opened_by` names venues whose first `AccountSnapshot` opens the books: until each has come, equity cannot be
    told. Later snapshots have to agree with the books, see `tradingd.portfolio.agreement`. What accounts hold then
    and nothing here leads to the account's currency for is booked, but not counted in equity: `uncounted`.
    """

    stage: ClassVar[Stage] = Stage.PORTFOLIO
    required_events: ClassVar[frozenset[EventType]] = frozenset(
        {
            EventType.FILL,
            EventType.BAR,
            EventType.QUOTE,
            EventType.TRADE,
            EventType.BOOK,
            EventType.CORPORATE_ACTION,
            EventType.ACCOUNT_SNAPSHOT,
        }
    )

    def __init__(
        self,
        initial_cash: DecimalLike = 100_000,
        currency: str = "USD",
        *,
        instruments: InstrumentLookup | None = None,
        prices: PriceBoard | None = None,
        emit: Emit | None = None,
        opened_by: Collection[str] = (),
    ) -> None:
        self.currency = currency
        self.initial_cash = self.initial_equity = to_decimal(initial_cash)
        """What profit is counted from: the cash to begin with, or the first equity after the opening."""
        self._opening = Opening(opened_by)
        self.ledger = Ledger()
        self._instruments = instruments
        self._known: dict[str, Instrument] = {}
        self._moves: dict[str, tuple[str, ...]] = {}
        """The assets that a trade of a symbol moves, besides its fees."""
        self._emit = emit
        self._valuation = Valuation(currency, prices if prices is not None else PriceBoard())
        self._account: dict[str, Position] = {}
        self._open: dict[str, Position] = {}
        self._by_strategy: dict[tuple[str, str], Position] = {}
        self._strategy_fees: dict[str, dict[str, Decimal]] = {}
        self._actions = ActionBooks(self._by_strategy, self._book, self._valuation)
        self._peak = self._equity = self.initial_equity
        if self.initial_equity:
            self.deposit(self.initial_equity, ts=0)

    # --- events ------------------------------------------------------------------------------------------

    def handlers(self) -> Mapping[EventType, Callable[[Any], None]]:
        """Which method takes which event."""
        market = dict.fromkeys(
            (EventType.BAR, EventType.QUOTE, EventType.TRADE, EventType.BOOK), self.on_market_data
        )
        return {
            EventType.FILL: self.on_fill,
            EventType.CORPORATE_ACTION: self.on_corporate_action,
            EventType.ACCOUNT_SNAPSHOT: self.on_account_snapshot,
            **market,
        }

    def market_interest(self) -> Container[str]:
        """The symbols whose prices count in equity at this moment: a live view."""
        return self._valuation.marked

    def on_market_data(self, event: MarketEvent) -> None:
        """Mark what depends on the event's symbol; the price itself comes from the price board."""
        self._valuation.touch(event.symbol)

    def on_fill(self, fill: Fill) -> None:
        """Book a fill: its legs in the ledger, the account's and the strategy's position, its fees.

        A forced fill is booked once for the account, and in parts for the strategies that held what it closes;
        each part is told as a `PositionUpdate` of its own.

        Raises:
            MoneyError: a figure of the fill is no money; nothing has been booked.

        """
        _check(fill)
        instrument = self._instrument(fill.symbol)
        quantity = fill.quantity if fill.side is Side.BUY else neg(fill.quantity)
        position = self._position(fill.symbol)
        value = instrument.value(quantity, fill.price)
        realized = position.trade(quantity, fill.price, value)
        parts = self._forced_parts(fill, instrument) if fill.forced else (fill,)
        if instrument.kind.is_contract:
            self._post(fill, "pnl", instrument.settle, realized, PNL)
        else:
            self._post(fill, "trade", instrument.base, quantity, MARKET)
            self._post(fill, "trade", instrument.quote, neg(value), MARKET)
        for fee in fill.fees:
            self._charge(fill, fee, instrument, position)
        for part in parts:
            self._book_own(part, instrument, None if fill.forced else value)
        self._refresh(fill, instrument, position)
        if self._emit is not None:
            for part in parts:
                self._emit(
                    PositionUpdate(
                        fill.ts,
                        part.strategy_id,
                        fill.symbol,
                        position.quantity,
                        position.cost,
                        position.realized_pnl,
                        part,
                    )
                )

    def on_corporate_action(self, action: CorporateAction) -> None:
        """Book a split or dividend of what the account and the strategies hold.

        Raises:
            AccountingError: a fraction of a share is to be paid for, and nothing has a price.

        """
        instrument = self._instrument(action.symbol)
        position = self._position(action.symbol)
        for asset in self._actions.apply(action, instrument, position):
            self._valuation.set_asset(asset, self.ledger.balance(asset))
        if not position.quantity:
            self._open.pop(action.symbol, None)

    def on_account_snapshot(self, snapshot: AccountSnapshot) -> None:
        """Open the books with what a venue tells first; later hold them against it and ask for halts."""

        def begin_with(asset: str, amount: Decimal) -> None:
            self._book(LedgerEntry(snapshot.ts, snapshot.venue, "opening", asset, amount, ASSETS, EQUITY))
            if self._valuation.can_price(asset):
                self._valuation.set_asset(asset, self.ledger.balance(asset))
            else:
                self._opening.uncounted.add(asset)

        for request in self._opening.take(snapshot, self._known.values(), self._account, begin_with):
            if self._emit is not None:
                self._emit(request)

    @property
    def uncounted(self) -> frozenset[str]:
        """The assets of the accounts that are not counted in equity, as nothing here tells what they are worth."""
        return frozenset(self._opening.uncounted)

    def holdings(self, venue: str) -> Mapping[str, Decimal]:
        """What the account at `venue`, one of those that open the books, holds by our books, by asset."""
        return self._opening.holdings(venue)

    @property
    def is_open(self) -> bool:
        """Whether every account has told what it holds."""
        return not self._opening.missing

    def deposit(self, amount: DecimalLike, asset: str = "", ts: int = 0) -> None:
        """Put `amount` of `asset` (the account's currency unless told) in; negative takes it out."""
        name = asset or self.currency
        self._book(LedgerEntry(ts, "", "deposit", name, to_decimal(amount), ASSETS, EQUITY))
        self._valuation.set_asset(name, self.ledger.balance(name))

    def learn(self, *symbols: str) -> None:
        """Let the instruments of `symbols` price assets from now on; a first fill does so, too."""
        for symbol in symbols:
            self._instrument(symbol)

    # --- figures -----------------------------------------------------------------------------------------

    @property
    def positions(self) -> Mapping[str, Position]:
        """The account's positions that are not flat, by symbol."""
        return MappingProxyType(self._open)

    def get_position(self, symbol: str) -> Position:
        """The account's position in `symbol`, flat if there is none."""
        return self._account.get(symbol) or Position(symbol, self._instrument(symbol))

    def get_strategy_position(self, strategy_id: str, symbol: str) -> Position:
        """One strategy's own position in `symbol`, flat if there is none."""
        return self._strategy_position(strategy_id, symbol)

    def strategy_symbols(self, strategy_id: str | None = None) -> Iterator[tuple[str, str]]:
        """The (strategy id, symbol) pairs with a position that is not flat."""
        for key, position in tuple(self._by_strategy.items()):
            if position.quantity and strategy_id in (None, key[0]):
                yield key

    def get_equity(self) -> Decimal:
        """Everything owned, marked to market, in the account's currency; the same object while it is the same.

        Raises:
            AccountingError: something that is owned has no price.

        """
        if self._valuation.current:
            return self._equity
        if self._opening.is_due:
            return self._first_equity()
        equity = self._valuation.total()
        if (
            equity != self._equity
        ):  # the same object for the same amount, so that `is` tells whether it has changed
            self._equity = equity
            self._peak = max(self._peak, equity)
        return self._equity

    def _first_equity(self) -> Decimal:
        """The equity that the books open with: profit and drawdown are counted from it."""
        self._opening.check()
        self.initial_equity = self._peak = self._equity = self._valuation.total()
        self._opening.is_due = False
        return self._equity

    @property
    def peak_equity(self) -> Decimal:
        """The highest equity that was ever asked for."""
        return self._peak

    @property
    def drawdown(self) -> Decimal:
        """How far equity is below its peak, as a fraction of the peak (0 to 1, or more for a negative equity)."""
        equity = self.get_equity()
        return divide(sub(self._peak, equity), self._peak) if self._peak > 0 else ZERO

    def cash(self, asset: str = "") -> Decimal:
        """The balance of a currency or coin (the account's currency unless told)."""
        return self.ledger.balance(asset or self.currency)

    def fees(self, strategy_id: str | None = None) -> Mapping[str, Decimal]:
        """Fees paid per asset, of the account or of one strategy; negative for a net rebate."""
        if strategy_id is None:
            return dict(self.ledger.balances(FEES))
        return MappingProxyType(self._strategy_fees.get(strategy_id, {}))

    def dividends(self, strategy_id: str | None = None) -> Mapping[str, Decimal]:
        """Dividends by asset, of the account or of one strategy; negative where shorts paid more."""
        if strategy_id is None:
            return {asset: neg(given) for asset, given in self.ledger.balances(DIVIDENDS)}
        return MappingProxyType(dict(self._actions.income(strategy_id)))

    def price(self, symbol: str) -> Decimal | None:
        """The price that `symbol` is marked at; None before the first."""
        return self._valuation.price(symbol)

    def can_price(self, asset: str) -> bool:
        """Whether the learned instruments lead from `asset` to the account's currency."""
        return self._valuation.can_price(asset)

    def rate(self, asset: str) -> Decimal:
        """What one unit of `asset` is worth in the account's currency."""
        return self._valuation.rate(asset)

    def realized_pnl(self, strategy_id: str | None = None) -> Decimal:
        """Profit of closed trades, in the account's currency at present rates.

        It is before fees, except for those taken in the base coin: what they took had a cost, which is lost.
        """
        return self._sum(self._held(strategy_id), lambda position: position.realized_pnl)

    def unrealized_pnl(self, strategy_id: str | None = None) -> Decimal:
        """Profit that closing everything at the marks would realise, in the account's currency."""
        return self._sum(self._held(strategy_id), lambda held: held.unrealized_pnl(self._mark(held)))

    def gross_exposure(self) -> Decimal:
        """The sum of the positions' absolute market values, in the account's currency."""
        return self._sum(self._open.values(), lambda held: magnitude(held.market_value(self._mark(held))))

    def net_exposure(self) -> Decimal:
        """The sum of the positions' signed market values, in the account's currency."""
        return self._sum(self._open.values(), lambda held: held.market_value(self._mark(held)))

    def _held(self, strategy_id: str | None) -> Iterable[Position]:
        if strategy_id is None:
            return self._account.values()
        return [held for (owner, _), held in self._by_strategy.items() if owner == strategy_id]

    def _mark(self, position: Position) -> Decimal:
        if not position.quantity:
            return ZERO
        price = self._valuation.price(position.symbol)
        if price is None:
            raise AccountingError(f"{position.symbol} has no price: add it to the market data")
        return price

    def _sum(self, positions: Iterable[Position], figure: Callable[[Position], Decimal]) -> Decimal:
        """Add up a figure in settlement currencies; what is 0 needs no rate."""
        total = ZERO
        for position in positions:
            amount = figure(position)
            if amount:
                rate = self._valuation.rate(self._instrument(position.symbol).settle)
                total = add(total, worth(amount, rate))
        return total

    # --- booking -----------------------------------------------------------------------------------------

    def _post(self, fill: Fill, kind: str, asset: str, amount: Decimal, other: str) -> None:
        """Book a leg of a fill: our assets gain `amount` (negative: lose) from `other`."""
        if amount:
            reference = fill.trade_id or fill.order_id
            if self._opening.live:
                self._opening.move(fill.venue, asset, amount)
            self._book(LedgerEntry(fill.ts, reference, kind, asset, amount, ASSETS, other, fill.strategy_id))

    def _book(self, entry: LedgerEntry) -> None:
        self.ledger.post(entry)
        if self._emit is not None:
            self._emit(entry)

    def _charge(self, fill: Fill, fee: Fee, instrument: Instrument, position: Position) -> None:
        """Book a fee in its own coin; one taken in the base coin shrinks what was bought."""
        self._post(fill, "fee", fee.asset, neg(fee.amount), FEES)
        if fee.asset == instrument.base and not instrument.kind.is_contract:
            position.give_up(fee.amount)

    def _book_own(self, fill: Fill, instrument: Instrument, value: Decimal | None) -> None:
        """Book a fill in its strategy's own position and fees; `value` is its worth, where that is known."""
        own = self._strategy_position(fill.strategy_id, fill.symbol)
        own.trade(fill.quantity if fill.side is Side.BUY else neg(fill.quantity), fill.price, value)
        if not fill.fees:
            return
        totals = self._strategy_fees.setdefault(fill.strategy_id, {})
        for fee in fill.fees:
            totals[fee.asset] = add(totals.get(fee.asset, ZERO), fee.amount)
            if fee.asset == instrument.base and not instrument.kind.is_contract:
                own.give_up(fee.amount)

    def _forced_parts(self, fill: Fill, instrument: Instrument) -> list[Fill]:
        """A forced fill, split among the strategies that hold what it closes."""
        held = [
            (strategy_id, position.quantity)
            for (strategy_id, symbol), position in self._by_strategy.items()
            if symbol == fill.symbol
        ]
        return parts_of(fill, held, instrument.lot)

    def _refresh(self, fill: Fill, instrument: Instrument, position: Position) -> None:
        """Value anew what the fill touched."""
        symbol = fill.symbol
        if position.quantity:
            self._open[symbol] = position
        else:
            self._open.pop(symbol, None)
        self._valuation.note_trade(symbol, fill.price)
        moved = self._moves.get(symbol)
        if moved is None:
            contract = instrument.kind.is_contract
            moved = (instrument.settle,) if contract else tuple(sorted({instrument.base, instrument.quote}))
            self._moves[symbol] = moved
        if any(fee.asset not in moved for fee in fill.fees):
            moved = tuple(sorted({*moved, *(fee.asset for fee in fill.fees)}))
        for asset in moved:
            if asset not in self._opening.uncounted:
                self._valuation.set_asset(asset, self.ledger.balance(asset))
        if instrument.kind.is_contract:
            profit = position.unrealized_pnl if position.quantity else None
            self._valuation.set_contract(symbol, instrument.settle, profit)

    def _instrument(self, symbol: str) -> Instrument:
        instrument = self._known.get(symbol)
        if instrument is None:
            if self._instruments is None:
                instrument = Instrument.plain(symbol, self.currency)
            else:
                instrument = self._instruments[symbol]
            self._known[symbol] = instrument
            self._valuation.learn(instrument)
        return instrument

    def _position(self, symbol: str) -> Position:
        position = self._account.get(symbol)
        if position is None:
            position = self._account[symbol] = Position(symbol, self._instrument(symbol))
        return position

    def _strategy_position(self, strategy_id: str, symbol: str) -> Position:
        position = self._by_strategy.get((strategy_id, symbol))
        if position is None:
            position = Position(symbol, self._instrument(symbol))
            self._by_strategy[strategy_id, symbol] = position
        return position


def _check(fill: Fill) -> None:
    """Refuse what would poison the books, before anything is booked."""
    if to_decimal(fill.quantity) <= 0:
        raise MoneyError(f"a fill's quantity must be greater than 0, this is {fill.quantity}")
    to_decimal(fill.price)
    for fee in fill.fees:
        to_decimal(fee.amount)
