"""What the account's balances should have moved by, by the trades we know."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from tradingd.domain.events import AccountPosition, Balance
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, mul, neg, sub
from tradingd.venues.model import TradeSeen

__all__ = ["Movements"]


class Movements:
    """Sums up trades per asset (and per contract), and compares with what the venue told at the last barrier."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._moved: dict[str, Decimal] = {}
        self._positions: dict[str, Decimal] = {}
        self._base: dict[str, Decimal] | None = None
        """What was held at the last barrier minus what had moved by then."""
        self._base_positions: dict[str, Decimal] = {}

    def count(self, trade: TradeSeen) -> None:
        """Count a trade of the account, ours or not."""
        instrument = self._instruments.get(trade.symbol)
        if instrument is None:
            return
        bought = trade.quantity if trade.side.sign > 0 else neg(trade.quantity)
        if instrument.kind.is_contract:
            self._positions[trade.symbol] = add(self._positions.get(trade.symbol, ZERO), bought)
        else:
            self._move(instrument.base, bought)
            self._move(instrument.quote, neg(mul(bought, trade.price)))
        for fee in trade.fees:
            self._move(fee.asset, neg(fee.amount))

    def take(self, balances: Sequence[Balance], positions: Sequence[AccountPosition]) -> None:
        """What the venue tells at a barrier is what is compared with from now on."""
        self._base = {
            balance.asset: sub(balance.total, self._moved.get(balance.asset, ZERO)) for balance in balances
        }
        self._base_positions = {
            position.symbol: sub(position.quantity, self._positions.get(position.symbol, ZERO))
            for position in positions
        }

    @property
    def has_base(self) -> bool:
        """Whether there was a barrier to compare with."""
        return self._base is not None

    def explains(self, symbol: str, balances: Sequence[Balance], positions: Sequence[AccountPosition]) -> bool:
        """Whether what a trade in `symbol` would have moved has moved by the trades we know, and nothing else.

        The base asset of spot, the position of a contract: both move with any trade, whatever its fees.
        """
        instrument = self._instruments[symbol]
        if self._base is None:
            return False
        if instrument.kind.is_contract:
            held = next((position.quantity for position in positions if position.symbol == symbol), ZERO)
            expected = add(self._base_positions.get(symbol, ZERO), self._positions.get(symbol, ZERO))
            return held == expected
        return self._held(instrument.base, balances) == self._expected(instrument.base)

    def explains_all(self, balances: Sequence[Balance]) -> bool:
        """Whether every asset that instruments of this run exchange is as the trades we know have it."""
        if self._base is None:
            return False
        every = self._instruments.values()
        spot = [one for one in every if not one.kind.is_contract]
        settled = {one.settle for one in every if one.kind.is_contract}  # funding and profits move these, too
        assets = {one.base for one in spot} | {one.quote for one in spot} | set(self._moved)
        return all(self._held(asset, balances) == self._expected(asset) for asset in assets - settled)

    def _expected(self, asset: str) -> Decimal:
        return add((self._base or {}).get(asset, ZERO), self._moved.get(asset, ZERO))

    def _held(self, asset: str, balances: Sequence[Balance]) -> Decimal:
        return next((balance.total for balance in balances if balance.asset == asset), ZERO)

    def _move(self, asset: str, amount: Decimal) -> None:
        self._moved[asset] = add(self._moved.get(asset, ZERO), amount)
