"""What proves that an order exists, and that what we send is what we mean."""

from tradingd.domain.events import SubmitOrder
from tradingd.domain.money import to_decimal
from tradingd.errors import MoneyError, VenueRefusedError, VenueUnavailableError
from tradingd.venues.model import OrderSeen
from tradingd.venues.outcome import NOT_SENT
from tradingd.venues.requests import OrderRequest
from tradingd.venues.untyped import Untyped

__all__ = ["prove", "refuse_rounded"]


def prove(seen: OrderSeen, order: SubmitOrder, what: str, *, must_echo: bool) -> OrderSeen:
    """`seen`, as the proof that `order` exists: the venue's id is there, and nothing contradicts that it is ours.

    Venues differ in how much they repeat; what they do repeat has to fit.

    Raises:
        VenueUnavailableError: it proves nothing.

    """
    if seen.order_id != order.order_id and (must_echo or seen.order_id):
        raise VenueUnavailableError(f"{what}: {order.order_id}: our id is not in the answer")
    is_other = (
        (seen.symbol not in {"", order.symbol})
        or (seen.side is not None and seen.side is not order.side)
        or (seen.quantity is not None and seen.quantity != order.quantity)
    )
    if is_other:
        raise VenueUnavailableError(f"{what}: {order.order_id}: the answer is of another order")
    return seen


def refuse_rounded(request: OrderRequest, exchange: Untyped, order_id: str) -> None:
    """Refuse to send what ccxt would round: it truncates amounts, and rounds prices to the nearest step.

    Raises:
        VenueRefusedError: a number would not survive; nothing was sent.

    """
    for name, text in request.numbers:
        rounding = exchange.amount_to_precision if name == "amount" else exchange.price_to_precision
        try:
            same = to_decimal(rounding(request.symbol, text)) == to_decimal(text)
        except (ArithmeticError, AssertionError, LookupError, MoneyError, TypeError, ValueError):
            same = False
        except Exception as error:  # noqa: BLE001 - ccxt's own errors: below the lot, no such market
            raise VenueRefusedError(
                f"{order_id}: {name} {text}: {type(error).__name__}; not sent", NOT_SENT
            ) from None
        if not same:
            raise VenueRefusedError(f"{order_id}: {name} {text} is not on the venue's step; not sent", NOT_SENT)
