"""What the base class of strategies gives: a read-only view, requests, warm-up, timers."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tradingd.domain.enums import Direction, OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    Bar,
    CancelRequest,
    EventType,
    ModifyRequest,
    OrderRequest,
    OrderUpdate,
    Quote,
    Signal,
    Timer,
)
from tradingd.domain.terms import Trail
from tradingd.errors import MoneyError, StrategyError, UsageError
from tradingd.strategy.base import Strategy, StrategyParams
from tradingd.testing import StrategyRun, at, make_bar, make_bars, make_fill, make_signal


class Recorder(Strategy):
    """Keeps what it is told."""

    class Params(StrategyParams):
        symbols: tuple[str, ...] = ("AAPL",)
        warmup: int = 0

    params: Params

    @property
    def warmup_bars(self) -> int:
        return self.params.warmup

    def on_start(self) -> None:
        self.told: list[Any] = []

    def on_bar(self, bar: Bar) -> None:
        self.told.append((bar.symbol, self.signal(bar.symbol, Direction.LONG)))

    def on_fill(self, fill: Any) -> None:
        self.told.append(("fill", self.position(fill.symbol).quantity))


def started(cls: type[Strategy] = Recorder, **params: Any) -> StrategyRun:
    """A strategy that has been started."""
    return StrategyRun(cls, params, symbols=("AAPL", "MSFT"))


def update(status: OrderStatus, intent: str = "s:1", reason: str = "") -> OrderUpdate:
    """An update of a stop order."""
    kind, quantity = OrderType.STOP, Decimal(5)
    return OrderUpdate(at(0), "s", intent, "t1-1-1", "AAPL", Side.SELL, kind, quantity, Decimal(0), status, reason)


@pytest.fixture
def run() -> StrategyRun:
    """A strategy on AAPL that has seen one bar at 100."""
    made = started()
    made.market(make_bar(100.0))
    made.log.clear()
    return made


def test_a_signal_carries_what_was_asked_for(run: StrategyRun) -> None:
    """A signal has the strategy, a new intent id, the time, and every wish."""
    intent = run.strategy.signal(
        "AAPL", Direction.SHORT, 99.5, strength=0.5, limit=99.0, stop=101.0, target=90.0, tag="x"
    )
    expected = Signal(at(1), "s", intent, "AAPL", Direction.SHORT, 99.5, 0.5, 99.0, 101.0, 90.0, "x")
    assert run.log.events == [expected]


def test_a_signal_without_a_price_takes_the_latest(run: StrategyRun) -> None:
    """The price a decision was made on is the latest one unless told."""
    run.strategy.signal("AAPL", Direction.LONG)
    assert run.log.last(Signal).price == 100.0


def test_a_signal_before_any_price_says_so(run: StrategyRun) -> None:
    """Without a price, given or known, there is nothing to size by."""
    with pytest.raises(StrategyError, match="MSFT has no price yet"):
        run.strategy.signal("MSFT", Direction.LONG)


def test_intent_ids_are_never_repeated(run: StrategyRun) -> None:
    """Every wish of a strategy has an id of its own."""
    ids = [run.strategy.signal("AAPL", Direction.LONG) for _ in range(3)] + [run.strategy.buy("AAPL", 1)]
    assert ids == ["s:2", "s:3", "s:4", "s:5"]


@pytest.mark.parametrize(
    ("options", "kind", "limit", "stop"),
    [
        ({}, OrderType.MARKET, None, None),
        ({"limit": 99.999}, OrderType.LIMIT, Decimal("99.99"), None),
        ({"stop": "101.5"}, OrderType.STOP, None, Decimal("101.5")),
    ],
)
def test_an_order_request_is_exact(run: StrategyRun, options: Any, kind: OrderType, limit: Any, stop: Any) -> None:
    """A request is a market, limit or stop order by the price that is given, on the tick and never for worse."""
    run.strategy.buy("AAPL", "3", reduce_only=True, time_in_force=TimeInForce.IOC, tag="t", **options)
    assert run.log.events == [
        OrderRequest(
            at(1), "s", "s:2", "AAPL", Side.BUY, Decimal(3), kind, limit, stop, TimeInForce.IOC, True, "t"
        )
    ]


def test_a_sell_rounds_its_limit_up(run: StrategyRun) -> None:
    """A float limit of a sale is never rounded to a lower price."""
    run.strategy.sell("AAPL", 1, limit=100.001)
    assert run.log.last(OrderRequest).limit_price == Decimal("100.01")


@pytest.mark.parametrize(
    ("prices", "kind"),
    [
        ({}, OrderType.MARKET),
        ({"limit": "1"}, OrderType.LIMIT),
        ({"stop": "1"}, OrderType.STOP),
        ({"stop": "1", "limit": "2"}, OrderType.STOP_LIMIT),
        ({"take_profit": "1"}, OrderType.TAKE_PROFIT),
        ({"take_profit": "1", "limit": "2"}, OrderType.TAKE_PROFIT_LIMIT),
        ({"trail": Trail(Decimal(2))}, OrderType.TRAILING_STOP),
        ({"trail": Trail(Decimal(2)), "stop": "3"}, OrderType.TRAILING_STOP),
    ],
)
def test_the_prices_of_an_order_decide_its_type(run: StrategyRun, prices: dict[str, Any], kind: OrderType) -> None:
    """Each combination of prices that makes sense is one order type, with these prices and no others."""
    run.strategy.buy("AAPL", 1, **prices)
    request = run.log.last(OrderRequest)
    assert request.order_type is kind
    assert request.order_type.prices_fit(request.limit_price, request.stop_price)
    assert request.terms.trail is prices.get("trail")


def test_impossible_orders_raise_where_they_are_asked_for(run: StrategyRun) -> None:
    """Two prices, a float quantity or a NaN price raise in the strategy; nothing is sent."""
    with pytest.raises(StrategyError, match="a stop or a take-profit price, not both"):
        run.strategy.buy("AAPL", 1, take_profit=1.0, stop=2.0)
    with pytest.raises(StrategyError, match="a trailing stop has no limit"):
        run.strategy.buy("AAPL", 1, limit=1.0, trail=Trail(Decimal(1)))
    with pytest.raises(MoneyError, match=r"0\.5 is a float"):
        run.strategy.buy("AAPL", 0.5)
    with pytest.raises(MoneyError, match="nan"):
        run.strategy.buy("AAPL", 1, limit=float("nan"))
    assert run.log.events == []


def test_a_direction_may_be_told_by_name(run: StrategyRun) -> None:
    """Text such as "short" is the direction of that name, never the other one."""
    run.strategy.signal("AAPL", "short")  # type: ignore[arg-type]
    assert run.log.last(Signal).direction is Direction.SHORT


def test_what_is_no_direction_or_side_raises(run: StrategyRun) -> None:
    """An unknown direction, or a side that is text, raises where it is asked for, with what to use."""
    with pytest.raises(UsageError, match="'UP' is no direction; use LONG, SHORT or FLAT"):
        run.strategy.signal("AAPL", "UP")  # type: ignore[arg-type]
    with pytest.raises(StrategyError, match=r"'BUY' is no side; use Side\.BUY or Side\.SELL"):
        run.strategy.order("AAPL", "BUY", 1)  # type: ignore[arg-type]
    assert run.log.events == []


def test_working_orders_are_followed(run: StrategyRun) -> None:
    """`orders` has an order from its first update to its terminal one, and cannot be written."""
    run.order(update(OrderStatus.OPEN))
    assert list(run.strategy.orders) == ["s:1"]
    with pytest.raises(TypeError):
        run.strategy.orders["s:1"] = None  # type: ignore[index]
    run.order(update(OrderStatus.CANCELED))
    assert list(run.strategy.orders) == []


def test_parts_of_an_order_are_not_seen() -> None:
    """Of an intent that several orders work the strategy sees the whole only."""

    class Listener(Recorder):
        def on_order(self, update: OrderUpdate) -> None:
            self.told.append(update.intent_id)

    run = started(Listener)
    part = update(OrderStatus.OPEN, "s:1/1")
    run.order(msgspec.structs.replace(part, order_id="t1-1-2", parent_id="t1-1-1"))
    assert (run.strategy.told, dict(run.strategy.orders)) == ([], {})
    run.order(update(OrderStatus.OPEN))
    assert (run.strategy.told, list(run.strategy.orders)) == (["s:1"], ["s:1"])


def test_a_refused_change_hides_no_newer_state(run: StrategyRun) -> None:
    """A MODIFY_DENIED repeats what risk knew: what execution has told since then stays."""
    run.order(update(OrderStatus.OPEN))
    newer = msgspec.structs.replace(update(OrderStatus.OPEN), filled=Decimal(1), order_id="x-1")
    run.order(newer)
    run.order(update(OrderStatus.OPEN, reason="MODIFY_DENIED: PRICE_COLLAR"))
    assert list(run.strategy.orders.values()) == [newer]


def test_a_late_refusal_of_a_change_does_not_revive_an_order(run: StrategyRun) -> None:
    """A MODIFY_DENIED repeats an older state; after the order's end it brings nothing back."""
    run.order(update(OrderStatus.OPEN))
    run.order(update(OrderStatus.FILLED))
    run.order(update(OrderStatus.OPEN, reason="MODIFY_DENIED: PRICE_COLLAR"))
    assert list(run.strategy.orders) == []


def test_changes_and_cancels_name_the_order(run: StrategyRun) -> None:
    """`modify` and `cancel` ask by intent id, with prices on the tick."""
    run.order(update(OrderStatus.OPEN))
    run.strategy.modify("s:1", quantity=4, stop=98.004)
    run.strategy.cancel("s:1")
    assert run.log.events == [
        ModifyRequest(at(1), "s", "s:1", Decimal(4), None, Decimal("98.01")),
        CancelRequest(at(1), "s", "s:1"),
    ]


def test_only_a_working_order_can_be_changed(run: StrategyRun) -> None:
    """Changing an order that is not working says so."""
    with pytest.raises(StrategyError, match="'s:9' is no working order of s"):
        run.strategy.modify("s:9", quantity=1)


def test_the_position_view_shows_its_own_and_cannot_change_it(run: StrategyRun) -> None:
    """A strategy sees its own position only, and has no way to write it."""
    run.portfolio.on_fill(make_fill(Side.BUY, 10, 100, strategy_id="s"))
    run.portfolio.on_fill(make_fill(Side.BUY, 5, 100, strategy_id="other"))
    view = run.strategy.position("AAPL")
    assert (view.quantity, view.average_price, view.is_flat) == (Decimal(10), Decimal(100), False)
    assert view.unrealized_pnl(101.5) == Decimal(15)
    with pytest.raises(AttributeError):
        view.quantity = Decimal(0)  # type: ignore[misc]
    assert not {"trade", "add_quantity", "reduce_quantity", "cost"} & set(dir(view))


def test_on_fill_comes_after_the_booking(run: StrategyRun) -> None:
    """A fill is told by the portfolio's update, so `position` contains it."""
    run.fill(make_fill(Side.BUY, 10, 100))
    assert run.strategy.told[-1] == ("fill", Decimal(10))  # type: ignore[attr-defined]


def test_nothing_is_asked_for_while_warming_up() -> None:
    """With a warm-up of three bars the third is the first that may trade, for each symbol by itself."""
    run = started(symbols=["AAPL", "MSFT"], warmup=3)
    for minute, symbol in enumerate(("AAPL", "MSFT", "AAPL", "AAPL")):
        run.market(make_bar(100.0, symbol=symbol, minute=minute))
    assert run.strategy.told == [("AAPL", ""), ("MSFT", ""), ("AAPL", ""), ("AAPL", "s:1")]  # type: ignore[attr-defined]
    assert run.strategy.buy("MSFT", 1) == ""
    assert [event.intent_id for event in run.log.events] == ["s:1"]


@pytest.mark.parametrize("warmup", [0, 1])
def test_a_warmup_of_one_bar_is_none(warmup: int) -> None:
    """The bar at hand counts, so a warm-up of one bar lets the first bar trade."""
    run = started(warmup=warmup)
    run.market(make_bar(100.0))
    assert run.log.last(Signal).intent_id == "s:1"


def test_a_warmup_counts_bars_that_nothing_else_listens_to() -> None:
    """A strategy without on_bar gets bars while it warms up on them."""

    class OnTimers(Strategy):
        Params = Recorder.Params

        @property
        def warmup_bars(self) -> int:
            return 2

    run = started(OnTimers)
    assert run.strategy.market_events() == {EventType.BAR}
    for bar in make_bars([1.0, 2.0]):
        run.market(bar)
    assert run.strategy.buy("AAPL", 1) == "s:1"


@pytest.mark.parametrize("event", [make_fill(Side.BUY, 1, 1), make_signal(Direction.LONG, strategy_id="other")])
def test_only_its_own_requests_can_be_emitted(run: StrategyRun, event: Any) -> None:
    """Neither a fill nor another strategy's signal passes; nothing reaches execution but through risk."""
    with pytest.raises(StrategyError, match="may emit only its own signals"):
        run.strategy.context.emit(event)
    assert run.log.events == []


def test_timers_are_scheduled_in_seconds(run: StrategyRun) -> None:
    """`set_timer` asks for a timer of the strategy's own, `cancel_timer` takes it back."""
    run.strategy.set_timer("tick", 1.5)
    assert run.timers.next_due == at(1) + 1_500_000_000
    (timer,) = run.timers.pop_due(at(2))
    assert isinstance(timer, Timer)
    assert (timer.strategy_id, timer.name) == ("s", "tick")
    run.strategy.cancel_timer("tick")
    assert list(run.timers.pop_due(at(99))) == []


def test_only_overridden_market_data_is_asked_for() -> None:
    """A strategy gets the kinds of market data whose handlers it overrides."""

    class Both(Recorder):
        def on_quote(self, quote: Quote) -> None: ...

    assert started().strategy.market_events() == {EventType.BAR}
    assert started(Both).strategy.market_events() == {EventType.BAR, EventType.QUOTE}


def test_it_wants_its_own_symbols_and_its_own_orders() -> None:
    """Market data is filtered by the declared symbols, everything else by the strategy's id."""
    strategy = started(symbols=["AAPL", "MSFT"]).strategy
    assert strategy.event_filter(EventType.BAR) == {"AAPL", "MSFT"}
    assert strategy.event_filter(EventType.ORDER_UPDATE) == {"s"}


def test_prices_time_and_instruments_can_be_read(run: StrategyRun) -> None:
    """The latest price, the run's time and the instrument are there to read."""
    for bar in make_bars([101.0, 102.0]):
        run.prices.update(bar)
    assert run.strategy.price("AAPL") == 102.0
    assert run.strategy.price("MSFT") is None
    assert run.strategy.now == at(1)
    assert run.strategy.instrument("AAPL").tick == Decimal("0.01")
