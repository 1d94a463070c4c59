"""The pure core without its rim: the test plays the venue, real execution and portfolio keep the books."""

from typing import Any

from tests.broker.ccxt.rig import BTC, Books, D, scripted
from tradingd.broker.ccxt.cursor import Step
from tradingd.broker.ccxt.desk import Desk
from tradingd.broker.ccxt.fates import Fates
from tradingd.broker.ccxt.policy import EvidencePolicy
from tradingd.broker.ccxt.search import Search
from tradingd.broker.ccxt.tracked import Change
from tradingd.domain.events import (
    AccountSnapshot,
    Balance,
    CancelOrder,
    EventType,
    ModifyOrder,
    SubmitOrder,
)
from tradingd.testing import VirtualTime
from tradingd.venues.model import TradeSeen


class _Rimless:
    """Passes commands on to the desk at once; each order is on its way as soon as it is there."""

    required_events = frozenset({EventType.SUBMIT, EventType.SUBMIT_CANCEL, EventType.SUBMIT_MODIFY})
    desk: Desk

    def on_submit(self, order: SubmitOrder) -> None:
        self.desk.place(order)
        self.desk.begin(order.order_id)

    def on_submit_cancel(self, cancel: CancelOrder) -> None:
        self.desk.cancel(cancel.order_id)

    def on_submit_modify(self, wish: ModifyOrder) -> None:
        self.desk.modify(wish.order_id, Change(wish.quantity, wish.limit_price, wish.stop_price, wish.change))


class Pure(Books):
    """Desk and search over real books; 10 BTC and a million to begin with."""

    def __init__(self, **policy: Any) -> None:
        self.time = VirtualTime()
        self.venue = scripted(self.time)
        broker = _Rimless()
        super().__init__(self.venue, self.venue.capabilities, broker, self.time.now())
        self.fates = Fates(
            self.venue,
            EvidencePolicy(**policy),
            now=self.time.now,
            monotonic=self.time.monotonic,
            since_ns=self.time.now(),
            cursors={},
        )
        self.desk = broker.desk = Desk(self.fates)
        self.search = Search(self.fates)
        balances = tuple(Balance(asset, total, D(0)) for asset, total in self.venue.totals.items())
        self.manager.emit(AccountSnapshot(self.time.now(), "X", balances))
        self.fates.tape.movements.take(balances, ())

    def tell(self) -> None:
        """Tell the components what the core has to say."""
        out = self.fates.out
        while out:
            self.manager.emit(out.pop(0))

    def after(self, seconds: float) -> None:
        """Time passes."""
        self.time._elapsed += seconds

    def trades(self, trades: list[TradeSeen]) -> None:
        """A complete read of trades."""
        asked_at = self.time.monotonic()
        paging = self.fates.tape.paging(BTC, self.time.now())
        step = Step.GO_ON
        while step is not Step.DONE:
            page = [trade for trade in trades if trade.ts >= paging.since_ns]
            step = self.search.trades_page(BTC, paging, page)
        self.search.trades_complete(BTC, asked_at)
        self.tell()
