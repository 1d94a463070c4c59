"""Corporate actions at the simulated exchange: its own books, by the rules of `tradingd.domain.actions`."""

from decimal import Decimal

from tradingd.broker.account import SimulatedAccount
from tradingd.domain.actions import dividend, split
from tradingd.domain.enums import ActionKind
from tradingd.domain.events import CorporateAction
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import sub

__all__ = ["apply_action", "split_reason"]


def apply_action(
    account: SimulatedAccount, action: CorporateAction, instrument: Instrument, price: Decimal | None
) -> None:
    """Let the account have what an action gives or takes; `price` is the one after it.

    Raises:
        AccountingError: a fraction of a share is to be paid for, and there is no price.

    """
    position = account.position(instrument)
    if not position.quantity:
        return
    if action.kind is ActionKind.DIVIDEND:
        account.move(instrument.quote, dividend(action, position.quantity))
        return
    share = split(action, position.quantity, instrument.lot, price)
    account.move(instrument.base, sub(share.quantity, position.quantity))
    account.move(instrument.quote, share.cash)
    position.split(share)


def split_reason(action: CorporateAction) -> str:
    """Why an order is canceled at a split."""
    return f"SPLIT: {action.numerator} for {action.denominator}, order again in new shares"
