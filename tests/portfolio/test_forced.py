"""Forced fills: a liquidation closes the strategies' own positions, in proportion and to the last digit."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradingd.domain.enums import InstrumentKind, Side
from tradingd.domain.events import LedgerEntry, PositionUpdate
from tradingd.domain.money import ZERO, add
from tradingd.portfolio.forced import parts_of
from tradingd.portfolio.manager import PortfolioManager
from tradingd.testing import EventLog, make_fill, make_instrument

BUY, SELL = Side.BUY, Side.SELL


def parts(side: Side, quantity: Any, holdings: dict[str, Any], *, lot: str = "1", **fields: Any) -> dict[str, str]:
    """Who gives how much."""
    fill = make_fill(side, quantity, 100, strategy_id="external", forced=True, **fields)
    split = parts_of(fill, [(name, Decimal(str(held))) for name, held in holdings.items()], Decimal(lot))
    return {part.strategy_id: f"{part.quantity.normalize():f}" for part in split}


@pytest.mark.parametrize(
    ("side", "quantity", "holdings", "shares"),
    [
        (SELL, 30, {"a": 10, "b": 20}, {"a": "10", "b": "20"}),
        (SELL, 15, {"a": 10, "b": 20}, {"a": "5", "b": "10"}),
        (SELL, 10, {"a": 10, "b": 20}, {"a": "4", "b": "6"}),  # 3.33 and 6.67: whole lots, the first gives more
        (BUY, 30, {"a": -10, "b": -20}, {"a": "10", "b": "20"}),
        (SELL, 60, {"long": 100, "short": -40}, {"long": "60"}),  # what is left of it offsets the short
        (SELL, 12, {"a": 10, "flat": 0}, {"a": "10", "external": "2"}),
        (SELL, 5, {}, {"external": "5"}),
        (SELL, 2, {"a": "1.5", "b": "0.7"}, {"a": "1.5", "b": "0.5"}),
    ],
)
def test_shares(side: Side, quantity: Any, holdings: dict[str, Any], shares: dict[str, str]) -> None:
    """Only who holds what is closed gives, in proportion, never more than it holds."""
    assert parts(side, quantity, holdings) == shares


@settings(deadline=None)
@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.integers(-500, 500), max_size=6),
    st.integers(1, 2000),
    st.sampled_from(Side),
    st.integers(-1000, 1000),
)
def test_parts_add_up(holdings: dict[str, int], quantity: int, side: Side, fee: int) -> None:
    """Quantities and fees add up exactly, and no strategy is turned around."""
    amount = Decimal(fee) / 1000
    fill = make_fill(side, quantity, 100, strategy_id="external", fees=[("USD", amount), ("BNB", 1)], forced=True)
    split = parts_of(fill, [(name, Decimal(held)) for name, held in holdings.items()], Decimal(1))
    assert sum((part.quantity for part in split), ZERO) == quantity
    for asset, whole in (("USD", amount), ("BNB", Decimal(1))):
        charged = ZERO
        for part in split:
            for each in part.fees:
                charged = add(charged, each.amount) if each.asset == asset else charged
        assert charged == whole
    for part in split:
        held = holdings.get(part.strategy_id, 0)
        assert part.strategy_id == "external" or (held * side.sign < 0 and part.quantity <= abs(held))


@pytest.mark.parametrize("kind", [InstrumentKind.EQUITY, InstrumentKind.SWAP])
def test_a_forced_fill_is_booked_once_and_told_to_each(kind: InstrumentKind) -> None:
    """The ledger has one trade; positions, fees and updates are each strategy's own."""
    instrument = make_instrument("X", kind=kind, base="X")
    log = EventLog()
    portfolio = PortfolioManager(10_000, instruments={"X": instrument}, emit=log)
    portfolio.on_fill(make_fill(BUY, 10, 100, symbol="X", strategy_id="a", trade_id="1"))
    portfolio.on_fill(make_fill(BUY, 20, 130, symbol="X", strategy_id="b", trade_id="2"))
    log.clear()
    forced = make_fill(
        SELL, 30, 90, symbol="X", strategy_id="external", trade_id="L", fees=[("USD", 3)], forced=True
    )
    portfolio.on_fill(forced)
    assert portfolio.positions == {}
    assert list(portfolio.strategy_symbols()) == []
    assert (portfolio.realized_pnl("a"), portfolio.realized_pnl("b")) == (-100, -800)
    assert (portfolio.fees("a"), portfolio.fees("b")) == ({"USD": 1}, {"USD": 2})
    assert portfolio.cash() == portfolio.get_equity() == 10_000 - 100 - 800 - 3
    portfolio.ledger.verify()
    assert {entry.reference for entry in log.of(LedgerEntry)} == {"L"}
    told = [(update.strategy_id, update.fill.quantity, update.quantity) for update in log.of(PositionUpdate)]
    assert told == [("a", 10, 0), ("b", 20, 0)]


def test_a_fill_that_is_not_forced_stays_with_its_owner() -> None:
    """A trade of somebody else's order is nobody's position here."""
    portfolio = PortfolioManager(10_000)
    portfolio.on_fill(make_fill(BUY, 10, 100, strategy_id="a"))
    portfolio.on_fill(make_fill(SELL, 10, 100, strategy_id="external"))
    assert dict(portfolio.strategy_symbols()) == {"a": "AAPL", "external": "AAPL"}


def test_a_forced_fee_in_the_base_coin_shrinks_each_position_once() -> None:
    """Half is closed, and a fee of 1 taken from what remains, by share."""
    portfolio = PortfolioManager(10_000, instruments={"BTC/USD": make_instrument("BTC/USD", lot=Decimal(1))})
    for name in ("a", "b"):
        portfolio.on_fill(make_fill(BUY, 10, 100, symbol="BTC/USD", strategy_id=name))
    portfolio.on_fill(
        make_fill(SELL, 10, 100, symbol="BTC/USD", strategy_id="external", fees=[("BTC", 1)], forced=True)
    )
    held = [portfolio.get_strategy_position(name, "BTC/USD").quantity for name in ("a", "b")]
    assert held == [Decimal("4.5"), Decimal("4.5")]
    assert portfolio.get_position("BTC/USD").quantity == 9
