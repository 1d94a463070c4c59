"""What came of a rehearsal: the exchange's word against our books, judged and told.

Everything here is pure. An exchange's trades, balances and wire are compared with what the daemon believes; the
exchange is right by definition. A difference is a violation unless trading there was halted with a reason: then
somebody was told. No halt excuses an order that was sent twice or a fill that was booked twice.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from tradingd.domain.money import ZERO, add, magnitude, mul, neg

__all__ = [
    "Bounds",
    "Deal",
    "Evidence",
    "FaultReport",
    "RehearsalReport",
    "SentOrder",
    "judge",
    "violations_of",
]

_PERCENT = Decimal("0.01")
_SHOWN = 5
"""So many examples of a kind of violation are told; their number always is."""


class Deal(msgspec.Struct, frozen=True, gc=False):
    """A trade of an account of ours, as one of both sides has it."""

    account: str
    symbol: str
    trade_id: str
    buy: bool
    quantity: Decimal
    price: Decimal
    fees: tuple[tuple[str, Decimal], ...] = ()
    """(asset, amount) of each, sorted; a rebate is negative."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others."""
        return self.account, self.symbol, self.trade_id


class SentOrder(msgspec.Struct, frozen=True, gc=False):
    """A request for a new order, as it arrived at the exchange."""

    account: str
    client_id: str
    symbol: str
    quantity: Decimal
    price: Decimal
    """Its limit, or what it filled at on average; 0 where it has neither."""
    accepted: bool = True


class Bounds(msgspec.Struct, frozen=True):
    """The limits of the configuration that can be seen from outside; None is no limit."""

    max_order_notional: Decimal | None = None
    max_order_quantity: Decimal | None = None
    max_position_notional: Decimal | None = None
    max_position_quantity: Decimal | None = None
    price_collar_percent: Decimal = ZERO
    """How far the price may be from the one that an order was judged by."""


class Evidence(msgspec.Struct, frozen=True):
    """Both sides of a rehearsal, read when nothing was on its way any more."""

    sent: Sequence[SentOrder]
    """The exchange's wire, in order."""
    theirs: Sequence[Deal]
    """The exchange's trades of our accounts, in order."""
    ours: Sequence[Deal]
    """The fills that our portfolio booked, in order."""
    their_balances: Mapping[str, Decimal]
    """By asset, over all accounts, free and locked together."""
    our_balances: Mapping[str, Decimal]
    known_orders: frozenset[str] = frozenset()
    """The client order ids that our execution engine knows."""
    halts: Mapping[str, str] = {}
    """Why trading is halted, by symbol, by account, or by "" where all of it is."""


class FaultReport(msgspec.Struct, frozen=True):
    """What came of one fault."""

    fault: str
    """Its name; empty where nothing was to go wrong."""
    hits: int
    """How often it struck."""
    orders: int
    fills: int
    violations: tuple[str, ...] = ()
    halts: tuple[str, ...] = ()
    """What was halted when it was over, with the reasons."""
    struck: Mapping[str, int] = {}
    """How often each fault struck, where they were several."""
    recovery_s: float | None = None
    """From its last strike until orders could be sent again; None where they could not, or were not stopped."""

    @property
    def result(self) -> str:
        """PASS, FAIL, HALTED (which is a pass: somebody was told) or NOT MET."""
        if self.violations:
            return "FAIL"
        if self.fault and not self.hits:
            return "NOT MET"
        return "HALTED" if self.halts else "PASS"


class RehearsalReport(msgspec.Struct, frozen=True):
    """What came of a whole rehearsal."""

    seed: int
    faults: tuple[FaultReport, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was violated, and something was rehearsed at all."""
        met = any(each.hits or not each.fault for each in self.faults) and any(each.orders for each in self.faults)
        return met and not any(each.violations for each in self.faults)


def judge(fault: str, hits: int, evidence: Evidence, bounds: Bounds, recovery_s: float | None) -> FaultReport:
    """The report of one fault."""
    halts = tuple(f"{key or 'everything'}: {reason}" for key, reason in sorted(evidence.halts.items()))
    return FaultReport(
        fault=fault,
        hits=hits,
        orders=len(evidence.sent),
        fills=len(evidence.theirs),
        violations=tuple(violations_of(evidence, bounds)),
        halts=halts,
        recovery_s=recovery_s,
    )


def violations_of(evidence: Evidence, bounds: Bounds) -> Iterator[str]:
    """All that must not be, a line each."""
    yield from _told("sent more than once", _duplicates(evidence.sent))
    yield from _told("at the exchange, and unknown to us", _strangers(evidence))
    yield from _told("booked more than once", _doubled(evidence.ours))
    yield from _told("booked, and unknown to the exchange", _invented(evidence))
    yield from _told("fill lost", _lost(evidence))
    yield from _told("fill booked otherwise than the exchange has it", _different(evidence))
    yield from _told("books differ from the exchange's ledger", _balances(evidence))
    yield from _told("limit broken", _over_order(evidence.sent, bounds))
    yield from _told("limit broken", _over_position(evidence.theirs, bounds))


def _told(what: str, found: Iterable[str]) -> Iterator[str]:
    each = list(found)
    if each:
        more = f" and {len(each) - _SHOWN} more" if len(each) > _SHOWN else ""
        yield f"{what}: {', '.join(each[:_SHOWN])}{more}"


def _halted(evidence: Evidence, account: str, symbol: str) -> bool:
    return bool(evidence.halts.keys() & {"", account, symbol})


# --- orders ----------------------------------------------------------------------------------------------------


def _duplicates(sent: Sequence[SentOrder]) -> Iterator[str]:
    counts = Counter((each.account, each.client_id) for each in sent)
    return (f"{client_id} ({number} times)" for (_, client_id), number in counts.items() if number > 1)


def _strangers(evidence: Evidence) -> Iterator[str]:
    for each in evidence.sent:
        if each.accepted and each.client_id not in evidence.known_orders:
            yield each.client_id or f"an order of {each.symbol} without an id"


# --- fills -----------------------------------------------------------------------------------------------------


def _doubled(ours: Sequence[Deal]) -> Iterator[str]:
    return (_name(key) for key, number in Counter(each.key for each in ours).items() if number > 1)


def _invented(evidence: Evidence) -> Iterator[str]:
    known = {each.key for each in evidence.theirs}
    return (_name(key) for key in dict.fromkeys(each.key for each in evidence.ours) if key not in known)


def _lost(evidence: Evidence) -> Iterator[str]:
    booked = {each.key for each in evidence.ours}
    for each in evidence.theirs:
        if each.key not in booked and not _halted(evidence, each.account, each.symbol):
            yield _name(each.key)


def _different(evidence: Evidence) -> Iterator[str]:
    theirs = {each.key: each for each in evidence.theirs}
    for our in evidence.ours:
        their = theirs.get(our.key)
        if their is not None and their != our:
            yield f"{_name(our.key)} ({_differences(their, our)})"


def _differences(their: Deal, our: Deal) -> str:
    pairs = ((name, getattr(their, name), getattr(our, name)) for name in ("buy", "quantity", "price", "fees"))
    return ", ".join(f"{name} {_plain(this)}, ours {_plain(that)}" for name, this, that in pairs if this != that)


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return " + ".join(f"{amount:f} {asset}" for asset, amount in value) or "none"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _name(key: tuple[str, str, str]) -> str:
    account, symbol, trade_id = key
    return f"{trade_id} of {symbol} at {account}"


# --- balances --------------------------------------------------------------------------------------------------


def _balances(evidence: Evidence) -> Iterator[str]:
    for asset in sorted(evidence.their_balances.keys() | evidence.our_balances.keys()):
        their, our = evidence.their_balances.get(asset, ZERO), evidence.our_balances.get(asset, ZERO)
        if their != our and not any(_concerns(halted, asset) for halted in evidence.halts):
            yield f"{asset} {their:f}, ours {our:f}"


def _concerns(halted: str, asset: str) -> bool:
    """Whether a halt is of a symbol that has this asset, or of an account or everything, which has them all."""
    pair = halted.partition("@")[0].partition(":")[0]
    return "/" not in pair or asset in pair.split("/")


# --- limits ----------------------------------------------------------------------------------------------------


def _over_order(sent: Sequence[SentOrder], bounds: Bounds) -> Iterator[str]:
    for each in sent:
        if not each.accepted:
            continue
        notional = mul(each.quantity, each.price)
        if bounds.max_order_quantity is not None and each.quantity > bounds.max_order_quantity:
            yield f"max_order_quantity by {each.client_id}: {each.quantity:f} {each.symbol}"
        if bounds.max_order_notional is not None and notional > _stretched(bounds.max_order_notional, bounds):
            yield f"max_order_notional by {each.client_id}: {notional:f}"


def _over_position(deals: Sequence[Deal], bounds: Bounds) -> Iterator[str]:
    """The positions that the deals make, from nothing; the first that is too large of each symbol is told."""
    held: dict[tuple[str, str], Decimal] = {}
    told: set[tuple[str, str]] = set()
    for each in deals:
        where = each.account, each.symbol
        before = held.get(where, ZERO)
        after = held[where] = add(before, each.quantity if each.buy else neg(each.quantity))
        if where in told or magnitude(after) <= magnitude(before):
            continue
        problem = _too_large(magnitude(after), each, bounds)
        if problem:
            told.add(where)
            yield problem


def _too_large(size: Decimal, deal: Deal, bounds: Bounds) -> str:
    if bounds.max_position_quantity is not None and size > bounds.max_position_quantity:
        return f"max_position_quantity in {deal.symbol}: {size:f}"
    notional = mul(size, deal.price)
    if bounds.max_position_notional is not None and notional > _stretched(bounds.max_position_notional, bounds):
        return f"max_position_notional in {deal.symbol}: {notional:f}"
    return ""


def _stretched(limit: Decimal, bounds: Bounds) -> Decimal:
    """A limit in money, at the worst price that the collar lets an order have."""
    return add(limit, mul(limit, mul(bounds.price_collar_percent, _PERCENT)))
