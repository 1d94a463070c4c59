"""The simulated exchange's own books: what it would let an account do.

Kept apart from our portfolio on purpose. An exchange knows only its own balances; so does this, and tests hold
the two against each other.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from tradingd.domain.enums import Side
from tradingd.domain.events import Fee
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, magnitude, mul, neg, sub
from tradingd.domain.position import Position

__all__ = ["AccountType", "Mark", "SimulatedAccount"]

Mark = Callable[[str], Decimal | None]
"""(symbol) -> its latest price; None where there is none."""

Amounts = Mapping[str, Decimal]
"""Amounts by asset."""


class AccountType(StrEnum):
    """What an account may do."""

    CASH = "cash"
    """Pays in full and sells only what it has. Contracts are margined at their full notional."""
    MARGIN = "margin"
    """May borrow and sell short, up to leverage x equity."""


class SimulatedAccount:
    """Balances, positions and locks of one account at the simulated exchange.

    A margin account may hold `leverage` x equity, or, where an `initial_margin` (a fraction) is given, equity /
    `initial_margin`. Equity is counted per settlement currency: what is held in one is no collateral in another.

    A loss beyond equity leaves a debt; see `tradingd.broker.margin` for how liquidation tries to prevent that.
    """

    def __init__(
        self,
        balances: dict[str, Decimal],
        *,
        account_type: AccountType = AccountType.CASH,
        leverage: Decimal = Decimal(1),
        initial_margin: Decimal | None = None,
    ) -> None:
        self.balances = dict(balances)
        self.positions: dict[str, Position] = {}
        self.revision = 0
        """Counts what moved balances or positions, so that figures derived from them know when they are stale."""
        self._instruments: dict[str, Instrument] = {}
        self._type = account_type
        self._leverage = leverage
        self._initial_margin = initial_margin
        self._locks: dict[str, Amounts] = {}

    def position(self, instrument: Instrument) -> Position:
        """The position in `instrument`, flat if there is none."""
        position = self.positions.get(instrument.symbol)
        if position is None:
            position = self.positions[instrument.symbol] = Position(instrument.symbol, instrument)
            self._instruments[instrument.symbol] = instrument
        return position

    def instrument(self, symbol: str) -> Instrument:
        """The instrument of a symbol that was traded."""
        return self._instruments[symbol]

    # --- what is free ------------------------------------------------------------------------------------

    @property
    def holds_funds(self) -> bool:
        """Whether working orders lock what they would spend."""
        return self._type is AccountType.CASH

    @property
    def locks(self) -> Mapping[str, Amounts]:
        """What working orders hold, by order id and asset; read only."""
        return MappingProxyType(self._locks)

    def lock(self, order_id: str, amounts: Amounts) -> None:
        """Hold `amounts` for a working order, instead of what it held before."""
        self._locks[order_id] = amounts

    def unlock(self, order_id: str) -> Amounts:
        """Hold nothing for that order any more; returns what it held."""
        return self._locks.pop(order_id, {})

    def free(self, asset: str) -> Decimal:
        """The balance of `asset` that neither a working order nor the margin of a contract holds."""
        held = self._margin(asset)
        for amounts in self._locks.values():
            held = add(held, amounts.get(asset, ZERO))
        return sub(self.balances.get(asset, ZERO), held)

    def _margin(self, asset: str) -> Decimal:
        """What open contracts hold of `asset` in a cash account: all they were bought or sold for."""
        total = ZERO
        for symbol, position in self.positions.items():
            instrument = self._instruments[symbol]
            if self.holds_funds and instrument.kind.is_contract and instrument.settle == asset:
                total = add(total, magnitude(position.cost))
        return total

    # --- what a trade may do -----------------------------------------------------------------------------

    def needs(
        self, instrument: Instrument, side: Side, quantity: Decimal, price: Decimal, fees: tuple[Fee, ...]
    ) -> Amounts:
        """What a trade would take from a cash account, fees in their own coins included.

        What it brings counts against its own fees. A contract takes its full notional for what opens; one that
        only closes takes nothing, so that a losing position can always be closed.
        """
        signed = quantity if side is Side.BUY else neg(quantity)
        if not instrument.kind.is_contract:
            moves = {instrument.base: signed}
            moves[instrument.quote] = sub(moves.get(instrument.quote, ZERO), instrument.value(signed, price))
        elif self._reduces(instrument, signed):
            return {}
        else:
            moves = {instrument.settle: self._released(instrument, signed, price)}
        for fee in fees:
            moves[fee.asset] = sub(moves.get(fee.asset, ZERO), fee.amount)
        return {asset: neg(amount) for asset, amount in moves.items() if amount < 0}

    def _reduces(self, instrument: Instrument, signed: Decimal) -> bool:
        """Whether a trade only closes, in part or in full."""
        held = self.position(instrument).quantity
        return bool(held) and (held > 0) != (signed > 0) and magnitude(signed) <= magnitude(held)

    def _released(self, instrument: Instrument, signed: Decimal, price: Decimal) -> Decimal:
        """How a contract's trade changes what is free: the profit it realises less the margin it adds."""
        before = self.position(instrument)
        after = copy(before)
        realized = after.trade(signed, price)
        return sub(add(realized, magnitude(before.cost)), magnitude(after.cost))

    def refusal(
        self,
        instrument: Instrument,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        fees: tuple[Fee, ...],
        mark: Mark,
    ) -> str:
        """Why the account cannot bear this trade now; empty when it can."""
        if self._type is AccountType.MARGIN:
            return self._margin_refusal(instrument, side, quantity, price, fees, mark)
        return self.shortage(self.needs(instrument, side, quantity, price, fees))

    def shortage(self, needs: Amounts) -> str:
        """What of `needs` is not free, as text; empty when all is."""
        for asset, amount in needs.items():
            free = self.free(asset)
            if amount > free:
                return f"INSUFFICIENT_FUNDS: needs {amount} {asset}, free are {free}"
        return ""

    def _margin_refusal(
        self,
        instrument: Instrument,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        fees: tuple[Fee, ...],
        mark: Mark,
    ) -> str:
        held = self.position(instrument).quantity
        after = add(held, quantity if side is Side.BUY else neg(quantity))
        if magnitude(after) <= magnitude(held):
            return ""
        currency = instrument.settle
        equity, others = self.equity_and_exposure(currency, mark, besides=instrument.symbol)
        wanted = add(others, instrument.notional(after, price))
        for fee in fees:
            equity = sub(equity, max(fee.amount, ZERO)) if fee.asset == currency else equity
        if self._initial_margin is not None:
            needed = mul(wanted, self._initial_margin)
            if needed > equity:
                return (
                    f"INSUFFICIENT_MARGIN: exposure would be {wanted} {currency}, its initial margin is {needed}, "
                    f"equity after fees {equity}"
                )
            return ""
        bearable = mul(equity, self._leverage)
        if wanted > bearable:
            return (
                f"INSUFFICIENT_MARGIN: exposure would be {wanted} {currency}, "
                f"leverage {self._leverage} x equity after fees {equity} bears {bearable}"
            )
        return ""

    def equity_and_exposure(self, currency: str, mark: Mark, *, besides: str = "") -> tuple[Decimal, Decimal]:
        """Equity in `currency`, and gross exposure of the positions that settle in it but that of `besides`.

        A position without a price counts at its average price.
        """
        equity, exposure = self.balances.get(currency, ZERO), ZERO
        for symbol, position in self.positions.items():
            instrument = self._instruments[symbol]
            if not position.quantity or instrument.settle != currency:
                continue
            price = mark(symbol) or magnitude(position.average_price)
            value = position.market_value(price)
            equity = add(equity, position.unrealized_pnl(price) if instrument.kind.is_contract else value)
            if symbol != besides:
                exposure = add(exposure, magnitude(value))
        return equity, exposure

    def held(self) -> Iterator[tuple[Instrument, Position]]:
        """The positions that are not flat, with their instruments."""
        for symbol, position in self.positions.items():
            if position.quantity:
                yield self._instruments[symbol], position

    # --- what a trade does -------------------------------------------------------------------------------

    def settle(
        self, instrument: Instrument, side: Side, quantity: Decimal, price: Decimal, fees: tuple[Fee, ...]
    ) -> None:
        """Move what a fill moves."""
        self.revision += 1
        signed = quantity if side is Side.BUY else neg(quantity)
        position = self.position(instrument)
        realized = position.trade(signed, price)
        if instrument.kind.is_contract:
            self.move(instrument.settle, realized)
        else:
            self.move(instrument.base, signed)
            self.move(instrument.quote, neg(instrument.value(signed, price)))
        for fee in fees:
            self.move(fee.asset, neg(fee.amount))
            if fee.asset == instrument.base and not instrument.kind.is_contract:
                position.give_up(fee.amount)

    def move(self, asset: str, amount: Decimal) -> None:
        """Add `amount` (negative: take it) to the balance of `asset`."""
        self.balances[asset] = add(self.balances.get(asset, ZERO), amount)
