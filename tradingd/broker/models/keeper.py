"""What a detailed fee model needs to know, kept as little as that: nothing that it does not ask for."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal

from tradingd.broker.models.fees import DetailedFee, FeeBasis, FeeNeeds
from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import Fee
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, sub
from tradingd.domain.ports import InstrumentLookup

__all__ = ["Charged", "FeeKeeper", "TrailingVolume"]

_DAY_NS = 86_400_000_000_000
_DAYS = 30


class Charged:
    """What one order has been filled and charged so far. It lives as long as its order."""

    __slots__ = ("filled", "paid", "traded")

    def __init__(self) -> None:
        self.filled = ZERO
        self.traded = ZERO
        self.paid = ZERO


class TrailingVolume:
    """What was traded today and in the days before, `days` UTC days in all; at most one number per day is kept.

    Time does not go back: what comes late counts for the latest day.
    """

    __slots__ = ("_buckets", "_days", "_total")

    def __init__(self, days: int = _DAYS) -> None:
        self._days = days
        self._buckets: deque[tuple[int, Decimal]] = deque()
        self._total = ZERO

    def __len__(self) -> int:
        return len(self._buckets)

    def total(self, ts: int) -> Decimal:
        """The sum at `ts`, nanoseconds UTC."""
        oldest = ts // _DAY_NS - self._days
        buckets = self._buckets
        while buckets and buckets[0][0] <= oldest:
            self._total = sub(self._total, buckets.popleft()[1])
        return self._total

    def add(self, ts: int, amount: Decimal) -> None:
        """Count `amount`, traded at `ts`."""
        self.total(ts)
        day = ts // _DAY_NS
        buckets = self._buckets
        if buckets and buckets[-1][0] >= day:
            day, before = buckets.pop()
            buckets.append((day, add(before, amount)))
        else:
            buckets.append((day, amount))
        self._total = add(self._total, amount)


class FeeKeeper:
    """Asks a detailed fee model, and keeps what it needs to know from fill to fill.

    `free` tells how much of an asset the account can spend, `mark` the latest price of a symbol.
    """

    def __init__(
        self,
        model: DetailedFee,
        *,
        free: Callable[[str], Decimal],
        mark: Callable[[str], Decimal | None],
        instruments: InstrumentLookup,
    ) -> None:
        self._charge = model.charge
        self._of_order = bool(model.needs & FeeNeeds.ORDER)
        self._volumes: dict[str, TrailingVolume] | None = {} if model.needs & FeeNeeds.VOLUME else None
        self._coin: str = getattr(model, "coin", "") if model.needs & FeeNeeds.COIN else ""
        self._coin_symbol: str = getattr(model, "coin_symbol", "")
        self._free = free
        self._mark = mark
        self._instruments = instruments

    def fees(
        self,
        instrument: Instrument,
        side: Side,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
        charged: Charged | None,
        ts: int,
    ) -> tuple[Fee, ...]:
        """What a fill at `ts` would be charged; `charged` is what its order has been filled and charged before."""
        volume = self._volumes.get(instrument.settle) if self._volumes else None
        basis = FeeBasis(
            ZERO if charged is None else charged.filled,
            ZERO if charged is None else charged.traded,
            ZERO if charged is None else charged.paid,
            ZERO if volume is None else volume.total(ts),
            self._coin_price(instrument.settle) if self._coin else None,
            self._coin_free(instrument, side, quantity) if self._coin else ZERO,
        )
        return self._charge(instrument, quantity, price, liquidity, basis)

    def book(
        self,
        instrument: Instrument,
        quantity: Decimal,
        price: Decimal,
        fees: tuple[Fee, ...],
        charged: Charged | None,
        ts: int,
    ) -> Charged | None:
        """Count a fill that has happened; returns what its order has come to, None where no model asks."""
        if not self._of_order and self._volumes is None:
            return None
        notional = instrument.notional(quantity, price)
        if self._volumes is not None:
            self._volumes.setdefault(instrument.settle, TrailingVolume()).add(ts, notional)
        if not self._of_order:
            return None
        state = charged or Charged()
        state.filled = add(state.filled, quantity)
        state.traded = add(state.traded, notional)
        for fee in fees:
            if fee.asset == instrument.settle:
                state.paid = add(state.paid, fee.amount)
        return state

    def _coin_price(self, settle: str) -> Decimal | None:
        """One unit of the coin in `settle`."""
        symbol = self._coin_symbol
        if symbol and self._instruments[symbol].quote != settle:
            return None
        return self._mark(symbol or f"{self._coin}/{settle}")

    def _coin_free(self, instrument: Instrument, side: Side, quantity: Decimal) -> Decimal:
        """How much of the coin could be spent beside what the trade itself takes of it."""
        free = self._free(self._coin)
        sells_it = side is Side.SELL and instrument.base == self._coin and not instrument.kind.is_contract
        return sub(free, quantity) if sells_it else free
