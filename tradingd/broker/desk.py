"""The exchange's order book of our own orders: what works, what it holds, what is told of it."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tradingd.broker.account import SimulatedAccount
from tradingd.broker.costs import Costs
from tradingd.broker.expiry import NEVER
from tradingd.broker.models import FeeModel, SlippageModel
from tradingd.broker.working import Working
from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import Bar, BrokerReport, Fee, ReportKind
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO, magnitude, sub
from tradingd.domain.ports import Clock, Emit, InstrumentLookup
from tradingd.domain.prices import PriceBoard

__all__ = ["Desk"]

_OVER = "OCO: the other order of the group is over"
_FILLED = "OCO: the other order of the group has filled"


class Desk:
    """The working orders by symbol and id, their OCO groups, and what they hold of the account.

    An OCO group is the working orders of one symbol with the same group name. What fills of one is taken from the
    others at once; one that ends otherwise (canceled, expired) ends the others. A group holds funds once: of each
    asset the most that one of its orders needs.
    """

    def __init__(
        self,
        venue: str,
        account: SimulatedAccount,
        fee: FeeModel | None,
        slippage: SlippageModel | None,
        *,
        emit: Emit,
        clock: Clock,
        prices: PriceBoard,
        instruments: InstrumentLookup,
    ) -> None:
        self.venue = venue
        self.account = account
        self.emit = emit
        self.clock = clock
        self.prices = prices
        self.by_symbol: dict[str, dict[str, Working]] = {}
        """Has just the symbols whose market events matter: those with orders, and while one may be ended by events
        of other symbols (`watch`) all that have a price, with no orders."""
        self.by_id: dict[str, Working] = {}
        self.next_expiry = NEVER
        """When the first of the orders expires that other symbols' events may end."""
        self.costs = Costs(fee, slippage, clock=clock, free=account.free, mark=self.mark, instruments=instruments)
        self._groups: dict[tuple[str, str], dict[str, Working]] = {}
        self._watched: dict[str, Working] = {}

    # --- the book --------------------------------------------------------------------------------------------

    def add(self, working: Working, needs: Mapping[str, Decimal] | None) -> None:
        """Take an order in; `needs` is what it locks, where that is known already."""
        symbol, order_id = working.order.symbol, working.order_id
        self.by_id[order_id] = working
        orders = self.by_symbol.get(symbol)
        if orders is None:
            orders = self.by_symbol[symbol] = {}
        orders[order_id] = working
        if working.group:
            self._groups.setdefault((symbol, working.group), {})[order_id] = working
        if working.expires != NEVER:
            self.watch(working)
        if needs is None or working.group:
            self.hold(working)
        else:
            self.account.lock(order_id, needs)

    def end(self, working: Working, kind: ReportKind, reason: str = "") -> None:
        """An order ends otherwise than by its last fill: take it out, tell so, and end the others of its group."""
        others = self.others(working)
        self.drop(working)
        self.report(working.order_id, kind, reason)
        for other in others:
            if not other.over:
                self.drop(other)
                self.report(other.order_id, ReportKind.CANCELED, _OVER)

    def drop(self, working: Working) -> None:
        """Take an order out of the book and free what it holds."""
        symbol, order_id = working.order.symbol, working.order_id
        working.over = True
        del self.by_id[order_id]
        orders = self.by_symbol[symbol]
        del orders[order_id]
        if not orders and not self._watched:
            del self.by_symbol[symbol]
        self.account.unlock(order_id)
        if working.expires != NEVER:
            self._unwatch(working)
        if working.group:
            self._leave_group(working)

    def _leave_group(self, working: Working) -> None:
        key = working.order.symbol, working.group
        members = self._groups[key]
        del members[working.order_id]
        if members:
            self.hold(next(iter(members.values())))
        else:
            del self._groups[key]

    def others(self, working: Working) -> tuple[Working, ...]:
        """The other working orders of its OCO group."""
        if not working.group:
            return ()
        members = self._groups.get((working.order.symbol, working.group), {})
        return tuple(member for member in members.values() if member is not working)

    def group(self, symbol: str, name: str) -> tuple[Working, ...]:
        """The working orders of an OCO group."""
        return tuple(self._groups.get((symbol, name), {}).values()) if name else ()

    def take_from_group(self, working: Working, quantity: Decimal) -> None:
        """`quantity` of an order has filled: take it from the others of its group."""
        for other in self.others(working):
            if other.over:
                continue
            if other.left <= quantity:
                self.drop(other)
                self.report(other.order_id, ReportKind.CANCELED, _FILLED)
            else:
                other.quantity = sub(other.quantity, quantity)
                other.left = sub(other.left, quantity)
                self.hold(other)
                self.report_change(other)

    def end_all(self, symbol: str, reason: str) -> None:
        """Cancel all orders of a symbol."""
        for working in tuple(self.by_symbol.get(symbol, {}).values()):
            if not working.over:
                self.end(working, ReportKind.CANCELED, reason)

    # --- expiry ----------------------------------------------------------------------------------------------

    def watch(self, working: Working) -> None:
        """Let events of other symbols end the order, too, once its expiry is known.

        Not where its symbol has bars: one that is still to come may have opened before the order expires.
        """
        if working.expires and type(self.prices.latest.get(working.order.symbol)) is not Bar:
            for symbol in self.prices.latest:
                self.by_symbol.setdefault(symbol, {})
            self._watched[working.order_id] = working
            self.next_expiry = min(self.next_expiry, working.expires)

    def _unwatch(self, working: Working) -> None:
        if self._watched.pop(working.order_id, None) is not None and not self._watched:
            for symbol in [symbol for symbol, orders in self.by_symbol.items() if not orders]:
                del self.by_symbol[symbol]

    def expire(self, ts: int) -> None:
        """End the watched orders that have expired before `ts`."""
        for working in tuple(self._watched.values()):
            if working.expires < ts and not working.over:
                self.end(working, ReportKind.EXPIRED, expired(working))
        self.next_expiry = min((working.expires for working in self._watched.values()), default=NEVER)

    # --- funds -----------------------------------------------------------------------------------------------

    def fees(self, working: Working, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> tuple[Fee, ...]:
        """The fees of a fill of an order: the one place that asks the model."""
        return self.costs.fees(working.instrument, working.side, quantity, price, liquidity, working.charged)

    def hold(self, working: Working) -> None:
        """Lock what the order would take if it filled at its price (a market order: at the latest) as a taker."""
        if not self.account.holds_funds:
            return
        if not working.group:
            self._lock(working.order_id, self._needs(working))
            return
        members = self.group(working.order.symbol, working.group)
        most: dict[str, Decimal] = {}
        for member in members:
            self.account.unlock(member.order_id)
            for asset, amount in self._needs(member).items():
                most[asset] = max(amount, most.get(asset, ZERO))
        self._lock(members[0].order_id, most)

    def lift(self, members: Iterable[Working]) -> dict[str, Mapping[str, Decimal]]:
        """Lock nothing for these orders for now; returns what they held."""
        return {member.order_id: self.account.unlock(member.order_id) for member in members}

    def put_back(self, lifted: Mapping[str, Mapping[str, Decimal]]) -> None:
        """Lock what was lifted."""
        for order_id, amounts in lifted.items():
            self._lock(order_id, amounts)

    def _lock(self, order_id: str, amounts: Mapping[str, Decimal]) -> None:
        if amounts:
            self.account.lock(order_id, amounts)

    def _needs(self, working: Working) -> Mapping[str, Decimal]:
        order, instrument = working.order, working.instrument
        price = working.price if working.price is not None else self.mark(order.symbol)
        if order.reduce_only or price is None:
            return {}
        fees = self.fees(working, working.left, price, Liquidity.TAKER)
        return self.account.needs(instrument, order.side, working.left, price, fees)

    def mark(self, symbol: str) -> Decimal | None:
        """The latest price; None before the first and while there is none (an empty book)."""
        price = self.prices.exact(symbol)
        return price if price is not None and price > 0 else None

    def reducible(self, side: Side, instrument: Instrument) -> Decimal:
        """How much of a position an order of `side` could reduce."""
        held = self.account.position(instrument).quantity
        return magnitude(held) if held and (held > 0) != (side is Side.BUY) else ZERO

    # --- reports ---------------------------------------------------------------------------------------------

    def refuse_change(self, order_id: str, reason: str, number: int) -> None:
        """Tell why an order stays as it is."""
        kind = ReportKind.MODIFY_REJECTED
        self.emit(BrokerReport(self.clock.now(), self.venue, order_id, kind, reason=reason, change=number))

    def report(self, order_id: str, kind: ReportKind, reason: str = "", exchange_order_id: str = "") -> None:
        """Tell of an order's fate."""
        self.emit(BrokerReport(self.clock.now(), self.venue, order_id, kind, exchange_order_id, reason))

    def report_change(self, working: Working, number: int = 0) -> None:
        """Tell how a changed order works now; `number` is that of the change that asked for it."""
        self.emit(
            BrokerReport(
                self.clock.now(),
                self.venue,
                working.order_id,
                ReportKind.MODIFIED,
                quantity=working.quantity,
                limit_price=working.limit_price,
                stop_price=working.stop_price,
                change=number,
            )
        )


def expired(working: Working) -> str:
    """Why an order expired: by its time in force."""
    return f"{working.order.time_in_force}: the order's time is over"
