"""What the contract's tests see of a broker: execution and books around it, and a market that a test can move."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tests.broker.ccxt.rig import Books
from tests.broker.contract.market import Levels
from tradingd.broker.base import Broker
from tradingd.domain.enums import OrderStatus, OrderType, Side, TimeInForce
from tradingd.domain.events import CancelOrder, Fill, OrderUpdate
from tradingd.domain.order import Order
from tradingd.domain.venue import VenueCapabilities

__all__ = ["HOLDINGS", "MIDDLE", "SYMBOL", "Stand", "levels"]

SYMBOL = "BTC/USDT"
MIDDLE = Decimal(50_000)
HOLDINGS = {"BTC": Decimal(2), "USDT": Decimal(100_000), "BNB": Decimal(10)}
"""What the account has at the start."""
_ODD = ("CONTRADICTION", "OVERFILL")


def levels(middle: Decimal) -> tuple[Levels, Levels]:
    """A book of two levels a side: 0.5 at 10 from the middle, 5 at 20."""
    near, far = (Decimal(10), Decimal("0.5")), (Decimal(20), Decimal(5))
    bids = [(middle - distance, size) for distance, size in (near, far)]
    asks = [(middle + distance, size) for distance, size in (near, far)]
    return bids, asks


class Stand(ABC):
    """One broker under test.

    Execution takes the venue for one that does everything, so that what is asked reaches the broker as it is:
    what the broker does not offer it has to refuse itself.
    """

    def __init__(self, books: Books, broker: Broker) -> None:
        self.books = books
        self.broker = broker

    # --- the market ------------------------------------------------------------------------------------------

    @abstractmethod
    def hit(self, side: Side, quantity: str, price: str) -> None:
        """A counterpart on `side` takes from our orders that rest at `price`, now: nobody is told of it yet."""

    @abstractmethod
    def move(self, middle: str) -> None:
        """The house quotes around another price, and somebody trades there."""

    # --- time ------------------------------------------------------------------------------------------------

    @abstractmethod
    async def until(self, reached: Callable[[], bool]) -> None:
        """Let time pass, and the market stay as it is, until `reached`."""

    @abstractmethod
    async def pass_by(self, seconds: float) -> None:
        """Let time pass."""

    @abstractmethod
    async def settled(self) -> None:
        """Wait as the daemon does at its end, until nothing is under way to the venue and back."""

    # --- what the venue itself knows -------------------------------------------------------------------------

    @abstractmethod
    def totals(self) -> Mapping[str, Decimal]:
        """What the account has of each asset."""

    @abstractmethod
    def trades(self) -> list[tuple[str, str, Decimal]]:
        """The account's trades: (trade id, the venue's order id, quantity)."""

    @abstractmethod
    def working(self) -> set[str]:
        """The venue's ids of the account's orders that work."""

    @abstractmethod
    def arrived(self, order_id: str) -> bool:
        """Whether an order has been taken into the venue's books, ever."""

    @abstractmethod
    def described(self, order_id: str) -> tuple[Decimal, Decimal | None]:
        """Quantity and limit price of a working order."""

    # --- short forms -----------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> VenueCapabilities:
        """What the broker says of its venue."""
        return self.broker.capabilities

    def offers(
        self, kind: OrderType = OrderType.LIMIT, tif: TimeInForce = TimeInForce.GTC, *, post_only: bool = False
    ) -> bool:
        """Whether the broker says that it takes such orders."""
        can = self.capabilities
        return kind in can.order_types and tif in can.times_in_force and (can.post_only or not post_only)

    def order(self, side: Side, quantity: str, price: str | None = None, **fields: Any) -> str:
        """Have execution send an order."""
        return self.books.order(side, quantity, price, symbol=SYMBOL, **fields)

    async def open(self, side: Side, quantity: str, price: str | None = None, **fields: Any) -> str:
        """Send an order, and wait until it works."""
        order_id = self.order(side, quantity, price, **fields)
        await self.until_status(order_id, OrderStatus.OPEN)
        await self.settled()
        return order_id

    async def until_status(self, order_id: str, *statuses: OrderStatus) -> Order:
        """Wait until execution has an order so."""
        await self.until(lambda: self.books.status(order_id) in statuses)
        return self.books.get(order_id)

    async def until_over(self, order_id: str) -> Order:
        """Wait until an order is over."""
        await self.until(lambda: not self.books.get(order_id).is_open)
        return self.books.get(order_id)

    def cancel(self, order_id: str) -> None:
        """Ask the broker itself for a cancel, whatever execution would make of it."""
        books = self.books
        books.manager.emit(CancelOrder(books.clock.now(), self.broker.venue, order_id))

    def told(self, order_id: str) -> list[OrderStatus]:
        """The states that were told of an order, repetitions left out."""
        states = [update.status for update in self.books.log.of(OrderUpdate) if update.order_id == order_id]
        return [state for at, state in enumerate(states) if at == 0 or states[at - 1] is not state]

    def fills(self, order_id: str = "") -> list[Fill]:
        """The fills, of one order or of all."""
        return [fill for fill in self.books.fills if order_id in {"", fill.order_id}]

    async def refused(self, order_id: str) -> Order:
        """Wait for the end of an order that has to be refused: with a reason, untraded, not at the venue."""
        order = await self.until_over(order_id)
        assert order.status in {OrderStatus.REJECTED, OrderStatus.VOID}, order
        assert order.reason
        assert not order.filled
        assert not self.arrived(order_id)
        return order

    # --- what holds in the end -------------------------------------------------------------------------------

    async def agree(self) -> None:
        """Let all arrive, and compare: what was told is possible, each trade once, books equal to the venue's."""
        await self.settled()
        books = self.books
        odd = [update.reason for update in books.log.of(OrderUpdate) if update.reason.startswith(_ODD)]
        assert odd == []
        assert books.halts == []
        fills = self.fills()
        assert len({(fill.trade_id, fill.side) for fill in fills}) == len(fills)
        venues_id = {fill.order_id: books.get(fill.order_id).exchange_order_id for fill in fills}
        ours = [(fill.trade_id, venues_id[fill.order_id], fill.quantity) for fill in fills]
        assert sorted(ours) == sorted(self.trades())
        assert {order.exchange_order_id for order in books.engine.orders.values()} == self.working()
        assert {asset: books.held(asset) for asset in self.totals()} == dict(self.totals())
        self._ended_once()

    def _ended_once(self) -> None:
        """Each order ended in one way, and stayed so; that may be repeated in answer to a late cancel."""
        for order_id in {update.order_id for update in self.books.log.of(OrderUpdate)}:
            told = self.told(order_id)
            assert not [state for state in told[:-1] if state.is_terminal], (order_id, told)
