"""Brackets and protection: what a strategy asks for, and what of it reaches risk."""

from decimal import Decimal
from typing import Any

import pytest

from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.events import ModifyRequest, OrderRequest, OrderUpdate, ProtectRequest
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.errors import MoneyError, StrategyError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.testing import StrategyRun, make_bar


class Idle(Strategy):
    """Does nothing of itself."""

    class Params(StrategyParams):
        symbol: str = "AAPL"
        warmup: int = 0

    params: Params

    @property
    def warmup_bars(self) -> int:
        return self.params.warmup


def run(**params: Any) -> StrategyRun:
    """A strategy that has seen one bar."""
    made = StrategyRun(Idle, params)
    made.market(make_bar(100.0))
    return made


def test_a_bracket_is_an_entry_with_a_stop_and_a_target_that_wait_for_it() -> None:
    """One cancels the other, both only reduce, and their prices are on the tick, never for worse."""
    made = run()
    bracket = made.strategy.bracket("AAPL", Side.BUY, 10, limit=99.0, stop=95.001, target=110.001, tag="t")
    entry, stop, target = made.log.of(OrderRequest)
    terms = OrderTerms(parent=bracket.entry, oco=f"bracket {bracket.entry}")
    assert bracket == (entry.intent_id, stop.intent_id, target.intent_id)
    assert (entry.order_type, entry.limit_price, entry.quantity, entry.tag) == (OrderType.LIMIT, 99, 10, "t")
    assert (stop.side, stop.order_type, stop.stop_price) == (Side.SELL, OrderType.STOP, Decimal("95.01"))
    assert (target.side, target.order_type, target.limit_price) == (Side.SELL, OrderType.LIMIT, Decimal("110.01"))
    assert all(each.reduce_only and each.quantity == 10 and each.terms == terms for each in (stop, target))


@pytest.mark.parametrize(
    ("exits", "kind", "names"),
    [
        ({"stop": 105.0}, OrderType.STOP, (True, False)),
        ({"trail": Trail(Decimal(2))}, OrderType.TRAILING_STOP, (True, False)),
        ({"target": 90.0}, OrderType.LIMIT, (False, True)),
    ],
)
def test_a_lone_exit_is_in_no_group(exits: dict[str, Any], kind: OrderType, names: tuple[bool, bool]) -> None:
    """There is nothing that it could cancel."""
    made = run()
    bracket = made.strategy.bracket("AAPL", Side.SELL, 10, entry_stop=98.0, **exits)
    entry, out = made.log.of(OrderRequest)
    assert (entry.order_type, out.side, out.order_type, out.terms.oco) == (OrderType.STOP, Side.BUY, kind, "")
    assert (bool(bracket.stop), bool(bracket.target)) == names


def test_a_bracket_without_exits_is_refused() -> None:
    """That is an order."""
    with pytest.raises(StrategyError, match="a bracket needs a stop, a trail or a target"):
        run().strategy.bracket("AAPL", Side.BUY, 10)


def test_nothing_is_asked_for_while_warming_up() -> None:
    """Neither the entry nor what would wait for it, nor protection."""
    made = run(warmup=5)
    bracket = made.strategy.bracket("AAPL", Side.BUY, 10, stop=95.0)
    intent_id = made.strategy.protect("AAPL", stop=95.0)
    assert (tuple(bracket), intent_id, made.log.events) == (("", "", ""), "", [])


def test_protection_is_asked_for_exactly() -> None:
    """Risk puts the prices on the tick, since the side decides which way."""
    made = run()
    intent_id = made.strategy.protect("AAPL", stop=95.005, target="110", then="alarm", tries=5)
    asked = made.log.last(ProtectRequest)
    assert (asked.intent_id, asked.strategy_id, asked.symbol) == (intent_id, "s", "AAPL")
    assert (asked.stop, asked.trail, asked.target) == (Decimal("95.005"), None, Decimal(110))
    assert (asked.then, asked.tries) == ("alarm", 5)


def test_asking_for_nothing_calls_protection_off() -> None:
    """It is a wish without any price."""
    made = run()
    made.strategy.protect("AAPL")
    asked = made.log.last(ProtectRequest)
    assert (asked.stop, asked.trail, asked.target) == (None, None, None)


def test_a_price_that_is_no_number_is_refused() -> None:
    """Before anybody acts on it."""
    with pytest.raises(MoneyError):
        run().strategy.protect("AAPL", stop=float("nan"))


@pytest.mark.parametrize(
    ("side", "prices"),
    [
        (Side.BUY, {"limit": 100.0, "stop": 105.0}),
        (Side.BUY, {"limit": 100.0, "target": 95.0}),
        (Side.BUY, {"stop": 105.0, "target": 95.0}),
        (Side.SELL, {"entry_stop": 100.0, "stop": 95.0}),
        (Side.BUY, {"limit": 100.0, "stop": 0}),
        (Side.BUY, {"trail": Trail(Decimal(0))}),
    ],
)
def test_a_bracket_with_an_exit_on_the_wrong_side_is_refused(side: Side, prices: dict[str, Any]) -> None:
    """It would be out again at once; nothing has been asked for when that is told."""
    made = run()
    with pytest.raises(StrategyError, match="bracket"):
        made.strategy.bracket("AAPL", side, 10, **prices)
    assert made.log.events == []


@pytest.mark.parametrize("exit_price", ["stop", "target"])
def test_an_entry_does_not_go_out_before_its_exits_are_known_to_be_orders(exit_price: str) -> None:
    """An indicator that has no value yet: the entry alone would be a position without a stop."""
    made = run()
    with pytest.raises(MoneyError):
        made.strategy.bracket("AAPL", Side.BUY, 10, limit=100.0, **{exit_price: float("nan")})
    assert made.log.events == []


def test_an_exit_is_modified_by_its_name_when_its_first_order_is_over() -> None:
    """A further order of it works, `<intent>+2`; the name of the exit means that one, too."""
    made = run()
    strategy = made.strategy
    further = OrderUpdate(
        1, strategy.strategy_id, "x:7+2", "o", "AAPL", Side.SELL, OrderType.STOP, Decimal(6), Decimal(0),
        OrderStatus.OPEN, "", None, Decimal(90),
    )  # fmt: skip
    strategy.context.track(further)
    strategy.modify("x:7", stop=95.0)
    change = made.log.last(ModifyRequest)
    assert (change.intent_id, change.stop_price) == ("x:7", 95)
