"""Position sizers: how much a signal becomes."""

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from typing import Any, ClassVar, Protocol

from tradingd.domain.enums import Direction
from tradingd.domain.events import Bar
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import (
    MONEY_QUANTUM,
    ONE,
    ZERO,
    DecimalLike,
    PriceLike,
    divide,
    from_market,
    mul,
    quantize,
    to_decimal,
    to_price,
    worth,
)
from tradingd.domain.ports import InstrumentLookup, PortfolioView
from tradingd.errors import ConfigError

__all__ = [
    "AtrTargetSizer",
    "FixedNotionalSizer",
    "FixedQuantitySizer",
    "PercentOfEquitySizer",
    "PositionSizer",
    "RangeIndicator",
]


class PositionSizer(Protocol):
    """Decides the quantity of a new position; the instrument's lot cuts it afterwards."""

    def calculate_position_size(
        self, symbol: str, direction: Direction, price: PriceLike, portfolio: PortfolioView
    ) -> Decimal:
        """The quantity (>= 0) for a new position in `symbol`, in units of the instrument."""


class RangeIndicator(Protocol):
    """An average true range: what `AtrTargetSizer` needs of an indicator."""

    def update(self, high: float, low: float, close: float) -> Any:  # noqa: ANN401 - its result is not used
        """Take a bar."""

    @property
    def value(self) -> float | None:
        """The average true range, None while warming up."""


class _Sizer:
    def __init__(self, instruments: InstrumentLookup | None = None) -> None:
        self._instruments = instruments

    def _unit_value(self, symbol: str, price: PriceLike, portfolio: PortfolioView) -> Decimal:
        """What one unit of quantity is worth in the portfolio's currency; 0 without a price."""
        exact = to_price(price)
        if exact <= 0:
            return ZERO
        instrument = self._instruments[symbol] if self._instruments is not None else Instrument.plain(symbol)
        value = instrument.notional(ONE, exact)
        if self._instruments is None or instrument.settle == portfolio.currency:
            return value
        return quantize(worth(value, portfolio.rate(instrument.settle)))

    def _quantity(self, money: Decimal, unit: Decimal) -> Decimal:
        return divide(money, unit, MONEY_QUANTUM, ROUND_FLOOR) if unit > 0 and money > 0 else ZERO


class FixedQuantitySizer(_Sizer):
    """Always the same quantity."""

    def __init__(self, quantity: DecimalLike, instruments: InstrumentLookup | None = None) -> None:
        super().__init__(instruments)
        self.quantity = _positive("quantity", quantity)

    def calculate_position_size(
        self, symbol: str, direction: Direction, price: PriceLike, portfolio: PortfolioView
    ) -> Decimal:
        """`quantity`, whatever the price."""
        del symbol, direction, price, portfolio
        return self.quantity


class FixedNotionalSizer(_Sizer):
    """Always the same amount of the portfolio's currency."""

    def __init__(self, notional: DecimalLike, instruments: InstrumentLookup | None = None) -> None:
        super().__init__(instruments)
        self.notional = _positive("notional", notional)

    def calculate_position_size(
        self, symbol: str, direction: Direction, price: PriceLike, portfolio: PortfolioView
    ) -> Decimal:
        """The quantity that `notional` buys at `price`."""
        del direction
        return self._quantity(self.notional, self._unit_value(symbol, price, portfolio))


class PercentOfEquitySizer(_Sizer):
    """A share of the present equity; `percent` is 0 to 100."""

    def __init__(self, percent: DecimalLike, instruments: InstrumentLookup | None = None) -> None:
        super().__init__(instruments)
        self.fraction = mul(_positive("percent", percent), Decimal("0.01"))

    def calculate_position_size(
        self, symbol: str, direction: Direction, price: PriceLike, portfolio: PortfolioView
    ) -> Decimal:
        """The quantity that this share of equity buys at `price`."""
        del direction
        money = mul(portfolio.get_equity(), self.fraction)
        return self._quantity(money, self._unit_value(symbol, price, portfolio))


class AtrTargetSizer(_Sizer):
    """Sizes a position so that a move of `multiple` average true ranges costs `risk_percent` of equity.

    quantity = equity x risk / (multiple x ATR x value of one unit per unit of price); 0 while the ATR warms up.
    (Volatility-adjusted units as told by C. Faith, "Way of the Turtle", 2007, with ATR by J. W. Wilder, 1978.)
    """

    wants_bars: ClassVar[bool] = True

    def __init__(
        self,
        risk_percent: DecimalLike,
        *,
        multiple: DecimalLike,
        make_atr: Callable[[], RangeIndicator],
        instruments: InstrumentLookup | None = None,
    ) -> None:
        super().__init__(instruments)
        self.risk = mul(_positive("risk_percent", risk_percent), Decimal("0.01"))
        self.multiple = _positive("ATR multiple", multiple)
        self._make_atr = make_atr
        self._ranges: dict[str, RangeIndicator] = {}

    def on_bar(self, bar: Bar) -> None:
        """Follow a symbol's true range."""
        atr = self._ranges.get(bar.symbol)
        if atr is None:
            atr = self._ranges[bar.symbol] = self._make_atr()
        atr.update(bar.high, bar.low, bar.close)

    def calculate_position_size(
        self, symbol: str, direction: Direction, price: PriceLike, portfolio: PortfolioView
    ) -> Decimal:
        """The quantity whose adverse move of `multiple` ATR costs the risked share of equity."""
        del direction
        atr = self._ranges.get(symbol)
        if atr is None or not atr.value:
            return ZERO
        reference = to_price(price)
        if reference <= 0:
            return ZERO
        share = mul(divide(from_market(atr.value), reference), self.multiple)
        per_unit = quantize(worth(self._unit_value(symbol, reference, portfolio), share))
        return self._quantity(mul(portfolio.get_equity(), self.risk), per_unit)


def _positive(name: str, value: DecimalLike) -> Decimal:
    number = to_decimal(value)
    if number <= 0:
        raise ConfigError(f"the sizer's {name} must be greater than 0, it is {number}")
    return number
