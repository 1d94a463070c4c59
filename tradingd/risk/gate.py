"""The gate itself: judges an order against halts and limits, reserves and hands over what passes."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tradingd.domain.enums import HaltState, OrderStatus, Side, TimeInForce
from tradingd.domain.events import (
    ApprovedOrder,
    CancelCommand,
    Event,
    OrderRequest,
    OrderUpdate,
    ProtectRequest,
    Signal,
    VenueCondition,
    VenueStatus,
)
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO
from tradingd.domain.ports import Emit, InstrumentLookup, PortfolioView
from tradingd.domain.prices import PriceBoard
from tradingd.domain.venue import Venues
from tradingd.errors import AccountingError, MoneyError
from tradingd.risk.exposure import ExposureBook, Reservation
from tradingd.risk.halts import HaltBoard
from tradingd.risk.limits.base import Denied, Limit, Proposal, RiskContext
from tradingd.risk.targets import OrderDetails

__all__ = ["RETRY_NS", "Gate"]

RETRY_NS = 5_000_000_000
"""How long risk waits, in the run's own time, before it repeats of itself what was refused."""


_RUN = ""
"""What the run itself is called among the venues."""


class Gate:
    """What signals, requests and halts share: the book, the halts, the limits, and the one way out."""

    def __init__(
        self,
        *,
        portfolio: PortfolioView,
        limits: Sequence[Limit],
        instruments: InstrumentLookup | None,
        prices: PriceBoard,
        emit: Emit,
        venues: Venues | None = None,
    ) -> None:
        self.portfolio = portfolio
        self.halts = HaltBoard()
        self.book = ExposureBook(portfolio, prices, instruments, venues)
        self.context = RiskContext(portfolio, self.book, prices)
        self.conditions: dict[str, VenueStatus] = {}
        """What the venues have told of themselves; one that has told nothing is always ready."""
        self._limits = tuple(limits)
        self._counting: list[Any] = [limit for limit in limits if hasattr(limit, "passed")]
        self._emit = emit

    @property
    def now(self) -> int:
        """The latest time that any event told, nanoseconds UTC."""
        return self.context.now

    def advance(self, ts: int) -> None:
        """It is at least `ts` now."""
        context = self.context
        if ts > context.now:  # noqa: PLR1730 - as in RiskManager.on_market_data
            context.now = ts

    def tell(self, event: Event) -> None:
        """Emit an event."""
        self._emit(event)

    # --- judging ---------------------------------------------------------------------------------------------

    def judge(self, proposal: Proposal) -> Denied | None:
        """The first reason against an order, or None."""
        halted = self._halted(proposal) if self.halts.live else None
        if halted is not None:
            return halted
        if self.conditions and not proposal.reduces:
            unready = self._unready(proposal.instrument.venue)
            if unready is not None:
                return unready
        if not proposal.reduces and proposal.price <= 0:
            return Denied(
                "NO_REFERENCE_PRICE", f"{proposal.symbol} has no price yet, so nobody knows what it costs"
            )
        try:
            for limit in self._limits:
                denied = limit.check(proposal, self.context)
                if denied is not None:
                    return denied
        except (AccountingError, MoneyError) as error:
            return Denied("UNPRICED", str(error))
        return None

    def judge_requested(self, proposal: Proposal) -> Denied | None:
        """As `judge`; the refusal of a leg of an OCO group that its venue does not keep says so."""
        denied = self.judge(proposal)
        if denied is None or not proposal.terms.oco or proposal.group is not None:
            return denied
        venue = proposal.instrument.venue
        lacks = f"venue {venue} keeps no OCO group of {proposal.order_type} orders, so each of them counts in full"
        return Denied(denied.code, f"{denied.detail} ({lacks})")

    def _unready(self, venue: str) -> Denied | None:
        for key in (_RUN, venue):
            status = self.conditions.get(key)
            if status is not None and status.condition is not VenueCondition.READY:
                told = f"{venue} is {status.condition}" if key else "this run is not ready"
                return Denied("VENUE_NOT_READY" if key else "NOT_READY", f"{told}: {status.reason}")
        return None

    def _halted(self, proposal: Proposal) -> Denied | None:
        """As `halted`; a change that only makes an order smaller adds nothing to what others may leave it."""
        shrinks = proposal.reduces and (proposal.eases or self.book.only_shrinks(proposal))
        return self.halted(proposal.strategy_id, proposal.symbol, shrinks=shrinks)

    def halted(self, strategy_id: str, symbol: str, *, shrinks: bool) -> Denied | None:
        """The halt that stands against an order, or None; what only shrinks a position passes the mild ones."""
        halt = self.halts.strictest(strategy_id, symbol) if self.halts.live else None
        if halt is None or (shrinks and halt.state < HaltState.CANCEL_ALL):
            return None
        return Denied("HALTED", f"{halt.scope} {halt.key} is {halt.state.name}: {halt.reason}")

    def proposal(
        self,
        strategy_id: str,
        intent_id: str,
        details: OrderDetails,
        instrument: Instrument,
        decided_at: Decimal | None = None,
        *,
        binds_others: bool = True,
    ) -> Proposal:
        """An order for `details`, reduce-only where that is provably all it can do.

        As long as a reduce-only order works, nobody else may sell (or buy back) what it is there to reduce. An
        order that is not to bind others so is not reduce-only where others hold, or work in, the symbol.
        """
        firm = binds_others or self._alone(strategy_id, instrument.symbol)
        only = details.is_exit and firm
        reduces = self.book.reduces(instrument.symbol, details.side, details.quantity, reduce_only=only)
        return Proposal(
            ts=self.now,
            strategy_id=strategy_id,
            intent_id=intent_id,
            instrument=instrument,
            side=details.side,
            quantity=details.quantity,
            order_type=details.order_type,
            reference=self.book.price(instrument.symbol),
            decided_at=decided_at,
            limit_price=details.limit_price,
            reduce_only=only and reduces,
            reduces=reduces,
        )

    def requested(self, request: OrderRequest) -> Proposal:
        """An explicit order as the limits see it."""
        book, symbol, terms = self.book, request.symbol, request.terms
        instrument = book.instrument(symbol)
        group = book.group(request.strategy_id, instrument, request.order_type, terms) if terms.oco else None
        only = request.reduce_only
        shares = group if only else None
        return Proposal(
            ts=self.now,
            strategy_id=request.strategy_id,
            intent_id=request.intent_id,
            instrument=instrument,
            side=request.side,
            quantity=request.quantity,
            order_type=request.order_type,
            reference=book.price(symbol),
            limit_price=request.limit_price,
            stop_price=request.stop_price,
            reduce_only=only,
            reduces=book.reduces(symbol, request.side, request.quantity, shares, reduce_only=only),
            terms=terms,
            group=group,
        )

    def _alone(self, strategy_id: str, symbol: str) -> bool:
        """Whether the account's position is this strategy's, with no order of anybody working."""
        own = self.portfolio.get_strategy_position(strategy_id, symbol).quantity
        return own == self.portfolio.get_position(symbol).quantity and not self.book.working(symbol)

    def is_settled(self, symbol: str) -> bool:
        """Whether a refusal to reduce is final: nothing under way counts more than it will turn out to take."""
        return self.book.is_settled(symbol, self.portfolio.get_position(symbol).quantity)

    # --- passing on ------------------------------------------------------------------------------------------

    def approve(self, proposal: Proposal, time_in_force: TimeInForce, tag: str) -> None:
        """Reserve, count, and hand over to execution."""
        for limit in self._counting:
            limit.passed(proposal)
        terms = proposal.terms
        if terms.oco:  # a group is one strategy's: the name says so, as a venue knows of no strategies
            terms = msgspec.structs.replace(terms, oco=f"{proposal.strategy_id}/{terms.oco}")
        self.book.reserve(
            Reservation(
                intent_id=proposal.intent_id,
                strategy_id=proposal.strategy_id,
                instrument=proposal.instrument,
                side=proposal.side,
                quantity=proposal.quantity,
                price=proposal.price,
                order_type=proposal.order_type,
                limit_price=proposal.limit_price,
                stop_price=proposal.stop_price,
                reduce_only=proposal.reduce_only,
                group=proposal.group,
                oco=proposal.terms.oco,
                requote=terms.requote,
            )
        )
        self._emit(
            ApprovedOrder(
                self.now,
                proposal.strategy_id,
                proposal.intent_id,
                proposal.symbol,
                proposal.instrument.venue,
                proposal.side,
                proposal.quantity,
                proposal.order_type,
                proposal.limit_price,
                proposal.stop_price,
                time_in_force,
                proposal.reduce_only,
                tag,
                terms,
            )
        )

    def cancel(self, reservation: Reservation, reason: str) -> None:
        """Ask for an order's cancel, unless that is under way or has been refused a moment ago."""
        asked = reservation.canceled_at
        waits = reservation.canceling or (asked is not None and self.now - asked < RETRY_NS)
        if waits or reservation.closed or self.book.get(reservation.intent_id) is not reservation:
            return
        self.pass_cancel(reservation, reason)

    def pass_cancel(self, reservation: Reservation, reason: str) -> None:
        """Ask for an order's cancel; it releases nothing."""
        reservation.canceling = True
        reservation.canceled_at = self.now
        self._emit(CancelCommand(self.now, reservation.intent_id, reason))

    # --- telling why not -------------------------------------------------------------------------------------

    def deny_signal(self, signal: Signal | ProtectRequest, denied: Denied) -> None:
        """Tell a strategy that its signal, or its wish for protection, leads to no order."""
        self._tell_denied(signal.strategy_id, signal.intent_id, signal.symbol, None, ZERO, denied)

    def deny(self, order: OrderRequest | Proposal, denied: Denied) -> None:
        """Tell a strategy that its order does not pass."""
        quantity = _tellable(order.quantity)
        self._tell_denied(order.strategy_id, order.intent_id, order.symbol, order.side, quantity, denied)

    def _tell_denied(
        self, strategy_id: str, intent_id: str, symbol: str, side: Side | None, quantity: Decimal, denied: Denied
    ) -> None:
        status = OrderStatus.DENIED
        self._emit(
            OrderUpdate(
                self.now, strategy_id, intent_id, "", symbol, side, None, quantity, ZERO, status, str(denied)
            )
        )


def _tellable(quantity: object) -> Decimal:
    """A quantity that may be told on: what is no finite Decimal is told as 0, the reason names it."""
    return quantity if isinstance(quantity, Decimal) and quantity.is_finite() else ZERO
