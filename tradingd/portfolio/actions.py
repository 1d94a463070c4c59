"""Corporate actions in the books: what splits and dividends do to positions, shares and cash."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from tradingd.domain.actions import dividend, restated_price, split, split_among
from tradingd.domain.enums import ActionKind
from tradingd.domain.events import CorporateAction, LedgerEntry
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, sub
from tradingd.domain.position import Position
from tradingd.portfolio.ledger import ASSETS, DIVIDENDS, MARKET
from tradingd.portfolio.valuation import Valuation

__all__ = ["ActionBooks"]


class ActionBooks:
    """Books corporate actions for the account and for each strategy that holds a part of it.

    `by_strategy` has the strategies' positions, by strategy id and symbol; together they are the account's.
    """

    def __init__(
        self,
        by_strategy: Mapping[tuple[str, str], Position],
        book: Callable[[LedgerEntry], None],
        valuation: Valuation,
    ) -> None:
        self._by_strategy = by_strategy
        self._book = book
        self._valuation = valuation
        self._income: dict[str, dict[str, Decimal]] = {}

    def income(self, strategy_id: str) -> Mapping[str, Decimal]:
        """The dividends that counted for a strategy, by asset; negative where its shorts paid more."""
        return self._income.get(strategy_id, {})

    def apply(self, action: CorporateAction, instrument: Instrument, position: Position) -> tuple[str, ...]:
        """Book an action on the account's `position`; returns the assets whose balances it may have moved."""
        self._valuation.restate(action.symbol, lambda price: restated_price(action, price))
        if action.kind is ActionKind.DIVIDEND:
            return (self._pay(action, instrument.quote),)
        self._split(action, instrument, position)
        return instrument.base, instrument.quote

    def _owners(self, symbol: str) -> list[tuple[str, Position]]:
        """The strategies that hold a part of a symbol's position."""
        return [
            (strategy_id, position)
            for (strategy_id, held), position in self._by_strategy.items()
            if held == symbol and position.quantity
        ]

    def _pay(self, action: CorporateAction, currency: str) -> str:
        for owner, position in self._owners(action.symbol):
            amount = dividend(action, position.quantity)
            income = self._income.setdefault(owner, {})
            income[currency] = add(income.get(currency, ZERO), amount)
            self._post(action, "dividend", currency, amount, DIVIDENDS, owner)
        return currency

    def _split(self, action: CorporateAction, instrument: Instrument, position: Position) -> None:
        price = self._valuation.price(action.symbol)
        owners = self._owners(action.symbol)
        shares = split_among(action, [held.quantity for _, held in owners], instrument.lot, price)
        for (owner, held), share in zip(owners, shares, strict=True):
            self._post(action, "split", instrument.base, sub(share.quantity, held.quantity), MARKET, owner)
            self._post(action, "cash_in_lieu", instrument.quote, share.cash, MARKET, owner)
            held.split(share)
        position.split(split(action, position.quantity, instrument.lot, price))

    def _post(
        self, action: CorporateAction, kind: str, asset: str, amount: Decimal, other: str, strategy_id: str
    ) -> None:
        if amount:
            self._book(LedgerEntry(action.ts, action.symbol, kind, asset, amount, ASSETS, other, strategy_id))
