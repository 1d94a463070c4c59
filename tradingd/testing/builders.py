"""Builders: events and instruments with sensible rest."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from tradingd.domain.enums import Direction, InstrumentKind, Side
from tradingd.domain.events import Bar, Fee, Fill, Quote, Signal, Trade
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import DecimalLike, to_decimal

__all__ = [
    "at",
    "make_bar",
    "make_bars",
    "make_fill",
    "make_instrument",
    "make_quote",
    "make_signal",
    "make_trade",
]

_START = 1_700_000_000_000_000_000
_MINUTE = 60_000_000_000


def at(minutes: float) -> int:
    """Nanoseconds UTC, `minutes` after a fixed instant (2023-11-14 22:13:20)."""
    return _START + int(minutes * _MINUTE)


def make_instrument(symbol: str = "AAPL", **fields: Any) -> Instrument:  # noqa: ANN401 - any field
    """A share in cents and whole units, or for a symbol like `BTC/USD` spot with a lot of 1e-8."""
    base, slash, quote = symbol.partition("/")
    defaults: dict[str, Any] = {
        "symbol": symbol,
        "kind": InstrumentKind.SPOT if slash else InstrumentKind.EQUITY,
        "base": base,
        "quote": quote or "USD",
        "tick": Decimal("0.01"),
        "lot": Decimal("0.00000001") if slash else Decimal(1),
    }
    return Instrument(**{**defaults, **fields})


def make_bar(
    close: float = 100.0,
    *,
    symbol: str = "AAPL",
    open: float | None = None,  # noqa: A002 - the field's name
    high: float | None = None,
    low: float | None = None,
    volume: float = 1_000.0,
    minute: float = 0,
    interval_minutes: float = 1,
) -> Bar:
    """A bar that opens at `at(minute)`; open is the close unless told, high and low enclose both."""
    first = close if open is None else open
    return Bar(
        at(minute + interval_minutes),
        symbol,
        first,
        max(first, close) if high is None else high,
        min(first, close) if low is None else low,
        close,
        volume,
        at(minute),
    )


def make_bars(closes: Iterable[float], *, symbol: str = "AAPL") -> list[Bar]:
    """One-minute bars with these closes; each opens where the last one closed."""
    bars: list[Bar] = []
    for minute, close in enumerate(closes):
        before = bars[-1].close if bars else close
        bars.append(make_bar(close, open=before, symbol=symbol, minute=minute))
    return bars


def make_quote(bid: float, ask: float, *, symbol: str = "AAPL", minute: float = 0, size: float = 100.0) -> Quote:
    """A best bid and ask of equal size."""
    return Quote(at(minute), symbol, bid, ask, size, size)


def make_trade(price: float, *, symbol: str = "AAPL", minute: float = 0, amount: float = 1.0) -> Trade:
    """A public trade by a buying taker."""
    return Trade(at(minute), symbol, price, amount, Side.BUY, f"T{minute}")


def make_signal(direction: Direction, price: float = 100.0, **fields: Any) -> Signal:  # noqa: ANN401 - any field
    """A signal of strategy `s` for AAPL."""
    defaults: dict[str, Any] = {"ts": at(0), "strategy_id": "s", "intent_id": "s:1", "symbol": "AAPL"}
    return Signal(**{**defaults, **fields}, direction=direction, price=price)


def make_fill(
    side: Side,
    quantity: DecimalLike,
    price: DecimalLike,
    *,
    fees: Iterable[tuple[str, DecimalLike]] = (),
    **fields: Any,  # noqa: ANN401 - any field
) -> Fill:
    """A fill of strategy `s` in AAPL."""
    defaults: dict[str, Any] = {"ts": at(0), "symbol": "AAPL", "strategy_id": "s", "trade_id": "T1"}
    charged = tuple(Fee(asset, to_decimal(amount)) for asset, amount in fees)
    return Fill(
        **{**defaults, **fields},
        side=side,
        quantity=to_decimal(quantity),
        price=to_decimal(price),
        fees=charged,
    )
