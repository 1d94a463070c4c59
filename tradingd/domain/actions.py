"""What a corporate action makes of prices and holdings: the arithmetic, for whoever keeps books.

An account gets whole lots at a split; for the rest it is paid (a short pays) the price after the split. Strategies
that share the account get whole lots, too: theirs add up to the account's, and who is given less or more than its
due is paid, or pays, for the difference. So do their payments add up to the account's, to the last digit.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tradingd.domain.enums import ActionKind
from tradingd.domain.events import Bar, Book, CorporateAction, MarketEvent, Quote
from tradingd.domain.money import ONE, ZERO, add, divide, floor_to, from_market, mul, sub
from tradingd.errors import AccountingError

__all__ = ["SplitShare", "dividend", "restated", "restated_book", "restated_price", "split", "split_among"]


class SplitShare(NamedTuple):
    """What a holding becomes at a split."""

    quantity: Decimal
    """The whole lots that are held afterwards."""
    due: Decimal
    """What it would be exactly, in parts of a share: times the split's denominator."""
    rest: Decimal
    """What is due and not given, in the same parts; of the other sign where more is given than is due."""
    cash: Decimal
    """Paid for the rest; negative: to be paid."""


def split(action: CorporateAction, held: Decimal, lot: Decimal, price: Decimal | None) -> SplitShare:
    """What an account's holding becomes; `price` is the one after the split.

    Raises:
        AccountingError: a fraction of a share is to be paid for, and there is no price.

    """
    due = mul(held, Decimal(action.numerator))
    return _share(action, due, floor_to(due, _step(action, lot)), lot, price)


def split_among(
    action: CorporateAction, holdings: Sequence[Decimal], lot: Decimal, price: Decimal | None
) -> list[SplitShare]:
    """What the parts of an account's holding become, in their order.

    Every part is cut to whole lots, and the lots that this leaves over go to those that lost most by it.
    """
    total = ZERO
    for held in holdings:
        total = add(total, held)
    step = _step(action, lot)
    dues = [mul(held, Decimal(action.numerator)) for held in holdings]
    given = [_floor(due, step) for due in dues]
    account = split(action, total, lot, price)
    left = mul(account.quantity, Decimal(action.denominator))
    for each in given:
        left = sub(left, each)
    for index in sorted(range(len(dues)), key=lambda i: sub(given[i], dues[i])):
        if left > 0:
            given[index] = add(given[index], step)
            left = sub(left, step)
    return _settled(
        [_share(action, due, each, lot, price) for due, each in zip(dues, given, strict=True)], account
    )


def _settled(shares: list[SplitShare], account: SplitShare) -> list[SplitShare]:
    """The last one that is paid at all takes what rounding leaves of the account's payment."""
    off = account.cash
    for share in shares:
        off = sub(off, share.cash)
    last = max((index for index, share in enumerate(shares) if share.rest), default=-1)
    if off and last >= 0:
        shares[last] = shares[last]._replace(cash=add(shares[last].cash, off))
    return shares


def _step(action: CorporateAction, lot: Decimal) -> Decimal:
    """A lot, in parts of a share."""
    return mul(lot, Decimal(action.denominator))


def _floor(value: Decimal, step: Decimal) -> Decimal:
    """The greatest multiple of `step` that is not above `value`."""
    towards_zero = floor_to(value, step)
    return sub(towards_zero, step) if towards_zero > value else towards_zero


def _share(
    action: CorporateAction, due: Decimal, given: Decimal, lot: Decimal, price: Decimal | None
) -> SplitShare:
    rest, parts = sub(due, given), Decimal(action.denominator)
    quantity = mul(divide(given, _step(action, lot), ONE), lot)
    if not rest:
        return SplitShare(quantity, due, ZERO, ZERO)
    if price is None:
        raise AccountingError(
            f"{action.symbol}: its split leaves a fraction of a share, and no price tells what to pay for it"
        )
    return SplitShare(quantity, due, rest, divide(mul(rest, price), parts))


def dividend(action: CorporateAction, held: Decimal) -> Decimal:
    """What a holding is paid; negative for a short, which pays."""
    return mul(held, action.amount)


# --- prices ------------------------------------------------------------------------------------------------------


def restated_price(action: CorporateAction, price: Decimal) -> Decimal:
    """An old price as it would be after the action, all else being equal; a dividend of all of it is left out."""
    if action.kind is ActionKind.SPLIT:
        return divide(mul(price, Decimal(action.denominator)), Decimal(action.numerator))
    after = sub(price, action.amount)
    return after if after > 0 else price


def restated(action: CorporateAction, event: MarketEvent) -> MarketEvent:
    """A market event from before the action in the prices and quantities of after it."""
    more = action.numerator / action.denominator if action.kind is ActionKind.SPLIT else 1.0

    def price(old: float) -> float:
        return float(restated_price(action, from_market(old)))

    if isinstance(event, Bar):
        prices = {name: price(getattr(event, name)) for name in ("open", "high", "low", "close")}
        return msgspec.structs.replace(event, volume=event.volume * more, **prices)
    if isinstance(event, Quote):
        bid, ask = price(event.bid), price(event.ask)
        bid_size, ask_size = event.bid_size * more, event.ask_size * more
        return msgspec.structs.replace(event, bid=bid, ask=ask, bid_size=bid_size, ask_size=ask_size)
    if isinstance(event, Book):
        return restated_book(action, event)
    return msgspec.structs.replace(event, price=price(event.price), amount=event.amount * more)


def restated_book(action: CorporateAction, book: Book) -> Book:
    """A book from before the action in the prices and quantities of after it."""
    more = action.numerator / action.denominator if action.kind is ActionKind.SPLIT else 1.0

    def levels(side: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        return tuple((float(restated_price(action, from_market(price))), size * more) for price, size in side)

    return msgspec.structs.replace(book, bids=levels(book.bids), asks=levels(book.asks))
