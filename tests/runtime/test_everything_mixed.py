"""Strategies that ask for all there is, at venues with and without it: every invariant at every bar."""

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.parts import RECORDED, drive, loaded
from tradingd.domain.enums import OrderStatus, OrderType, Side
from tradingd.domain.events import EventType, Fill, OrderUpdate
from tradingd.testing import EventLog

MAX_POSITION = Decimal(2000)
CONFIG = """
[data]
catalog = "pkg:tradingd/sample_data"
interval = "1d"
prices = "adjusted"
start = 2008-06-02
end = {end}
[portfolio]
initial_cash = {cash}
[broker]
maker_fee_percent = -0.01
taker_fee_percent = 0.1
slippage_bps = 3
{broker}
[risk]
allow_short = {short}
[risk.sizer]
kind = "percent_of_equity"
percent = 25
[risk.limits]
max_position_quantity = 2000
max_gross_exposure_percent = {gross}
max_open_orders = 60
max_orders_per_minute = 200
prevent_self_match = {self_match}
"""
CASH = {"short": "false", "gross": 95, "cash": 300_000, "account": 'account = "cash"'}
MARGIN = {"short": "true", "gross": 250, "cash": 100_000, "account": 'account = "margin"\nleverage = 3'}
THIN = {
    "short": "true",
    "gross": 495,
    "cash": 5_000,
    "account": 'account = "margin"\nleverage = 5\nmaintenance_margin_percent = 19.5\nmargin_call_percent = 105',
}
LATE = 'latency = { submit_ms = 40000, ack_ms = 20000, spread_ms = 90000, distribution = "exponential" }'
FAR = 'latency = { submit_ms = 600000, ack_ms = 600000, spread_ms = 600000, distribution = "exponential" }'
PARTS = "participation_percent = 0.0005"
CONDITIONAL = ["stop", "stop_limit", "take_profit", "take_profit_limit", "trailing_stop"]
ALL = [*CONDITIONAL, "day", "gtd", "post_only", "oco", "modify"]
LACKS: dict[str, list[str]] = {
    "everything": [],
    "no_oco": ["oco"],
    "no_modify": ["modify"],
    "no_stops": CONDITIONAL,
    "some": ["trailing_stop", "gtd", "post_only", "take_profit"],
    "bare": ALL,
}


def write(folder: Path, account: dict[str, Any], lacks: list[str], more: list[str], seed: int, end: str) -> Path:
    """Three wild strategies on overlapping symbols."""
    path = folder / "c.toml"
    named = ", ".join(f'"{name}"' for name in lacks)
    broker = "\n".join([account["account"], *([f"lacks = [{named}]"] if lacks else []), *more])
    strategies = "".join(
        f'[[strategies]]\nname = "tests.runtime.wild:Wild"\nid = "w{i}"\n'
        f"params = {{ symbols = {symbols}, seed = {seed * 10 + i} }}\n"
        for i, symbols in enumerate(('["AAPL", "IBM"]', '["AAPL", "GOOG"]', '["IBM", "AAPL"]'))
    )
    self_match = "true" if seed % 2 else "false"
    text = CONFIG.format(**{**account, "broker": broker, "self_match": self_match, "end": end})
    path.write_text(text + strategies)
    return path


class Auditor:
    """Holds every book against every other at each bar, when all is quiet."""

    def __init__(self, container: Any, strategies: list[Any], *, late: bool) -> None:
        self.late = late
        self.portfolio = container.get("portfolio_manager")
        self.account = container.get("broker").account
        self.engine = container.get("execution_engine")
        self.risk = container.get("risk_manager")
        self.strategies = strategies
        self.bars = self.protected = 0
        self.forced = False

    def audit(self, _: Any) -> None:
        """At a bar."""
        self.bars += 1
        self.portfolio.ledger.verify()
        self.audit_positions()
        if not self.late:
            self.audit_balances()
            self.audit_reservations()
            self.audit_views()
        self.audit_reducing()
        self.audit_guards()

    def audit_balances(self) -> None:
        ours = {asset: amount for asset, amount in self.portfolio.ledger.balances() if amount}
        theirs = {asset: amount for asset, amount in self.account.balances.items() if amount}
        assert ours == theirs, (ours, theirs)

    def audit_positions(self) -> None:
        held: Counter[str] = Counter()
        for strategy_id, symbol in self.portfolio.strategy_symbols():
            held[symbol] += self.portfolio.get_strategy_position(strategy_id, symbol).quantity  # type: ignore[assignment]
        positions = {symbol: position.quantity for symbol, position in self.portfolio.positions.items()}
        assert positions == {symbol: quantity for symbol, quantity in held.items() if quantity}
        assert all(abs(quantity) <= MAX_POSITION for quantity in positions.values()), positions

    def audit_reservations(self) -> None:
        reserved = {reservation.intent_id: reservation.outstanding for reservation in self.risk.book}
        orders = {order.intent_id: order for order in self.engine.orders.values() if not order.parent_id}
        left = {intent_id: order.remaining for intent_id, order in orders.items()}
        doubtful = {order.intent_id for order in self.risk.book if order.contested}  # counts in full for good
        assert set(reserved) == set(left), sorted(set(reserved) ^ set(left))
        wrong = {key: (reserved[key], size) for key, size in left.items() if reserved[key] != size}
        assert not set(wrong) - doubtful, wrong
        assert all(held > size for held, size in wrong.values()), wrong

    def audit_views(self) -> None:
        """What strategies are told is what execution has."""
        orders = {order.intent_id: order for order in self.engine.orders.values() if not order.parent_id}
        for strategy in self.strategies:
            own = {key: update for key, update in strategy.orders.items() if update.order_id}
            mine = {key: order for key, order in orders.items() if order.strategy_id == strategy.strategy_id}
            assert set(own) == set(mine), sorted(set(own) ^ set(mine))
            for key, update in own.items():
                order = mine[key]
                assert (update.quantity, update.filled) == (order.quantity, order.filled), (update, order.quantity)
                assert (update.limit_price, update.status) == (order.limit_price, order.status), (
                    update,
                    order.status,
                )

    def audit_reducing(self) -> None:
        """No reduce-only order could do more than reduce, whichever orders fill."""
        if self.forced or self.late:
            return  # a leg under way may be larger than what another has left; the venue does not fill that
        book = self.risk.book
        for symbol in {order.symbol for order in book if order.reduce_only}:
            held = self.portfolio.get_position(symbol).quantity
            for side in {order.side for order in book.working(symbol) if order.reduce_only}:
                pending = book.pending(symbol, side)
                room = abs(held) if (held > 0) == (side is Side.SELL) else Decimal(0)
                assert pending <= room, (symbol, side, pending, held)

    def audit_guards(self) -> None:
        """What risk protects is no more than what is held, and all of it where nothing is under way."""
        protection, book = self.risk._protection, self.risk.book
        for guard in protection._guards.values():
            held = protection._held(guard)
            for leg in guard.legs:
                orders = [order for order in map(book.get, leg.orders) if order is not None]
                sizes = sum((order.outstanding for order in orders), Decimal(0))
                if not all(order.is_at_rest for order in orders):
                    continue
                what = (guard.key, leg.name, sizes, held, [(order.intent_id, order.quantity) for order in orders])
                assert sizes <= abs(held), what
                if protection._suspended(guard) or leg.retry_at > self.risk._gate.now:
                    continue
                spec = guard.spec(leg, held)
                if spec is None or (leg is guard.target and not protection._may_pair(guard)):
                    continue
                self.protected += 1
                # a leg of a group may be larger: to make it smaller can be a raise where another has just filled
                assert sizes >= protection._room(guard, leg, held, spec.side), what


def run(config: Path, mode: str, *, late: bool) -> tuple[list[Any], Auditor, list[str]]:
    """The journal of a run, audited at each bar; the failures of the audit."""
    container, strategies, report = loaded([config], mode)
    manager, engine = container.get("event_manager"), container.get("execution_engine")
    log, auditor, failures = EventLog(), Auditor(container, strategies, late=late), list[str]()

    def note(event: Any) -> None:
        auditor.forced = auditor.forced or (isinstance(event, Fill) and event.forced)

    manager.observe(log.observe, (*RECORDED, EventType.MARGIN_CALL, EventType.HALT))
    manager.observe(note, [EventType.FILL])
    manager.observe(auditor.audit, [EventType.BAR])
    manager.on_observer_failure = lambda name, error: failures.append(f"bar {auditor.bars}: {name}: {error!r}")
    manager.clock.advance_to(report.first_ts)
    journal: list[Any] = []

    def wind_down() -> None:
        journal.extend(log.events)  # a stop comes from outside the schedule: its order is the driver's own
        engine.refuse_new("STOPPING")
        engine.cancel_all("STOPPING")

    drive(manager, container.get("data_handler").stream(), wind_down)
    assert manager.faulted == ()
    assert not engine.orders, engine.orders
    if not late:
        assert not len(auditor.risk.book), list(auditor.risk.book)
    auditor.audit_balances()
    return journal, auditor, failures


# An OVERFILL is none of these: two legs of a group that execution keeps may fill in one bar (docs/execution.md).
WRONG = ("CONTRADICTION", "UNSUPPORTED", "WRONG_PARAMETER", "UNKNOWN_ALGORITHM", "ALGORITHM_FAULTED")


def check(config: Path, *, late: bool) -> None:
    """Both drivers make one journal, in which nothing contradicts itself, with no book off at any bar."""
    journal, auditor, failures = run(config, "backtest", late=late)
    assert failures == []
    other, _, failures = run(config, "paper", late=late)
    assert failures == []
    assert journal == other
    updates = [event for event in journal if isinstance(event, OrderUpdate)]
    assert not [update for update in updates if update.reason.startswith(WRONG)]
    filled: Counter[str] = Counter()
    for event in journal:
        if isinstance(event, Fill):
            filled[event.intent_id] += event.quantity  # type: ignore[assignment]
    own = [update for update in updates if update.order_id and not update.parent_id]
    latest = {update.order_id: update for update in own if not update.reason.startswith("MODIFY_DENIED")}
    assert {key for key, update in latest.items() if update.filled != filled[update.intent_id]} == set()
    assert auditor.bars > 0


WANTED = {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.DENIED, OrderStatus.EXPIRED}
CASES: list[tuple[str, dict[str, Any], list[str], int]] = [
    ("everything", CASH, [], 1),
    ("everything", MARGIN, [PARTS], 2),
    ("everything", THIN, [LATE], 3),
    ("everything", THIN, [PARTS], 3),
    ("everything", MARGIN, [FAR, PARTS], 4),
    ("no_oco", MARGIN, [PARTS], 1),
    ("no_modify", MARGIN, [], 1),
    ("no_modify", CASH, [LATE, PARTS], 5),
    ("no_stops", MARGIN, [PARTS], 1),
    ("no_stops", THIN, [LATE], 2),
    ("some", CASH, [PARTS], 1),
    ("bare", MARGIN, [PARTS], 1),
    ("bare", THIN, [FAR], 3),
]
"""What the venue lacks, the account, how it is reached, and a seed."""


@pytest.mark.parametrize(("lacks", "account", "more", "seed"), CASES)
def test_all_that_can_be_asked_for_at_once(
    lacks: str, account: dict[str, Any], more: list[str], seed: int, tmp_path: Path
) -> None:
    """Books agree and limits hold at each bar, positions have their stops, and both drivers make one journal."""
    config = write(tmp_path, account, LACKS[lacks], more, seed, "2008-10-15")
    check(config, late=any("latency" in each for each in more))


def test_the_mixture_is_rich(tmp_path: Path) -> None:
    """It has orders of each type that fill, each way to end, forced fills, and protection that is looked at."""
    filled: set[OrderType | None] = set()
    ends: set[OrderStatus] = set()
    reasons: Counter[str] = Counter()
    forced = protected = 0
    # What one seed does changes with everything that the strategies meet; some of a few are liquidated.
    for account, seed in ((CASH, 1), (MARGIN, 2), *((THIN, seed) for seed in range(3, 9))):
        if forced:
            break
        journal, auditor, _ = run(write(tmp_path, account, [], [], seed, "2008-12-31"), "backtest", late=False)
        updates = [event for event in journal if isinstance(event, OrderUpdate)]
        filled |= {update.order_type for update in updates if update.status is OrderStatus.FILLED}
        ends |= {update.status for update in updates}
        reasons.update(update.reason.partition(":")[0] for update in updates)
        forced += sum(isinstance(event, Fill) and event.forced for event in journal)
        protected += auditor.protected
    assert filled >= set(OrderType)
    assert ends >= WANTED
    assert {"HELD", "MODIFIED", "REQUOTED", "UNFILLED", "POST_ONLY"} <= set(reasons), reasons
    assert forced
    assert protected > 100
