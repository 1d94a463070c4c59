"""What the exchange itself knows afterwards, and how books that somebody else kept differ from it.

Everything is plain data: names, Decimals, tuples. The comparisons know nothing of tradingd's classes and share no
code with what they judge; each returns its differences in words, none if there are none.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple, Protocol

from tradingd.testing.exchange.engine import Engine
from tradingd.testing.exchange.exact import ZERO, add
from tradingd.testing.exchange.model import Call, Order, Side

__all__ = [
    "Oracle",
    "OrderRow",
    "TradeRow",
    "compare_balances",
    "compare_orders",
    "compare_trades",
]


class TradeRow(NamedTuple):
    """One trade of an account. Symbols are the exchange's ("BTCUSDT"), sides BUY and SELL."""

    symbol: str
    trade_id: str
    client_id: str
    """The client order id of its order; "" where whoever tells it does not know."""
    side: str
    price: Decimal
    qty: Decimal
    fees: tuple[tuple[str, Decimal], ...] = ()
    """Coin and amount, what was paid above 0."""


class OrderRow(NamedTuple):
    """One order of an account."""

    symbol: str
    client_id: str
    filled: Decimal
    is_open: bool


class Exchange(Protocol):
    """What the oracle asks: `LoopbackExchange` has it."""

    engine: Engine
    wire: list[Call]


class Oracle:
    """What the exchange knows of one account."""

    def __init__(self, exchange: Exchange, account: str) -> None:
        self._exchange = exchange
        self._account = account
        self._symbols = list(exchange.engine.markets)

    def orders(self) -> list[OrderRow]:
        """All orders, oldest first by symbol."""
        return [
            OrderRow(order.symbol, order.client_id, order.filled, order.open)
            for symbol in self._symbols
            for order in self._orders(symbol)
        ]

    def trades(self) -> list[TradeRow]:
        """All trades, oldest first."""
        return [
            TradeRow(
                trade.symbol,
                str(trade.id),
                trade.client_id,
                str(trade.side),
                trade.price,
                trade.qty,
                ((trade.fee_asset, trade.fee),) if trade.fee else (),
            )
            for trade in self._exchange.engine.my_trades(self._account)
        ]

    def balances(self) -> dict[str, Decimal]:
        """What the account owns of each coin, free and locked together; what it has none of is left out."""
        owned = self._exchange.engine.balances(self._account)
        return {asset: add(free, locked) for asset, (free, locked) in owned.items() if add(free, locked)}

    def positions(self, ours: Callable[[str], bool] = lambda _: True) -> dict[str, Decimal]:
        """Bought less sold of each symbol, before fees, of the orders whose client id is ours."""
        net: dict[str, Decimal] = {}
        for trade in self.trades():
            if ours(trade.client_id):
                signed = trade.qty if trade.side == Side.BUY else trade.qty.copy_negate()
                net[trade.symbol] = add(net.get(trade.symbol, ZERO), signed)
        return net

    def sent_twice(self) -> list[str]:
        """Client order ids that more than one request to place an order had, accepted or not. Never right."""
        sent = Counter(
            call.client_id
            for call in self._exchange.wire
            if call.places_order and call.account == self._account and call.client_id
        )
        return [
            f"order {client_id} was sent {times} times" for client_id, times in sent.items() if times > 1
        ]  # fmt: skip

    def booked_twice(self, intent_of: Callable[[str], str | None] = lambda client_id: client_id) -> list[str]:
        """Intents that became more than one order. `intent_of` a client order id; None where it is not ours.

        An order that was over without a fill before the next of its intent came does not count: that is a
        replacement. Without `intent_of` each client order id is an intent of its own.
        """
        told = []
        for symbol in self._symbols:
            by_intent: dict[str, list[Order]] = {}
            for order in self._orders(symbol):
                intent = intent_of(order.client_id)
                if intent is not None:
                    by_intent.setdefault(intent, []).append(order)
            for intent, orders in by_intent.items():
                told += _double(symbol, intent, orders)
        return told

    def _orders(self, symbol: str) -> list[Order]:
        return self._exchange.engine.all_orders(self._account, symbol)


def _double(symbol: str, intent: str, orders: list[Order]) -> list[str]:
    counted = 0
    for order, later in zip(orders, [*orders[1:], None], strict=True):
        replaced = later is not None and not order.open and not order.filled and order.updated <= later.ts
        counted += not replaced
    ids = ", ".join(f"{order.id} ({order.client_id}, {order.status})" for order in orders)
    return [f"{symbol}: {intent} became {counted} orders: {ids}"] if counted > 1 else []


def compare_trades(truth: Iterable[TradeRow], ours: Iterable[TradeRow]) -> list[str]:
    """Trades that we lost, made up, booked twice, or booked with other figures."""
    told = []
    known = {(row.symbol, row.trade_id): row for row in truth}
    seen: Counter[tuple[str, str]] = Counter()
    for row in ours:
        key = (row.symbol, row.trade_id)
        seen[key] += 1
        right = known.get(key)
        if right is None:
            told.append(f"{row.symbol} trade {row.trade_id}: the exchange has no such trade")
        elif seen[key] > 1:
            told.append(f"{row.symbol} trade {row.trade_id}: booked {seen[key]} times")
        else:
            told += _other_figures(right, row)
    told += [f"{symbol} trade {trade_id}: lost" for symbol, trade_id in known if not seen[symbol, trade_id]]
    return told


def _other_figures(right: TradeRow, row: TradeRow) -> list[str]:
    head = f"{row.symbol} trade {row.trade_id}"
    told = [
        f"{head}: {name} {mine}, the exchange has {theirs}"
        for name, mine, theirs in (
            ("side", row.side, right.side),
            ("price", row.price, right.price),
            ("quantity", row.qty, right.qty),
            ("fees", dict(row.fees), dict(right.fees)),
        )
        if mine != theirs
    ]
    if row.client_id and row.client_id != right.client_id:
        told.append(f"{head}: booked to {row.client_id}, the exchange has {right.client_id}")
    return told


def compare_balances(truth: Mapping[str, Decimal], ours: Mapping[str, Decimal]) -> list[str]:
    """Coins of which we have another amount; one that is missing is none of it."""
    return [
        f"{asset}: {ours.get(asset, ZERO)}, the exchange has {truth.get(asset, ZERO)}"
        for asset in sorted({*truth, *ours})
        if ours.get(asset, ZERO) != truth.get(asset, ZERO)
    ]


def compare_orders(truth: Iterable[OrderRow], ours: Iterable[OrderRow]) -> list[str]:
    """Orders that are open here and not there or the reverse, or filled by another amount; ours by client id."""
    known = {(row.symbol, row.client_id): row for row in truth}
    told = []
    for row in ours:
        right = known.pop((row.symbol, row.client_id), None)
        if right is None:
            if row.is_open or row.filled:
                told.append(f"{row.symbol} order {row.client_id}: the exchange has no such order")
            continue
        if row.is_open != right.is_open:
            here, there = ("open", "over") if row.is_open else ("over", "open")
            told.append(f"{row.symbol} order {row.client_id}: {here}, at the exchange it is {there}")
        if row.filled != right.filled:
            told.append(
                f"{row.symbol} order {row.client_id}: filled {row.filled}, the exchange has {right.filled}"
            )
    told += [
        f"{symbol} order {client_id}: at the exchange, and unknown here" for symbol, client_id in known
    ]  # fmt: skip
    return told
