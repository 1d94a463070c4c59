"""The simulated exchange's own books: what it would let an account do.

Kept apart from our portfolio on purpose. An exchange knows only its own balances; so does this, and tests hold
the two against each other.
"""

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum

from tradingd.domain.enums import Side
from tradingd.domain.events import Fee
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, magnitude, mul, neg, sub
from tradingd.domain.position import Position

__all__ = ["AccountType", "SimulatedAccount"]


class AccountType(StrEnum):
    """What an account may do."""

    CASH = "cash"
    """Pays in full and sells only what it has. Contracts are margined at their full notional."""
    MARGIN = "margin"
    """May borrow and sell short, up to leverage x equity."""


class SimulatedAccount:
    """Balances, positions and locks of one account at the simulated exchange."""

    def __init__(
        self,
        balances: dict[str, Decimal],
        *,
        account_type: AccountType = AccountType.CASH,
        leverage: Decimal = Decimal(1),
    ) -> None:
        self.balances = dict(balances)
        self.positions: dict[str, Position] = {}
        self._instruments: dict[str, Instrument] = {}
        self._type = account_type
        self._leverage = leverage
        self._locks: dict[str, tuple[str, Decimal]] = {}

    def position(self, instrument: Instrument) -> Position:
        """The position in `instrument`, flat if there is none."""
        position = self.positions.get(instrument.symbol)
        if position is None:
            position = self.positions[instrument.symbol] = Position(instrument.symbol, instrument)
            self._instruments[instrument.symbol] = instrument
        return position

    def free(self, asset: str) -> Decimal:
        """The balance of `asset` that no working order holds."""
        held = ZERO
        for locked, amount in self._locks.values():
            if locked == asset:
                held = add(held, amount)
        return sub(self.balances.get(asset, ZERO), held)

    def lock(self, order_id: str, asset: str, amount: Decimal) -> None:
        """Hold `amount` of `asset` for a working order."""
        self._locks[order_id] = (asset, amount)

    def unlock(self, order_id: str) -> None:
        """Hold nothing for that order any more."""
        self._locks.pop(order_id, None)

    def needs(self, instrument: Instrument, side: Side, quantity: Decimal, cost: Decimal) -> tuple[str, Decimal]:
        """What an order of a cash account must hold: (asset, amount). `cost` includes fees.

        Raises nothing; a contract needs its full notional for what opens, nothing for what closes.
        """
        if instrument.kind.is_contract:
            held = self.position(instrument).quantity
            closes = bool(held) and (held > 0) != (side is Side.BUY)
            return instrument.settle, ZERO if closes and quantity <= magnitude(held) else cost
        return (instrument.quote, cost) if side is Side.BUY else (instrument.base, quantity)

    def refusal(
        self,
        instrument: Instrument,
        side: Side,
        quantity: Decimal,
        cost: Decimal,
        mark: Callable[[str], Decimal | None],
    ) -> str:
        """Why the account cannot bear this trade now; empty when it can."""
        if self._type is AccountType.CASH:
            asset, amount = self.needs(instrument, side, quantity, cost)
            free = self.free(asset)
            return f"INSUFFICIENT_FUNDS: needs {amount} {asset}, free are {free}" if amount > free else ""
        return self._margin_refusal(instrument, side, quantity, cost, mark)

    @property
    def holds_funds(self) -> bool:
        """Whether working orders lock what they would spend."""
        return self._type is AccountType.CASH

    def _margin_refusal(
        self,
        instrument: Instrument,
        side: Side,
        quantity: Decimal,
        cost: Decimal,
        mark: Callable[[str], Decimal | None],
    ) -> str:
        position = self.position(instrument)
        signed = quantity if side is Side.BUY else neg(quantity)
        if magnitude(add(position.quantity, signed)) <= magnitude(position.quantity):
            return ""
        currency = instrument.settle
        equity, exposure = self._equity_and_exposure(currency, mark)
        bearable = mul(equity, self._leverage)
        wanted = add(exposure, cost)
        if wanted > bearable:
            return (
                f"INSUFFICIENT_MARGIN: exposure would be {wanted} {currency}, "
                f"leverage {self._leverage} x equity {equity} bears {bearable}"
            )
        return ""

    def _equity_and_exposure(
        self, currency: str, mark: Callable[[str], Decimal | None]
    ) -> tuple[Decimal, Decimal]:
        """Equity and gross exposure of the positions that settle in `currency`."""
        equity, exposure = self.balances.get(currency, ZERO), ZERO
        for symbol, position in self.positions.items():
            instrument = self._instruments[symbol]
            price = mark(symbol)
            if not position.quantity or instrument.settle != currency or price is None:
                continue
            contract = instrument.kind.is_contract
            value = position.market_value(price)
            equity = add(equity, position.unrealized_pnl(price) if contract else value)
            exposure = add(exposure, magnitude(value))
        return equity, exposure

    def settle(
        self, instrument: Instrument, side: Side, quantity: Decimal, price: Decimal, fees: tuple[Fee, ...]
    ) -> None:
        """Move what a fill moves."""
        signed = quantity if side is Side.BUY else neg(quantity)
        realized = self.position(instrument).trade(signed, price)
        if instrument.kind.is_contract:
            self._move(instrument.settle, realized)
        else:
            self._move(instrument.base, signed)
            self._move(instrument.quote, neg(instrument.value(signed, price)))
        for fee in fees:
            self._move(fee.asset, neg(fee.amount))

    def _move(self, asset: str, amount: Decimal) -> None:
        self.balances[asset] = add(self.balances.get(asset, ZERO), amount)
