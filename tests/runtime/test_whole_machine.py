"""The whole machine under strategies that do anything: books, reservations and limits hold at every bar."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import RECORDED, drive, loaded
from tradingd.domain.enums import OrderStatus
from tradingd.domain.events import EventType, OrderUpdate
from tradingd.testing import EventLog

CONFIG = """
[data]
catalog = "pkg:tradingd/sample_data"
interval = "1d"
prices = "adjusted"
start = 2008-01-02
end = 2009-12-31
[portfolio]
initial_cash = 200000
[broker]
account = "{account}"
leverage = {leverage}
maker_fee_percent = -0.01
taker_fee_percent = 0.1
slippage_bps = 3
limit_fill = "{limit_fill}"
{more}
[risk]
allow_short = {short}
[risk.sizer]
kind = "percent_of_equity"
percent = 15
[risk.limits]
max_order_quantity = 5000
max_position_quantity = 6000
max_gross_exposure_percent = {gross}
max_open_orders = 40
max_orders_per_minute = 200
price_collar_percent = 4
"""
PLAIN = {"short": "false", "gross": 95, "limit_fill": "touch", "more": ""}
ACCOUNTS: dict[str, dict[str, Any]] = {
    "cash": {**PLAIN, "account": "cash", "leverage": 1},
    "margin": {
        **PLAIN,
        "account": "margin",
        "leverage": 3,
        "short": "true",
        "gross": 150,
        "limit_fill": "through",
    },
    "parts": {**PLAIN, "account": "cash", "leverage": 1, "more": "participation_percent = 0.0005"},
}
FAR_AWAY = """
participation_percent = 0.001
latency = { submit_ms = 40000, ack_ms = 20000, spread_ms = 90000, distribution = "exponential" }
"""
ACCOUNTS["far"] = {**ACCOUNTS["margin"], "more": FAR_AWAY}


def write(folder: Path, account: str, seed: int) -> Path:
    """Three chaotic strategies on overlapping symbols."""
    path = folder / "c.toml"
    strategies = "".join(
        f'[[strategies]]\nname = "tests.runtime.chaotic:Chaotic"\nid = "c{i}"\n'
        f"params = {{ symbols = {symbols}, seed = {seed * 10 + i} }}\n"
        for i, symbols in enumerate(('["AAPL", "IBM"]', '["AAPL", "GOOG"]', '["MSFT", "AAPL"]'))
    )
    path.write_text(CONFIG.format(**ACCOUNTS[account]) + strategies)
    return path


class Auditor:
    """Holds every book against every other at each bar, when all is quiet."""

    def __init__(self, container: Any) -> None:
        self.portfolio = container.get("portfolio_manager")
        self.account = container.get("broker").account
        self.orders = container.get("execution_engine").orders
        self.book = container.get("risk_manager").book
        self.bars = 0

    def audit(self, _: Any) -> None:
        """At a bar."""
        self.bars += 1
        self.portfolio.ledger.verify()
        ours = {asset: amount for asset, amount in self.portfolio.ledger.balances() if amount}
        assert ours == {asset: amount for asset, amount in self.account.balances.items() if amount}
        self.audit_positions()
        self.audit_reservations()

    def audit_positions(self) -> None:
        held: Counter[str] = Counter()
        for strategy_id, symbol in self.portfolio.strategy_symbols():
            held[symbol] += self.portfolio.get_strategy_position(strategy_id, symbol).quantity  # type: ignore[assignment]
        positions = {symbol: position.quantity for symbol, position in self.portfolio.positions.items()}
        assert positions == {symbol: quantity for symbol, quantity in held.items() if quantity}
        assert all(abs(quantity) <= Decimal(6000) for quantity in positions.values())

    def audit_reservations(self) -> None:
        reserved = {reservation.intent_id: reservation.outstanding for reservation in self.book}
        assert reserved == {order.intent_id: order.remaining for order in self.orders.values()}
        assert not {order.status for order in self.orders.values()} - {OrderStatus.OPEN}


def run(config: Path, mode: str) -> tuple[list[Any], Auditor, list[str]]:
    """The journal of a run, audited at each bar; the failures of the audit."""
    container, _, report = loaded([config], mode)
    manager = container.get("event_manager")
    log, auditor, failures = EventLog(), Auditor(container), list[str]()
    manager.observe(log.observe, RECORDED)
    manager.observe(auditor.audit, [EventType.BAR])
    manager.on_observer_failure = lambda name, error: failures.append(f"{name}: {error!r}")
    manager.clock.advance_to(report.first_ts)
    drive(manager, container.get("data_handler").stream())
    assert manager.faulted == ()
    return log.events, auditor, failures


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("account", ["cash", "margin", "parts"])
def test_every_book_agrees_at_every_bar(account: str, seed: int, tmp_path: Path) -> None:
    """Ledger, exchange, orders, reservations and positions agree at each bar, and both drivers agree on all."""
    config = write(tmp_path, account, seed)
    journal, auditor, failures = run(config, "backtest")
    assert failures == []
    assert auditor.bars == 4 * 505
    other, _, failures = run(config, "paper")
    assert failures == []
    assert journal == other
    counts = Counter(update.status for update in journal if isinstance(update, OrderUpdate))
    wanted = {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.DENIED,
        OrderStatus.REJECTED,
        OrderStatus.EXPIRED,
    }
    assert wanted - {OrderStatus.REJECTED} <= set(counts), counts
    assert counts[OrderStatus.FILLED] > 100


@pytest.mark.parametrize("seed", range(2))
def test_drivers_agree_across_latency(seed: int, tmp_path: Path) -> None:
    """With random latency both drivers still make one journal, and a stop lets all that is under way arrive."""
    config = write(tmp_path, "far", seed)
    journals = [far_run(config, mode) for mode in ("backtest", "paper")]
    assert journals[0] == journals[1]
    reasons = [update.reason for update in journals[0] if isinstance(update, OrderUpdate)]
    assert not [reason for reason in reasons if reason.startswith(("CONTRADICTION", "OVERFILL"))]


def far_run(config: Path, mode: str) -> list[Any]:
    """The journal of a run whose messages take their time, until nothing works any more; up to the end of data."""
    container, _, report = loaded([config], mode)
    manager, engine = container.get("event_manager"), container.get("execution_engine")
    log = EventLog()
    manager.observe(log.observe, RECORDED)
    manager.clock.advance_to(report.first_ts)

    journal: list[Any] = []

    def wind_down() -> None:
        journal.extend(log.events)  # a stop comes from outside the schedule: its order is the driver's own
        engine.refuse_new("STOPPING")
        engine.cancel_all("STOPPING")

    drive(manager, container.get("data_handler").stream(), wind_down)
    assert manager.faulted == ()
    assert not engine.orders
    ours = {asset: amount for asset, amount in container.get("portfolio_manager").ledger.balances() if amount}
    theirs = {asset: amount for asset, amount in container.get("broker").account.balances.items() if amount}
    assert ours == theirs
    return journal
