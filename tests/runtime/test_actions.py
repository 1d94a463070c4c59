"""Splits and dividends through the whole machine, on recorded raw prices."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import drive, journal_of, loaded
from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.enums import HaltState
from tradingd.domain.events import MARKET_EVENTS, EventType, HaltChanged, LedgerEntry, MarketEvent
from tradingd.domain.money import ZERO, divide
from tradingd.errors import ConfigError
from tradingd.portfolio.manager import PortfolioManager
from tradingd.runtime.backtest import BacktestSession
from tradingd.testing import EventLog

D = Decimal
SPLIT = "AAPL,2005-02-28,split,2:1,\n"
ODD = "AAPL,2005-02-28,split,3:2,\n"
DIVIDEND = "AAPL,2005-02-28,dividend,,0.50\n"

LATENCY = """
[broker.latency]
submit_ms = 600000
ack_ms = 600000
"""

BASE = """
[data]
catalog = "pkg:tradingd/sample_data"
interval = "1d"
start = "2005-01-03"
end = "2005-12-30"
[broker]
account = "margin"
taker_fee_percent = 0
maker_fee_percent = 0
[risk]
allow_short = true
[risk.limits]
daily_loss_percent = 20
max_drawdown_percent = 25
[[instruments]]
symbol = "AAPL"
tick = "0.000001"
"""


class Run:
    """A run of holders on AAPL with some actions, in one of the drivers."""

    def __init__(
        self,
        folder: Path,
        actions: str,
        *quantities: int,
        mode: str = "backtest",
        prices: str = "raw",
        **params: Any,
    ) -> None:
        self.config = configured(folder, actions, *quantities, prices=prices, **params)
        self.container, self.strategies, report = loaded([self.config], mode)
        self.manager = self.container.get("event_manager")
        self.portfolio: PortfolioManager = self.container.get("portfolio_manager")
        self.broker: SimulatedBroker = self.container.get("broker")
        self.log = EventLog()
        self.equity: list[D] = []
        self.manager.observe(self.log.observe, (EventType.LEDGER, EventType.HALT, EventType.FILL))
        self.manager.observe(self._value, MARKET_EVENTS)
        self.manager.clock.advance_to(report.first_ts)
        drive(self.manager, self.container.get("data_handler").stream())
        self.portfolio.ledger.verify()

    def _value(self, _event: MarketEvent) -> None:
        self.equity.append(self.portfolio.get_equity())
        self.agree()

    def agree(self) -> None:
        """The exchange's books and ours are the same."""
        account = self.broker.account
        assert account.balances.get("USD", ZERO) == self.portfolio.cash()
        assert account.balances.get("AAPL", ZERO) == self.portfolio.cash("AAPL")
        ours, theirs = self.portfolio.get_position("AAPL"), account.positions.get("AAPL")
        if theirs is not None:
            assert (ours.quantity, ours.cost, ours.realized_pnl) == (
                theirs.quantity,
                theirs.cost,
                theirs.realized_pnl,
            )

    def entries(self, kind: str) -> list[tuple[str, str, D]]:
        """The ledger's entries of a kind: whose, of what, how much."""
        return [(e.strategy_id, e.asset, e.amount) for e in self.log.of(LedgerEntry) if e.kind == kind]

    def held(self, number: int = 0) -> D:
        """What a strategy holds at the end."""
        return self.portfolio.get_strategy_position(f"h{number}", "AAPL").quantity


def configured(folder: Path, actions: str, *quantities: int, prices: str = "raw", **params: Any) -> Path:
    """A configuration of such a run."""
    (folder / "actions.csv").write_text("symbol,ex_date,kind,ratio,amount\n" + actions)
    text = BASE.replace("[data]\n", f'[data]\nprices = "{prices}"\n')
    if actions:
        text += '[[data.actions]]\npath = "actions.csv"\n'
    more = "".join(f", {name} = {str(value).lower()}" for name, value in params.items())
    for number, quantity in enumerate(quantities):
        text += f'[[strategies]]\nname = "tests.runtime.holder:Holder"\nid = "h{number}"\n'
        text += f'params = {{ symbol = "AAPL", quantity = {quantity}{more} }}\n'
    config = folder / "c.toml"
    config.write_text(text)
    return config


def test_a_raw_run_with_its_split_returns_what_an_adjusted_one_does(tmp_path: Path) -> None:
    """Bought and held over AAPL's 2:1 split, raw prices and adjusted ones gain the same part of what was paid."""
    gains = []
    for prices, actions in (("raw", SPLIT), ("adjusted", "")):
        run = Run(tmp_path, actions, 100, prices=prices)
        cost = run.portfolio.get_position("AAPL").cost
        gains.append(divide(run.portfolio.unrealized_pnl(), cost, D("0.00001")))
    assert abs(gains[0] - gains[1]) <= D("0.00001")  # adjusted prices are floats, put on the tick
    assert gains[0] > 1


@pytest.mark.parametrize("quantity", [100, -100])
def test_no_equity_jumps_at_a_split(tmp_path: Path, quantity: int) -> None:
    """From the last old price to the first new one equity moves by the market's move, and no limit sees a loss."""
    run = Run(tmp_path, SPLIT, quantity)
    moves = [b - a for a, b in zip(run.equity, run.equity[1:], strict=False)]
    assert run.held() == 2 * quantity
    assert D("44.86") * 200 - D("88.99") * 100 in [move * (1 if quantity > 0 else -1) for move in moves]
    assert max(map(abs, moves)) < 1000
    assert not [halt for halt in run.log.of(HaltChanged) if halt.state > HaltState.TRADING]


def test_without_its_split_the_same_run_would_see_a_loss(tmp_path: Path) -> None:
    """The test above is one: on raw prices alone, half of the position's value seems lost."""
    run = Run(tmp_path, "", 400)
    assert min(b - a for a, b in zip(run.equity, run.equity[1:], strict=False)) < -17_000


def test_a_split_is_in_the_ledger_and_nothing_else_is(tmp_path: Path) -> None:
    """Each strategy's new shares are an entry of their own; no cash moves, nothing is realised."""
    run = Run(tmp_path, SPLIT, 100, 50)
    assert run.entries("split") == [("h0", "AAPL", 100), ("h1", "AAPL", 50)]
    assert not run.entries("cash_in_lieu")
    assert run.portfolio.realized_pnl() == 0


def test_fractions_are_paid_and_shared(tmp_path: Path) -> None:
    """Three for two makes 4.5 shares of 1 + 2: four are held, half a share is paid, strategies hold whole ones."""
    run = Run(tmp_path, ODD, 1, 2)
    price = divide(D("88.99") * 2, D(3))
    assert (run.held(0), run.held(1)) == (1, 3)
    assert run.entries("cash_in_lieu") == [("h0", "USD", divide(price, D(2)))]
    assert run.portfolio.realized_pnl("h0") == run.portfolio.realized_pnl() > 0


def test_two_halves_make_a_share(tmp_path: Path) -> None:
    """Two strategies with 1.5 each hold three whole ones together: one pays the other for its half."""
    run = Run(tmp_path, ODD, 1, 1)
    assert (run.held(0), run.held(1)) == (2, 1)
    paid = run.entries("cash_in_lieu")
    assert paid[0][2] == -paid[1][2] < 0


def test_strategies_that_cancel_out_are_split_too(tmp_path: Path) -> None:
    """An account that is flat because one strategy is long and one short still splits both."""
    run = Run(tmp_path, SPLIT, 100, -100)
    assert (run.held(0), run.held(1)) == (200, -200)
    assert not run.portfolio.positions


def test_a_dividend_is_paid_on_what_was_held_before(tmp_path: Path) -> None:
    """Long receives, short pays; it is cash, is told as income per strategy, and is no trade."""
    run = Run(tmp_path, DIVIDEND, 100, -30)
    assert run.entries("dividend") == [("h0", "USD", 50), ("h1", "USD", -15)]
    assert run.portfolio.dividends() == {"USD": 35}
    assert (run.portfolio.dividends("h0"), run.portfolio.dividends("h1")) == ({"USD": 50}, {"USD": -15})
    assert run.portfolio.realized_pnl() == 0


def test_a_dividend_is_no_gain_before_the_price_falls(tmp_path: Path) -> None:
    """The price is taken as fallen by it at once: the peak that drawdown counts from is not too high."""
    run = Run(tmp_path, DIVIDEND, 100)
    plain = Run(tmp_path, "", 100)
    index = next(i for i, (a, b) in enumerate(zip(run.equity, plain.equity, strict=True)) if a != b)
    assert [a - b for a, b in zip(run.equity[index:], plain.equity[index:], strict=True)] == [50] * (
        len(plain.equity) - index
    )
    assert run.portfolio.peak_equity <= max(run.equity)


def test_a_split_cancels_every_order_of_the_symbol(tmp_path: Path) -> None:
    """Stops and limits alike are canceled with the reason, told when the new shares are held already."""
    run = Run(tmp_path, SPLIT, 100, orders=True)
    assert run.strategies[0].canceled == [("SPLIT: 2 for 1, order again in new shares", "200")] * 2  # type: ignore[attr-defined]
    assert not run.container.get("execution_engine").orders
    assert not list(run.container.get("risk_manager").book)


def test_protection_goes_over_into_new_shares(tmp_path: Path) -> None:
    """A stop that risk keeps is placed anew at once: twice the size at half the price."""
    run = Run(tmp_path, SPLIT, 100, protect=True)
    [before] = Run(tmp_path, "", 100, protect=True).container.get("execution_engine").orders.values()
    [stop] = run.container.get("execution_engine").orders.values()
    assert (stop.quantity, stop.stop_price) == (200, divide(before.stop_price, D(2)))
    assert run.held() == 200


@pytest.mark.parametrize("mode", ["backtest", "paper"])
def test_a_split_is_booked_after_what_is_under_way(tmp_path: Path, mode: str) -> None:
    """With latency, fills told late are booked in old shares first, and orders under way are canceled."""
    config = configured(tmp_path, SPLIT, 101, -40, orders=True)
    config.write_text(config.read_text() + LATENCY)
    container, _, report = loaded([config], mode)
    manager = container.get("event_manager")
    manager.clock.advance_to(report.first_ts)
    drive(manager, container.get("data_handler").stream())
    portfolio, account = container.get("portfolio_manager"), container.get("broker").account
    assert portfolio.get_position("AAPL").quantity == account.positions["AAPL"].quantity == 122
    assert portfolio.cash() == account.balances["USD"]
    assert not container.get("execution_engine").orders


def test_a_dividend_cancels_nothing(tmp_path: Path) -> None:
    """Working orders stay as they are at a dividend."""
    run = Run(tmp_path, DIVIDEND, 100, orders=True)
    assert len(run.container.get("execution_engine").orders) == 2


def test_strategies_hear_of_it_with_new_figures(tmp_path: Path) -> None:
    """`on_corporate_action` sees the new shares and the price to be expected."""
    run = Run(tmp_path, SPLIT, 100)
    [(action, held, price)] = run.strategies[0].seen  # type: ignore[attr-defined]
    assert (action.numerator, held, price) == (2, "200", 44.495)


@pytest.mark.parametrize("actions", [SPLIT, ODD, DIVIDEND + SPLIT])
def test_both_drivers_make_the_same_of_actions(tmp_path: Path, actions: str) -> None:
    """Backtest and daemon have one journal over actions, with orders at work and strategies on both sides."""
    config = configured(tmp_path, actions, 101, -40, 7, orders=True)
    synchronous = journal_of([config], "backtest")
    kinds = Counter(event.kind for event in synchronous if isinstance(event, LedgerEntry))
    assert kinds["split"] == 3
    assert synchronous == journal_of([config], "paper")


def test_the_daemon_books_them_too(tmp_path: Path) -> None:
    """The asynchronous driver ends with the same equity, and its books agree with the exchange's all along."""
    paths = [tmp_path / mode for mode in ("backtest", "paper")]
    for path in paths:
        path.mkdir()
    runs = [Run(path, SPLIT + DIVIDEND, 100, mode=path.name) for path in paths]
    assert runs[0].equity == runs[1].equity
    assert runs[1].portfolio.dividends() == {"USD": 100}


def test_the_summary_tells_dividends(tmp_path: Path) -> None:
    """What was paid is in the summary of a run, by currency."""
    container, strategies, report = loaded([configured(tmp_path, DIVIDEND, 100)], "backtest")
    session = BacktestSession(container, strategies, report, name="t", run_id="r")
    assert session.run().dividends == {"USD": 50}


def test_adjusted_prices_with_actions_are_refused(tmp_path: Path) -> None:
    """The configuration that would count splits twice does not load."""
    config = configured(tmp_path, SPLIT, 100, prices="adjusted")
    with pytest.raises(ConfigError, match="adjusted prices have splits and dividends already"):
        loaded([config], "backtest")
