"""Two sets of books: the exchange's and ours agree after every event, whatever is ordered."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.broker.market import INSTRUMENTS
from tradingd.broker.account import AccountType
from tradingd.broker.margin import MarginRules
from tradingd.broker.models import (
    FeeModel,
    SlippageModel,
    Tier,
    fixed_bps_slippage,
    half_spread_slippage,
    maker_taker_fee,
    per_share_fee,
    square_root_impact,
    third_coin_fee,
    tiered_fee,
)
from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.enums import Liquidity, OrderType, Side, TimeInForce
from tradingd.domain.events import (
    ApprovedOrder,
    Bar,
    CancelCommand,
    Event,
    Fee,
    Fill,
    MarginCall,
    ModifyCommand,
    OrderUpdate,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, add, divide, mul
from tradingd.domain.prices import PriceBoard
from tradingd.execution.engine import ExecutionEngine
from tradingd.portfolio.manager import PortfolioManager
from tradingd.runtime.clock import ManualClock, TimerQueue
from tradingd.runtime.sync_manager import SyncEventManager
from tradingd.testing import EventLog, at, make_bar

MAKER_TAKER = maker_taker_fee(Decimal("-0.0001"), Decimal("0.0007"))
CASH = 10_000
SPOT = ["AAPL", "BTC/USD"]


def base_coin_fee(
    instrument: Instrument, quantity: Decimal, price: Decimal, liquidity: Liquidity
) -> tuple[Fee, ...]:
    """A thousandth of what is traded, in its own coin."""
    if instrument.kind.is_contract:
        return MAKER_TAKER(instrument, quantity, price, liquidity)
    return (Fee(instrument.base, divide(quantity, Decimal(1000))),)


class Run:
    """Broker, engine and portfolio under the event manager, as in a backtest; the test plays risk."""

    def __init__(
        self,
        account_type: AccountType,
        leverage: int,
        fee_model: FeeModel,
        *,
        margin: MarginRules | None = None,
        slippage: SlippageModel | None = None,
        cash: int = CASH,
    ) -> None:
        clock, prices = ManualClock(at(0)), PriceBoard()
        self.cash_account = account_type is AccountType.CASH
        self.manager = SyncEventManager(clock=clock, prices=prices, timers=TimerQueue(clock))
        emit = self.manager.emit
        self.broker = SimulatedBroker(
            emit=emit,
            clock=clock,
            instruments=INSTRUMENTS,
            balances={"USD": Decimal(cash), "BTC": Decimal(3)},
            account_type=account_type,
            leverage=Decimal(leverage),
            fee_model=fee_model,
            slippage=slippage or fixed_bps_slippage(Decimal(3)),
            margin=margin,
            prices=prices,
        )
        self.engine = ExecutionEngine(emit=emit, clock=clock, closed_kept=3, remembered=3)
        self.portfolio = PortfolioManager(cash, instruments=INSTRUMENTS, prices=prices, emit=emit)
        self.portfolio.deposit(3, ts=0, asset="BTC")
        self.manager.register_component("broker", self.broker, tuple(self.broker.handlers()))
        self.manager.register_component("execution_engine", self.engine)
        self.manager.register_component("portfolio_manager", self.portfolio)
        self.updates = EventLog()
        self.manager.observe(self.updates.observe)
        self.minute = 0
        self.intents = 0

    def handle(self, event: Event) -> None:
        """Let everything that an event sets off happen, then compare the books."""
        self.manager.emit(event)
        self.compare()

    def bar(self, symbol: str, prices: list[int]) -> None:
        """The next bar, from (low, open, close, high) in halves."""
        low, open_, close, high = (price / 2 for price in sorted(prices))
        bar: Bar = make_bar(close, open=open_, high=high, low=low, symbol=symbol, minute=self.minute)
        self.minute += 1
        self.handle(bar)

    def order(self, symbol: str, side: Side, size: int, kind: OrderType, price: int, **flags: Any) -> None:
        """Approve an order of `size` lots (BTC: tenths) with a limit or stop of `price` halves."""
        self.intents += 1
        unit = max(INSTRUMENTS[symbol].lot, Decimal("0.1"))
        level = divide(Decimal(price), Decimal(2))
        self.handle(
            ApprovedOrder(
                ts=self.manager.clock.now(),
                strategy_id="s",
                intent_id=f"s:{self.intents}",
                symbol=symbol,
                venue="SIM",
                side=side,
                quantity=mul(Decimal(size), unit),
                order_type=kind,
                limit_price=level if kind is OrderType.LIMIT else None,
                stop_price=level if kind is OrderType.STOP else None,
                time_in_force=TimeInForce.IOC if flags.get("ioc") else TimeInForce.GTC,
                reduce_only=bool(flags.get("reduce_only")),
            )
        )

    def cancel(self, back: int) -> None:
        """Cancel a late intent."""
        self.handle(CancelCommand(self.manager.clock.now(), f"s:{self.intents - back}"))

    def modify(self, back: int, size: int | None, price: int | None) -> None:
        """Change a late intent's quantity or limit price."""
        quantity = None if size is None else Decimal(size)
        limit = None if price is None else divide(Decimal(price), Decimal(2))
        self.handle(ModifyCommand(self.manager.clock.now(), f"s:{self.intents - back}", quantity, limit, None))

    def compare(self) -> None:
        """Check everything that must always be true."""
        account, ledger = self.broker.account, self.portfolio.ledger
        for asset, balance in account.balances.items():
            assert balance == ledger.balance(asset), asset
        for symbol, position in account.positions.items():
            ours = self.portfolio.get_position(symbol)
            assert (position.quantity, position.cost) == (ours.quantity, ours.cost), symbol
        working = set(self.broker._desk.by_id)
        assert working == set(self.engine.orders)
        assert set(account.locks) <= working
        if self.cash_account:
            self.check_funds()
        ledger.verify()

    def check_funds(self) -> None:
        """A cash account owes nothing, and holds no more than it has."""
        account = self.broker.account
        for asset, balance in account.balances.items():
            held = ZERO
            for amounts in account.locks.values():
                held = add(held, amounts.get(asset, ZERO))
            assert balance >= held >= 0, asset
            assert account.free(asset) >= 0, asset


sizes, halves = st.integers(1, 60), st.integers(100, 400)
KINDS = st.sampled_from(OrderType)
FLAGS = {"ioc": st.booleans(), "reduce_only": st.booleans()}


def steps(symbols: list[str]) -> st.SearchStrategy[list[tuple[str, dict[str, Any]]]]:
    """Random things to do: bars half of the time, since without them nothing fills."""
    symbol = st.sampled_from(symbols)
    bars = st.fixed_dictionaries({"symbol": symbol, "prices": st.lists(halves, min_size=4, max_size=4)})
    order = {"symbol": symbol, "side": st.sampled_from(Side), "size": sizes, "kind": KINDS, "price": halves}
    orders = st.fixed_dictionaries(order, optional=FLAGS)
    modify = {"back": st.integers(0, 3), "size": st.none() | sizes, "price": st.none() | halves}
    one = st.one_of(
        st.tuples(st.just("bar"), bars),
        st.tuples(st.just("order"), orders),
        st.tuples(st.just("bar"), bars),
        st.tuples(st.just("order"), orders),
        st.tuples(st.just("cancel"), st.fixed_dictionaries({"back": st.integers(0, 3)})),
        st.tuples(st.just("modify"), st.fixed_dictionaries(modify)),
    )
    return st.lists(one, min_size=10, max_size=60)


def play(run: Run, todo: list[tuple[str, dict[str, Any]]]) -> None:
    """Do it all, from a first price on."""
    for symbol in INSTRUMENTS:
        run.bar(symbol, [200] * 4)
    for name, arguments in todo:
        getattr(run, name)(**arguments)


@settings(max_examples=80, deadline=None)
@given(steps(SPOT), st.sampled_from([MAKER_TAKER, base_coin_fee]))
def test_cash_account(todo: list[tuple[str, dict[str, Any]]], fee_model: FeeModel) -> None:
    """A cash account's books equal the portfolio's, never owe, and hold nothing for orders that are gone."""
    play(Run(AccountType.CASH, 1, fee_model), todo)


@settings(max_examples=80, deadline=None)
@given(steps(list(INSTRUMENTS)), st.sampled_from([MAKER_TAKER, base_coin_fee]))
def test_margin_account(todo: list[tuple[str, dict[str, Any]]], fee_model: FeeModel) -> None:
    """A margin account's books equal the portfolio's in shares, coins, linear and inverse contracts."""
    play(Run(AccountType.MARGIN, 3, fee_model), todo)


RULES = MarginRules(Decimal("0.3"), call=Decimal("1.1"), liquidation_fee=Decimal("0.007"))


@settings(max_examples=120, deadline=None)
@given(steps(list(INSTRUMENTS)), st.sampled_from([MAKER_TAKER, base_coin_fee]))
def test_liquidated_account(todo: list[tuple[str, dict[str, Any]]], fee_model: FeeModel) -> None:
    """A margin account's books equal the portfolio's through margin calls and liquidations, too."""
    run = Run(AccountType.MARGIN, 3, fee_model, margin=RULES, cash=2_000)
    play(run, todo)
    held = {symbol for _, symbol in run.portfolio.strategy_symbols()}
    assert held == {symbol for symbol, position in run.broker.account.positions.items() if position.quantity}


@settings(max_examples=25, deadline=None)
@given(
    steps(SPOT),
    st.sampled_from(
        [
            per_share_fee(Decimal("0.005"), Decimal(1), Decimal("0.01")),
            tiered_fee([Tier(ZERO, ZERO, Decimal("0.001")), Tier(Decimal(5000), Decimal("-0.001"), ZERO)]),
            third_coin_fee(Decimal("0.001"), Decimal("0.001"), "BTC", discount=Decimal("0.25")),
        ]
    ),
    st.sampled_from(
        [half_spread_slippage(Decimal(10)), square_root_impact(Decimal(1), window=3, fallback_bps=Decimal(5))]
    ),
)
def test_detailed_models(
    todo: list[tuple[str, dict[str, Any]]], fee_model: FeeModel, slippage: SlippageModel
) -> None:
    """Whatever fills cost, both books agree and a cash account owes nothing."""
    play(Run(AccountType.CASH, 1, fee_model, slippage=slippage), todo)


@settings(max_examples=40, deadline=None)
@given(steps(["PERP", "INV"]))
def test_contracts_in_a_cash_account(todo: list[tuple[str, dict[str, Any]]]) -> None:
    """Contracts in a cash account are booked alike on both sides."""
    run = Run(AccountType.CASH, 1, MAKER_TAKER)
    run.cash_account = False  # a short that more than doubles may leave a debt: nothing is liquidated here
    play(run, todo)


def test_something_is_liquidated() -> None:
    """A strategy's short that has doubled is closed by the exchange, and its position with it."""
    run = Run(AccountType.MARGIN, 3, MAKER_TAKER, margin=RULES, cash=2_000)
    size = {"symbol": "AAPL", "side": Side.SELL, "size": 50, "kind": OrderType.MARKET, "price": 200}
    play(run, [("order", size), ("bar", {"symbol": "AAPL", "prices": [200] * 4})])
    assert run.portfolio.get_strategy_position("s", "AAPL").quantity == -50
    run.bar("AAPL", [380, 390, 395, 400])
    assert len(run.updates.of(MarginCall)) == 1
    assert [fill.forced for fill in run.updates.of(Fill)] == [False, True]
    assert run.portfolio.get_strategy_position("s", "AAPL").quantity == 0


def test_something_fills() -> None:
    """The random orders are such that they can be accepted, filled, changed and refused."""
    run = Run(AccountType.CASH, 1, MAKER_TAKER)
    todo: list[tuple[str, dict[str, Any]]] = [
        ("order", {"symbol": "AAPL", "side": Side.BUY, "size": 50, "kind": OrderType.MARKET, "price": 200}),
        ("order", {"symbol": "AAPL", "side": Side.BUY, "size": 60, "kind": OrderType.MARKET, "price": 200}),
        ("order", {"symbol": "AAPL", "side": Side.BUY, "size": 10, "kind": OrderType.LIMIT, "price": 190}),
        ("modify", {"back": 0, "size": 20, "price": 195}),
        ("bar", {"symbol": "AAPL", "prices": [198, 200, 201, 202]}),
        ("cancel", {"back": 0}),
    ]
    play(run, todo)
    told = {(update.intent_id, str(update.status)) for update in run.updates.of(OrderUpdate)}
    assert {("s:1", "FILLED"), ("s:2", "REJECTED"), ("s:3", "OPEN"), ("s:3", "CANCELED")} <= told
    assert "MODIFIED" in {update.reason for update in run.updates.of(OrderUpdate)}
