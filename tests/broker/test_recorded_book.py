"""Books and queues against a recorded minute of Binance BTC/USDT: books every 100 ms, every public trade."""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from tests.broker.market import BUY, SELL
from tradingd.broker.queue import QueueModel, proportional, risk_averse
from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.enums import Liquidity, OrderType, Side
from tradingd.domain.events import Book, BrokerReport, SubmitOrder, Trade, TradeReport
from tradingd.domain.money import from_market
from tradingd.domain.prices import PriceBoard
from tradingd.testing import EventLog, ManualClock, make_instrument

TICKS = Path(__file__).resolve().parents[2].parent / "shared/data/tests_only/crypto_ticks"
pytestmark = pytest.mark.skipif(not TICKS.exists(), reason=f"the recorded ticks are not at {TICKS}")

SYMBOL = "BTC/USDT"
MS = 1_000_000
LOT = Decimal("0.00001")
INSTRUMENTS = {SYMBOL: make_instrument(SYMBOL, lot=LOT)}


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a recorded table."""
    parquet = pytest.importorskip("pyarrow.parquet")
    return parquet.read_table(TICKS / f"binance_BTCUSDT_20240808_{name}.parquet").to_pylist()  # type: ignore[no-any-return]


def read_books() -> Iterator[Book]:
    """The book after each update, rebuilt from the snapshot and what changed since."""
    table = rows("l2")
    sides: dict[str, dict[float, float]] = {"bid": {}, "ask": {}}
    snapshot = [row for row in table if row["type"] == "snapshot"]
    for row in snapshot:
        sides[row["side"]][row["price"]] = row["amount"]
    deltas = (row for row in table if row["type"] == "delta" and row["seq_last"] > snapshot[0]["seq_last"])
    for _, changes in groupby(deltas, itemgetter("seq_last")):
        for row in changes:
            if row["amount"]:
                sides[row["side"]][row["price"]] = row["amount"]
            else:
                sides[row["side"]].pop(row["price"], None)
        bids = tuple(sorted(sides["bid"].items(), reverse=True)[:200])
        asks = tuple(sorted(sides["ask"].items())[:200])
        yield Book(row["timestamp"] * MS, SYMBOL, bids, asks)


@cache
def recorded() -> tuple[Book | Trade, ...]:
    """Books and trades in the exchange's time, while there are books; trades before the book of their instant."""
    books = list(read_books())
    trades = [
        Trade(row["timestamp"] * MS, SYMBOL, row["price"], row["amount"], BUY if row["side"] == "buy" else SELL)
        for row in rows("trades")
    ]
    within = [trade for trade in trades if books[0].ts < trade.ts <= books[-1].ts]
    return tuple(sorted((*within, *books), key=lambda event: (event.ts, isinstance(event, Book))))


class Replay:
    """An exchange that the recorded events are played to."""

    def __init__(self, queue_model: QueueModel = risk_averse) -> None:
        self.log = EventLog()
        self.clock, self.prices = ManualClock(0), PriceBoard()
        self.broker = SimulatedBroker(
            emit=self.log,
            clock=self.clock,
            instruments=INSTRUMENTS,
            balances={"USDT": Decimal(100_000_000), "BTC": Decimal(10_000)},
            prices=self.prices,
            queue_model=queue_model,
        )
        self.sent = 0

    def see(self, event: Book | Trade) -> None:
        """The driver's part."""
        self.clock.advance_to(event.ts)
        self.prices.update(event)
        self.broker.on_market_data(event)

    def order(self, side: Side, quantity: Decimal, limit: float | None = None) -> str:
        """Send an order."""
        self.sent += 1
        name = f"o{self.sent}"
        kind = OrderType.MARKET if limit is None else OrderType.LIMIT
        price = None if limit is None else from_market(limit)
        self.broker.place_order(
            SubmitOrder(self.clock.now(), "SIM", name, SYMBOL, side, quantity, kind, limit_price=price)
        )
        return name

    def trades(self, order: str) -> list[TradeReport]:
        """The fills of an order."""
        return [trade for trade in self.log.of(TradeReport) if trade.order_id == order]


def plain_walk(levels: tuple[tuple[float, float], ...], wanted: float) -> tuple[float, float]:
    """Quantity and cost of taking `wanted` from the levels, in floats."""
    had = cost = 0.0
    for price, size in levels:
        take = min(size, wanted - had)
        had += take
        cost += take * price
        if had >= wanted - 1e-12:
            break
    return had, cost


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("quantity", ["0.001", "2", "15", "60"])
def test_walked_cost(side: Side, quantity: str) -> None:
    """A market order's cost in each recorded book is that of a plain walk through its levels."""
    replay = Replay()
    books = [event for event in recorded() if isinstance(event, Book)][::20]
    replay.see(books[0])
    for book in books[1:]:
        order = replay.order(side, Decimal(quantity))
        replay.see(book)
        levels = book.asks if side is BUY else book.bids
        had, cost = plain_walk(levels, float(quantity))
        fills = replay.trades(order)
        assert float(sum(fill.quantity for fill in fills)) == pytest.approx(had, abs=1e-9)
        assert float(sum(fill.quantity * fill.price for fill in fills)) == pytest.approx(cost, rel=1e-12)
        replay.broker.cancel_order(order)


def provable(side: Side, level: float, since: int) -> tuple[int, float] | None:
    """The first instant at which the tape and books prove a fill of the smallest order that joined at a book.

    `since` is the index of that book. From scratch, not by a queue: a trade beyond the price; or, from some book
    on, more traded at the price than that book showed there; or the other side of a book at the price.
    """
    ours = "bids" if side is BUY else "asks"
    shown: list[tuple[float, float]] = []  # what each book showed, and what had traded by then
    traded = 0.0
    for event in recorded()[since:]:
        if isinstance(event, Book):
            other = (event.asks if side is BUY else event.bids)[0][0]
            if event is not recorded()[since] and (other - level) * side.sign <= 0:
                return event.ts, other
            shown.append((dict(getattr(event, ours)).get(level, 0.0), traded))
            continue
        if (event.price - level) * side.sign < 0:
            return event.ts, event.price
        if event.price == level and event.side is not side:
            traded += event.amount
            if any(traded - before - size >= float(LOT) for size, before in shown):
                return event.ts, event.price
    return None


CASES = [(side, start, depth) for side in Side for start in (0, 150, 300, 450) for depth in (0, 1, 5)]


def place(replay: Replay, side: Side, start: int, depth: int) -> tuple[str, float, int]:
    """Play up to a book, and join the queue at one of its levels: the order, its price, the book's index."""
    indexes = [index for index, event in enumerate(recorded()) if isinstance(event, Book)]
    for event in recorded()[: indexes[start] + 1]:
        replay.see(event)
    book = recorded()[indexes[start]]
    assert isinstance(book, Book)
    level = (book.bids if side is BUY else book.asks)[depth][0]
    return replay.order(side, LOT, level), level, indexes[start]


def filled_at(model: QueueModel, side: Side, start: int, depth: int) -> int | None:
    """When a smallest order fills."""
    replay = Replay(model)
    order, _, begin = place(replay, side, start, depth)
    for event in recorded()[begin + 1 :]:
        replay.see(event)
        if replay.trades(order):
            return event.ts
    return None


@pytest.mark.parametrize(("side", "start", "depth"), CASES)
def test_risk_averse_fill_is_provable(side: Side, start: int, depth: int) -> None:
    """A risk-averse fill comes just when the tape proves it, never earlier, at our price and as a maker."""
    replay = Replay()
    order, level, begin = place(replay, side, start, depth)
    expected = provable(side, level, begin)
    for event in recorded()[begin + 1 :]:
        replay.see(event)
        if replay.trades(order):
            break
    fills = replay.trades(order)
    assert [fill.ts for fill in fills] == ([] if expected is None else [expected[0]])
    assert all((float(fill.price), fill.liquidity) == (level, Liquidity.MAKER) for fill in fills)
    assert not [report for report in replay.log.of(BrokerReport) if report.reason]


def test_proportional_is_no_later() -> None:
    """The proportional model fills no later than the risk-averse one, and sometimes earlier."""
    never = 2**63
    pairs = [(filled_at(proportional, *case) or never, filled_at(risk_averse, *case) or never) for case in CASES]
    assert all(early <= late for early, late in pairs)
    assert any(early < late for early, late in pairs)
    assert sum(late < never for _, late in pairs) >= 10
