"""The simulated exchange behind a connection with latency."""

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from tests.broker.market import BUY, INSTRUMENTS, SELL
from tradingd.broker.latency import Delay, DelayedBroker, exponential, fixed, uniform
from tradingd.broker.simulated import SimulatedBroker
from tradingd.domain.enums import OrderType, Side
from tradingd.domain.events import BrokerReport, EventType, MarketEvent, ModifyOrder, SubmitOrder
from tradingd.domain.prices import PriceBoard
from tradingd.domain.terms import OrderTerms, Trail
from tradingd.testing import EventLog, ManualClock, at, make_bar, make_quote

SECOND = 1_000_000_000


class Remote:
    """An exchange that is some seconds away, with a driver's clock and price board."""

    def __init__(self, submit: int = 10, ack: int = 10) -> None:
        self.log = EventLog()
        self.clock = ManualClock(at(0))
        self.prices = PriceBoard()
        self.broker = DelayedBroker(
            lambda emit, clock, prices: SimulatedBroker(
                emit=emit,
                clock=clock,
                prices=prices,
                instruments=INSTRUMENTS,
                balances={"USD": Decimal(10_000), "AAPL": Decimal(10)},
            ),
            venue="SIM",
            emit=self.log,
            clock=self.clock,
            prices=self.prices,
            submit=fixed(submit * SECOND),
            ack=fixed(ack * SECOND),
        )

    def see(self, event: MarketEvent) -> None:
        """The driver's part: time, prices, then the broker."""
        self.clock.advance_to(event.ts)
        self.prices.update(event)
        self.broker.on_market_data(event)

    def quote(self, price: float, seconds: float, symbol: str = "AAPL") -> None:
        """A quote at this price, so many seconds after the start."""
        self.see(make_quote(price, price, minute=seconds / 60, symbol=symbol))

    def order(self, side: Side = BUY, order_id: str = "o", **fields: Any) -> None:
        """Send an order for one."""
        kind = OrderType.LIMIT if "limit_price" in fields else OrderType.MARKET
        defaults: dict[str, Any] = {"symbol": "AAPL", "order_type": kind, **fields}
        self.broker.place_order(
            SubmitOrder(self.clock.now(), "SIM", order_id, side=side, quantity=Decimal(1), **defaults)
        )

    @property
    def told(self) -> list[str]:
        """What has arrived here."""
        return [event.kind.name if isinstance(event, BrokerReport) else "TRADE" for event in self.log.events]


def test_order_takes_its_time() -> None:
    """An order fills at the first event after it arrived at the exchange, not at those before."""
    remote = Remote(ack=0)
    remote.quote(100, 0)
    remote.order()
    for seconds in (5, 10, 11):
        remote.quote(100 + seconds, seconds)
    assert [trade.price for trade in remote.log.events if not isinstance(trade, BrokerReport)] == [111]


def test_reports_take_their_time() -> None:
    """What the exchange tells arrives with the first event, of any symbol, when its time has come."""
    remote = Remote()
    remote.quote(100, 0)
    remote.order()
    remote.quote(100, 15)
    assert remote.told == []
    remote.quote(50, 20, "MSFT")
    assert remote.told == ["ACCEPTED"]
    remote.quote(50, 25, "MSFT")
    assert remote.told == ["ACCEPTED", "TRADE"]
    assert [event.ts for event in remote.log.events] == [at(0) + 10 * SECOND, at(0) + 15 * SECOND]


def test_late_cancel() -> None:
    """A cancel that is still on its way does not keep an order from filling."""
    remote = Remote(ack=0)
    remote.quote(100, 0)
    remote.order(limit_price=Decimal(90))
    remote.quote(100, 20)
    remote.broker.cancel_order("o")
    remote.quote(80, 29)
    remote.quote(80, 31)
    assert remote.told == ["ACCEPTED", "TRADE", "CANCEL_REJECTED"]


def test_cancel_in_time() -> None:
    """A cancel that arrives before the event that would have filled the order prevents that."""
    remote = Remote(ack=0)
    remote.quote(100, 0)
    remote.order(limit_price=Decimal(90))
    remote.quote(100, 20)
    remote.broker.cancel_order("o")
    remote.quote(80, 31)
    assert remote.told == ["ACCEPTED", "CANCELED"]


def test_exchange_knows_no_later_price() -> None:
    """An order is judged by the prices from before its arrival, though the next event has come here already."""
    remote = Remote(ack=0)
    remote.quote(100, 0)
    trail = OrderTerms(trail=Trail(Decimal(5)))
    remote.order(SELL, order_type=OrderType.TRAILING_STOP, terms=trail)
    remote.quote(102, 5)
    remote.quote(90, 15)  # 97 is the level that the quote of second 5 gives
    assert [event.price for event in remote.log.events if not isinstance(event, BrokerReport)] == [90]


def test_order_during_a_bar() -> None:
    """An order that arrives while a bar is being made knows of its close only."""
    remote = Remote(ack=0)
    remote.see(make_bar(100))
    remote.order()
    remote.see(make_bar(105, open=101, minute=1))
    assert [event.price for event in remote.log.events if not isinstance(event, BrokerReport)] == [105]


def test_what_is_sent_together_arrives_together() -> None:
    """Messages keep their order, and those of one instant share one delay, however random that is."""
    delays = iter([5 * SECOND, 1 * SECOND])
    remote = Remote()
    remote.broker._commands._delay = lambda: next(delays)
    remote.quote(100, 0)
    remote.order(order_id="a", limit_price=Decimal(90))
    remote.order(order_id="b", limit_price=Decimal(90))
    remote.quote(100, 2)
    remote.broker.cancel_order("a")  # due after 3 seconds, but it does not overtake
    remote.broker.settle()
    assert [(event.order_id, event.ts - at(0)) for event in remote.log.events] == [
        ("a", 5 * SECOND),
        ("b", 5 * SECOND),
        ("a", 5 * SECOND),
    ]


def test_settle() -> None:
    """At the end all that is under way arrives, and what that sets off with the next call."""
    remote = Remote()
    remote.quote(100, 0)
    remote.order(limit_price=Decimal(90))
    remote.broker.cancel_order("o")
    assert "MSFT" in remote.broker
    assert remote.broker.settle()
    assert remote.told == ["ACCEPTED", "CANCELED"]
    assert not remote.broker.settle()
    assert "MSFT" not in remote.broker


def test_no_latency_one_way() -> None:
    """With a delay of nothing a command is there at once, and so is its answer."""
    remote = Remote(submit=0, ack=0)
    remote.quote(100, 0)
    remote.order()
    assert remote.told == ["ACCEPTED"]
    remote.quote(101, 0)
    assert remote.told == ["ACCEPTED", "TRADE"]


def test_subscriptions_are_the_exchange_s() -> None:
    """Subscriptions, capabilities and the account are those of the exchange behind the connection."""
    remote = Remote()
    remote.broker.subscribe("AAPL", "MSFT")
    remote.broker.unsubscribe("MSFT")
    assert remote.broker.exchange.takes("AAPL")
    assert not remote.broker.exchange.takes("MSFT")
    assert remote.broker.subscriptions == {"AAPL"}
    assert remote.broker.capabilities is remote.broker.exchange.capabilities
    assert remote.broker.account is remote.broker.exchange.account


@pytest.mark.parametrize(
    ("make", "least", "mean"),
    [
        (lambda _: fixed(70), 70, 70),
        (lambda random: uniform(50, 90, random), 50, 70),
        (lambda random: exponential(50, 20, random), 50, 70),
    ],
)
def test_delays(make: Callable[[Callable[[], float]], Delay], least: int, mean: int) -> None:
    """Delays have their least and their mean, and a seed makes them repeatable."""
    delay, same = (make(Random(7).random) for _ in range(2))  # noqa: S311 - repeatable on purpose
    assert [delay() for _ in range(9)] == [same() for _ in range(9)]
    many = [delay() for _ in range(5_000)]
    assert min(many) >= least
    assert abs(sum(many) / len(many) - mean) < 2


def test_an_answer_to_a_change_repeats_its_number() -> None:
    """The number of a change travels both ways."""
    remote = Remote()
    remote.order(limit_price=Decimal(90))
    command = ModifyOrder(remote.clock.now(), "SIM", "o", None, Decimal(80), None, 7)
    remote.broker.handlers()[EventType.SUBMIT_MODIFY](command)
    remote.quote(100, 5)
    remote.quote(100, 30)
    assert [report.change for report in remote.log.of(BrokerReport)] == [0, 7]
