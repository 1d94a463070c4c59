"""A simulated exchange: fills orders on bars, quotes, trades or books, and refuses as an exchange would."""

from collections import OrderedDict
from collections.abc import Container, Mapping
from decimal import Decimal
from typing import Literal

from tradingd.broker.account import AccountType, SimulatedAccount
from tradingd.broker.actions import apply_action, split_reason
from tradingd.broker.admission import post_only_violation, terms_violation
from tradingd.broker.base import Broker
from tradingd.broker.capabilities import unsupported
from tradingd.broker.depth import join
from tradingd.broker.desk import Desk
from tradingd.broker.filling import Filling
from tradingd.broker.margin import MarginDesk, MarginInterest, MarginRules
from tradingd.broker.models import FeeModel, SlippageModel
from tradingd.broker.queue import QueueModel, risk_averse
from tradingd.broker.working import Working
from tradingd.domain.enums import ActionKind, Liquidity, OrderType
from tradingd.domain.events import CorporateAction, MarketEvent, ModifyOrder, ReportKind, SubmitOrder
from tradingd.domain.money import ONE, ZERO, sub
from tradingd.domain.ports import Clock, Emit, InstrumentLookup
from tradingd.domain.prices import PriceBoard
from tradingd.domain.terms import PLAIN
from tradingd.domain.venue import EVERYTHING, VenueCapabilities

__all__ = ["SimulatedBroker"]

_IDS_REMEMBERED = 10_000
"""How many client order ids the exchange recognises as used, as real ones do for a while."""


class SimulatedBroker(Broker):
    """The broker of paper mode and backtests.

    `balances` are the account's opening balances per asset. The market does not move by our orders. What is
    assumed of bars is told in `tradingd.broker.matching`, of books in `tradingd.broker.depth`.

    An order may be matched by the first market event *after* it arrived: what a strategy decides at a bar's
    close fills at the next bar's open, and never inside the bar that it has already seen. Of a bar that was being
    made when the order arrived (another symbol's event or a timer led to it), only the close counts.

    `participation` is the part of a bar's volume, a trade's amount or a quote's or book level's size that all our
    orders together may have of one event. Without it an order fills in full, except on books: what a book does not
    show is not there. What does not fill works on.

    IOC: what the first such event does not fill, as a taker, expires; a conditional order's first opportunity is
    its trigger. FOK: so does all of it unless that event fills it in full. DAY ends with the UTC day of the first
    event that the order met, GTD at its moment; of a bar that spans it, only the open came provably before. A
    post-only order is rejected where the latest quote or book shows that it would take, and canceled by the first
    event that would make it take.

    A changed price makes an order new; a changed quantity alone does not, but a greater one joins its queue anew.
    """

    def __init__(
        self,
        *,
        emit: Emit,
        clock: Clock,
        instruments: InstrumentLookup,
        balances: dict[str, Decimal],
        venue: str = "SIM",
        account_type: AccountType = AccountType.CASH,
        leverage: Decimal = ONE,
        margin: MarginRules | None = None,
        fee_model: FeeModel | None = None,
        slippage: SlippageModel | None = None,
        limit_fill: Literal["through", "touch"] = "through",
        participation: Decimal | None = None,
        queue_model: QueueModel = risk_averse,
        capabilities: VenueCapabilities = EVERYTHING,
        prices: PriceBoard | None = None,
    ) -> None:
        super().__init__(venue)
        initial = None if margin is None else margin.initial
        self.account = SimulatedAccount(
            balances, account_type=account_type, leverage=leverage, initial_margin=initial
        )
        self._clock = clock
        self._instruments = instruments
        self._capabilities = capabilities
        self._own_prices = prices is None
        self._prices = prices if prices is not None else PriceBoard()
        self._desk = Desk(
            venue,
            self.account,
            fee_model,
            slippage,
            emit=emit,
            clock=clock,
            prices=self._prices,
            instruments=instruments,
        )
        self._filling = Filling(
            self._desk,
            touch=limit_fill == "touch",
            participation=participation,
            queue=queue_model,
        )
        self._orders = self._desk.by_symbol
        self._watch = self._desk.costs.watch
        self._margin: MarginDesk | None = None
        if margin is not None and margin.maintenance and account_type is AccountType.MARGIN:
            self._margin = MarginDesk(self.account, margin, self._desk)
        self._used_ids: OrderedDict[str, None] = OrderedDict()
        self._accepted = 0

    @property
    def capabilities(self) -> VenueCapabilities:
        """What this exchange was made to offer."""
        return self._capabilities

    def market_interest(self) -> Container[str] | None:
        """The symbols whose events matter now, a live view; also those of positions that need margin.

        All symbols where it keeps the prices itself, or its slippage model watches the market.
        """
        if self._own_prices or self._watch is not None:
            return None
        return self._orders if self._margin is None else MarginInterest(self._orders, self._margin)

    # --- orders ------------------------------------------------------------------------------------------

    def place_order(self, order: SubmitOrder) -> None:
        """Accept an order into the book, or refuse it."""
        refusal = self._misfit(order)
        if refusal:
            self._desk.report(order.order_id, ReportKind.REJECTED, refusal)
            return
        working = Working(order, self._instruments[order.symbol], self._clock.now())
        if working.kind is OrderType.TRAILING_STOP and order.stop_price is None:
            working.follow(float(self._desk.mark(order.symbol) or ZERO))
        lifted = self._desk.lift(self._desk.group(order.symbol, order.terms.oco)) if working.group else {}
        refusal, needs = self._refusal(working)
        self._desk.put_back(lifted)
        if refusal:
            self._desk.report(order.order_id, ReportKind.REJECTED, refusal)
        else:
            self._accept(working, needs)

    def _accept(self, working: Working, needs: Mapping[str, Decimal] | None) -> None:
        order_id, symbol = working.order_id, working.order.symbol
        self._accepted += 1
        self._used_ids[order_id] = None
        if len(self._used_ids) > _IDS_REMEMBERED:
            self._used_ids.popitem(last=False)
        self._desk.add(working, needs)
        if symbol in self._prices.books:
            join(working, self._prices.books[symbol])
        self._desk.report(order_id, ReportKind.ACCEPTED, "", f"{self.venue}-{self._accepted}")

    def cancel_order(self, order_id: str) -> None:
        """Take an order out of the book; CANCEL_REJECTED when it is not there."""
        working = self._desk.by_id.get(order_id)
        if working is None:
            self._desk.report(order_id, ReportKind.CANCEL_REJECTED, "UNKNOWN_ORDER: not in the book")
        else:
            self._desk.end(working, ReportKind.CANCELED)

    def modify_order(
        self,
        order_id: str,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        *,
        change: int = 0,
    ) -> None:
        """Change a working order, or tell with MODIFY_REJECTED why it stays as it is.

        `change` is its number, for the answer to repeat.
        """
        working = self._desk.by_id.get(order_id)
        if working is None:
            refusal = "UNKNOWN_ORDER: not in the book"
        elif not self._capabilities.modify:
            refusal = f"UNSUPPORTED: {self.venue} changes no orders"
        else:
            refusal = self._change_refusal(working, quantity, limit_price, stop_price)
        if working is None or refusal:
            self._desk.refuse_change(order_id, refusal, change)
            return
        self._change(working, quantity, limit_price, stop_price)
        self._desk.hold(working)
        self._desk.report_change(working, change)

    def on_submit_modify(self, command: ModifyOrder) -> None:
        """Take execution's change."""
        quantity, limit, stop = command.quantity, command.limit_price, command.stop_price
        self.modify_order(command.order_id, quantity, limit, stop, change=command.change)

    def _change(
        self, working: Working, quantity: Decimal | None, limit: Decimal | None, stop: Decimal | None
    ) -> None:
        grown = quantity is not None and quantity > working.quantity
        if quantity is not None:
            working.left = sub(quantity, working.filled)
            working.quantity = quantity
        new_limit = working.limit_price if limit is None else limit
        new_stop = working.stop_price if stop is None else stop
        moved = (new_limit, new_stop) != (working.limit_price, working.stop_price)
        if moved:
            working.reprice(new_limit, new_stop, self._clock.now())
        if moved or (grown and working.queue is not None):
            join(working, self._prices.books.get(working.order.symbol))

    def _change_refusal(
        self, working: Working, quantity: Decimal | None, limit: Decimal | None, stop: Decimal | None
    ) -> str:
        kind = working.order.order_type
        if (limit is not None and not kind.has_limit) or (stop is not None and not kind.is_conditional):
            return f"WRONG_PRICE: a {kind} order has no such price"
        if stop is not None and not working.sleeps:
            return "WRONG_PRICE: the order has been triggered"
        if quantity is not None and quantity <= working.filled and working.filled:
            return f"QUANTITY: {working.filled} has filled already"
        changed = Working(working.order, working.instrument, working.arrived)
        changed.quantity = working.quantity if quantity is None else quantity
        changed.left = sub(changed.quantity, working.filled)
        changed.charged = working.charged
        changed.limit_price = working.limit_price if limit is None else limit
        changed.stop_price = working.stop_price if stop is None else stop
        desk = self._desk
        members = desk.group(working.order.symbol, working.group) if working.group else (working,)
        reference = self._reference(changed)
        lifted = desk.lift(members)
        refusal = self._rule_refusal(changed, reference) or self._funds_refusal(changed, reference)[0]
        desk.put_back(lifted)
        return refusal

    # --- refusals ------------------------------------------------------------------------------------------

    def _misfit(self, order: SubmitOrder) -> str:
        """Why an order cannot be taken, whatever it is worth; empty when it can."""
        if self._capabilities is not EVERYTHING:
            lack = unsupported(order, self._capabilities)
            if lack:
                return f"UNSUPPORTED: {self.venue} has no {lack}"
        if not self.takes(order.symbol) or order.symbol not in self._instruments:
            return f"UNKNOWN_SYMBOL: {order.symbol} is not traded at {self.venue}"
        if order.order_id in self._used_ids or order.order_id in self._desk.by_id:
            return f"DUPLICATE_ORDER_ID: {order.order_id} has been used"
        if not order.order_type.prices_fit(order.limit_price, order.stop_price):
            return f"WRONG_PRICE: a {order.order_type} order cannot have these prices"
        return terms_violation(order, self._clock)

    def _reference(self, working: Working) -> Decimal | None:
        """The price that an order is judged by: its own, else the latest."""
        return working.price if working.price is not None else self._desk.mark(working.order.symbol)

    def _refusal(self, working: Working) -> tuple[str, Mapping[str, Decimal] | None]:
        """Why an exchange would refuse the order; empty when it would take it, with what it would lock then."""
        reference = self._reference(working)
        refusal = self._rule_refusal(working, reference)
        if refusal:
            return refusal, None
        order = working.order
        if order.reduce_only and not self._desk.reducible(order.side, working.instrument):
            return "REDUCE_ONLY: there is no position to reduce", None
        return self._funds_refusal(working, reference)

    def _rule_refusal(self, working: Working, reference: Decimal | None) -> str:
        """The first of the venue's rules on quantities and prices that an order breaks."""
        order, limit, stop = working.order, working.limit_price, working.stop_price
        price = limit if limit is not None else stop
        violation = working.instrument.violation(working.quantity, price, reference)
        if not violation and limit is not None and stop is not None:
            violation = working.instrument.violation(working.quantity, stop, None)
        if not violation and order.terms is not PLAIN and order.terms.post_only and limit is not None:
            violation = post_only_violation(order, float(limit), self._latest(order.symbol))
        return violation

    def _latest(self, symbol: str) -> MarketEvent | None:
        """The latest book of a symbol that has books, else its latest event."""
        return self._prices.books.get(symbol) or self._prices.latest.get(symbol)

    def _funds_refusal(
        self, working: Working, reference: Decimal | None
    ) -> tuple[str, Mapping[str, Decimal] | None]:
        """Why the account cannot bear the order, if it cannot, and what it would lock, where it locks anything."""
        order, instrument, account = working.order, working.instrument, self.account
        if order.reduce_only:
            return "", None  # clamped to the position when it fills, so it can only free funds
        if reference is None:
            return f"NO_PRICE: {order.symbol} has not traded yet", None
        fees = self._desk.fees(working, working.left, reference, Liquidity.TAKER)
        if account.holds_funds:
            needs = account.needs(instrument, order.side, working.left, reference, fees)
            return account.shortage(needs), needs
        return account.refusal(instrument, order.side, working.left, reference, fees, self._desk.mark), None

    # --- market data ---------------------------------------------------------------------------------------

    def on_market_data(self, data: MarketEvent) -> None:
        """Match the working orders of the event's symbol."""
        symbol = data.symbol
        if self._own_prices and self.takes(symbol):
            self._prices.update(data)
        if data.ts > self._desk.next_expiry:
            self._desk.expire(data.ts)
        orders = self._orders.get(symbol)
        if orders and self.takes(symbol):
            self._filling.on_event(tuple(orders.values()), data)
        if self._margin is not None:
            self._margin.see(data)
        if self._watch is not None:
            self._watch.see(data)

    def on_corporate_action(self, action: CorporateAction) -> None:
        """Book a split or dividend; a split cancels the symbol's working orders, stops included."""
        symbol = action.symbol
        if not self.takes(symbol):
            return
        if self._own_prices:
            self._prices.update(action)
        apply_action(self.account, action, self._instruments[symbol], self._desk.mark(symbol))
        if action.kind is ActionKind.SPLIT:
            for working in tuple(self._orders.get(symbol, {}).values()):
                self._desk.end(working, ReportKind.CANCELED, split_reason(action))
