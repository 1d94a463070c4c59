"""What a limit is asked, and what it may answer."""

from decimal import Decimal
from functools import reduce
from typing import NamedTuple, Protocol

import msgspec

from tradingd.domain.enums import HaltState, OrderType, Side
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO
from tradingd.domain.ports import PortfolioView
from tradingd.domain.prices import PriceBoard
from tradingd.domain.terms import PLAIN, OrderTerms
from tradingd.risk.exposure import ExposureBook
from tradingd.risk.reservation import Group

__all__ = ["DAY_NS", "Denied", "HaltOrder", "Limit", "Monitor", "Proposal", "RiskContext"]


DAY_NS = 86_400_000_000_000
"""A day in nanoseconds; a UTC day begins at a multiple of it."""


class Denied(NamedTuple):
    """A refusal: a stable reason `code` and a `detail` with the figures."""

    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    @classmethod
    def parse(cls, text: str) -> "Denied":
        """Take `code: detail` apart."""
        code, _, detail = text.partition(": ")
        return cls(code, detail)


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the limits see it."""

    ts: int
    strategy_id: str
    intent_id: str
    instrument: Instrument
    side: Side
    quantity: Decimal
    order_type: OrderType
    reference: Decimal | None
    """The latest market price, None before the first."""
    decided_at: Decimal | None = None
    """The price that the strategy decided on, where it told one."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    reduce_only: bool = False
    reduces: bool = False
    """It can only shrink the account's position, whichever subset of the working orders fills."""
    is_change: bool = False
    """It changes a working order: the rates of new orders are not its concern."""
    total: Decimal | None = None
    """Of a change: the order's whole new quantity, of which `quantity` has not been booked yet."""
    works_at: Decimal | None = None
    """Of a change: what the order counts at until the venue has answered."""
    keeps_quantity: bool = False
    """Of a change: it leaves the order's quantity as it is."""
    keeps_price: bool = False
    """Of a change: it leaves the order's prices as they are."""
    eases: bool = False
    """Of a change: it only makes the order smaller."""
    terms: OrderTerms = PLAIN
    group: Group | None = None
    """The OCO group that the venue keeps it in."""
    unbooked: Decimal = ZERO
    """Of a change: the part of `quantity` that has filled and is not booked yet."""
    protects: bool = False
    """Risk places it to protect, or as a part of what was counted: the rates of orders are not its concern."""

    @property
    def symbol(self) -> str:
        """The instrument's symbol."""
        return self.instrument.symbol

    @property
    def outstanding(self) -> Decimal:
        """What it may add to the booked position."""
        return self.quantity

    @property
    def shares(self) -> Group | None:
        """The group with whose other legs it counts as one order: only what only reduces does from the start."""
        return self.group if self.reduce_only or self.keeps_quantity else None

    @property
    def is_on_its_way(self) -> bool:
        """Whether other legs of its group may fill before the venue has it, as it is."""
        return self.group is not None and not self.keeps_quantity

    @property
    def ordered(self) -> Decimal:
        """The quantity that the venue would see."""
        return self.quantity if self.total is None else self.total

    @property
    def own_price(self) -> Decimal | None:
        """Its limit or stop price; of both the one that makes more of it."""
        limit, stop = self.limit_price, self.stop_price
        if limit is None or stop is None:
            return stop if limit is None else limit
        return self._dearer(limit, stop)

    @property
    def worst(self) -> Decimal | None:
        """The worst price that a re-quote may move it to; None where that is its own limit, or none does."""
        return None if self.terms.requote is None else self.terms.requote.worst

    @property
    def price(self) -> Decimal:
        """What exposure counts it at where the market makes less of it; 0 when nothing is known.

        Its own price, or the worst that a re-quote may move it to; of a change the present or the new one; the one
        that makes more of it. For a market order the latest price, before the first the one it was decided on.
        """
        if self.limit_price is None and self.stop_price is None and self.works_at is None and self.worst is None:
            return self.reference or self.decided_at or ZERO  # a new market order, and asked for often
        known = [price for price in (self.own_price, self.worst, self.works_at) if price is not None]
        if known:
            return reduce(self._dearer, known)
        return self.reference or self.decided_at or ZERO

    @property
    def trade_price(self) -> Decimal:
        """The price that makes most of it as a trade.

        A buy cannot pay more than its limit, or the worst of a re-quote that does not end at market; all else
        trades at the latest price if that makes more of it.
        """
        own, reference, requote = self.own_price, self.reference, self.terms.requote
        if own is not None and requote is not None and requote.worst is not None:
            own = self._dearer(own, requote.worst)
        if own is None or reference is None:
            return self.price if own is None else own
        may_pay_more = self.instrument.inverse or (requote is not None and requote.then == "market")
        if self.limit_price is not None and self.side is Side.BUY and not may_pay_more:
            return self.limit_price if requote is None else own
        return self._dearer(own, reference)

    def _dearer(self, first: Decimal, second: Decimal) -> Decimal:
        """Of two prices the one that makes more of a quantity."""
        notional = self.instrument.notional
        return second if notional(ONE, second) > notional(ONE, first) else first


class RiskContext:
    """What limits may look at: read only."""

    def __init__(self, portfolio: PortfolioView, book: ExposureBook, prices: PriceBoard) -> None:
        self.portfolio = portfolio
        self.book = book
        self.prices = prices
        self.now = 0
        """Nanoseconds UTC of the event that is being judged."""


class Limit(Protocol):
    """One rule. `check` answers for one order and changes nothing."""

    def check(self, order: Proposal, context: RiskContext) -> Denied | None:
        """Why the order may not pass, or None."""


class HaltOrder(NamedTuple):
    """A monitor's demand to halt the account."""

    state: HaltState
    reason: str


class Monitor(Protocol):
    """A limit that also watches: asked after each market event, before the strategies.

    One that looks at nothing but equity and the (UTC) day may say so by a class attribute `watches_equity = True`;
    it is then asked only when either has changed.
    """

    def watch(self, context: RiskContext) -> HaltOrder | None:
        """A halt of the account that is due now, or None."""
