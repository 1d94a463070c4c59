"""The simulation: what the event engine does with signals on bars of one symbol, as machine code on whole numbers.

Everything is counted in int64. A quantity is in units of 10**-a, a price of 10**-d, money of 10**-e, where e is so
large that the value and the fee of any fill are whole; hence nothing is rounded, and a comparison says what the
same one of Decimals says. Whether the figures fit is checked where they are made: `OVERFLOW` ends a run that would not.

A close may lie between two neighbouring units (`inexact`). Each decision is then made at both; where they differ,
`UNDECIDED` ends the run, and the event engine has to tell. All that is asked here of a price is linear in it, so what is
the same at both is the same in between.

One bar: the order of the bar before fills at the open or is canceled; limits that watch equity see the close; the
strategy's code is read, and what it asks for is sized, judged and refused or sent, as `tradingd.risk` and
`tradingd.broker` do it for a strategy that is alone.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from tradingd.strategy.compiled import compiled
from tradingd.strategy.sweep import HOLD, LEAVE_LONG, LEAVE_SHORT, LONG, SHORT

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DONE",
    "FIXED_NOTIONAL",
    "FIXED_QUANTITY",
    "OFF",
    "OVERFLOW",
    "PERCENT_OF_EQUITY",
    "UNDECIDED",
    "Outcome",
    "Rules",
    "simulate",
]

DONE: Final = 0
UNDECIDED: Final = 1
OVERFLOW: Final = 2

FIXED_QUANTITY: Final = 0
FIXED_NOTIONAL: Final = 1
PERCENT_OF_EQUITY: Final = 2

OFF: Final = 2**62
"""A limit that is not set, and the size that no figure may reach."""
_ROOM: Final = 2.0**61
_DAY: Final = 86_400_000_000_000
_CANCEL_ALL: Final = 3
_FLATTEN: Final = 4

# What may come of a wish; anything but SENT is a refusal.
_SENT: Final = 0
_HALTED: Final = 1
_POINTLESS: Final = 2
_SHORT: Final = 3
_SIZE_ZERO: Final = 4
_FILTERS: Final = 5
_LIMITS: Final = 6
_FUNDS: Final = 16
_TOO_LARGE: Final = 17


class Rules(NamedTuple):
    """What is configured, in whole numbers; a share is a numerator and a denominator (0: not set)."""

    cash: int
    value_scale: int
    """Money of one unit of quantity x one unit of price."""
    fee_scale: int
    """The fee on that."""
    sizer: int
    size: int
    """Fixed quantity: that many units, cut to the lot. Fixed notional: it, in units of quantity x price."""
    size_share: tuple[int, int]
    """Percent of equity."""
    multiplier: int
    """Units of value of one unit of quantity x one unit of price (with 1 for spot)."""
    to_value: int
    """Money of one unit of value."""
    lot: int
    min_quantity: int
    max_quantity: int
    min_notional: int
    max_notional: int
    allow_short: bool
    margin: bool
    leverage: tuple[int, int]
    max_order_quantity: int
    max_order_notional: int
    max_position_quantity: int
    max_position_notional: int
    max_capital: int
    gross: tuple[int, int]
    max_leverage: tuple[int, int]
    net: tuple[int, int]
    daily_loss: tuple[int, int]
    daily_halt: int
    drawdown: tuple[int, int]
    drawdown_halt: int


class Outcome(NamedTuple):
    """What one run came to; amounts in units of money."""

    status: int
    bar: int
    """Where it ended, if not DONE."""
    fills: int
    refused: int
    """How often the strategy asked in vain: denied, rejected or canceled."""
    halt: int
    cash: int
    held: int
    fees: int
    max_drawdown: float
    """A fraction of the peak."""
    return_sum: float
    """Of the returns from close to close, for their mean and deviation."""
    return_squares: float


# Places in a run's state.
_CASH, _HELD, _ORDER, _WANTED, _HALT, _STATUS = 0, 1, 2, 3, 4, 5
_PEAK, _TROUGH, _FLOOR_LOW, _FLOOR_HIGH = 6, 7, 8, 9
_START_LOW, _START_HIGH, _LAST_LOW, _LAST_HIGH, _DAY_NOW = 10, 11, 12, 13, 14
_DAILY, _DRAWN, _FILLS, _REFUSED, _FEES, _LAST, _OWN = 15, 16, 17, 18, 19, 20, 21
_PEAK_LOW, _PEAK_HIGH, _MOST = 22, 23, 24
_STATE = 25


@compiled
def simulate(
    rules: Rules,
    ts: "NDArray[np.int64]",
    buys: "NDArray[np.int64]",
    sells: "NDArray[np.int64]",
    closes: "NDArray[np.int64]",
    inexact: "NDArray[np.int8]",
    codes: "NDArray[np.int8]",
    fills: "NDArray[np.int64]",
) -> Outcome:
    """Run one parameter set. `fills` takes (bar, signed quantity, price) a row; with no rows none are kept."""
    state = np.zeros(_STATE, np.int64)
    state[_CASH] = state[_PEAK] = state[_TROUGH] = state[_LAST] = rules.cash
    state[_DAY_NOW] = -1
    state[_MOST] = max(closes.max() + 1, buys.max())
    floats = np.zeros(3)
    watches = rules.daily_loss[1] != 0 or rules.drawdown[1] != 0
    bar = 0
    for i in range(len(codes)):
        if state[_ORDER] != 0:
            _match(rules, state, i, buys[i], sells[i], closes[i], inexact[i], fills)
        if state[_STATUS] != DONE:
            bar = i
            break
        _mark(rules, state, floats, closes[i])
        if watches:
            _watch(rules, state, ts[i], closes[i], inexact[i])
            if state[_HALT] == _FLATTEN and state[_HELD] != 0:
                _flatten(rules, state, closes[i], inexact[i])
        _decide(rules, state, codes[i], closes[i], inexact[i])
        if state[_STATUS] != DONE:
            bar = i
            break
    return Outcome(
        state[_STATUS], bar, state[_FILLS], state[_REFUSED], state[_HALT], state[_CASH], state[_HELD], state[_FEES],
        floats[0], floats[1], floats[2],
    )  # fmt: skip


# --- the broker ----------------------------------------------------------------------------------------------


@compiled
def _match(
    rules: Rules,
    state: "NDArray[np.int64]",
    i: int,
    buy: int,
    sell: int,
    close: int,
    inexact: int,
    fills: "NDArray[np.int64]",
) -> None:
    """Fill the working order at the open, or cancel it."""
    order, held = state[_ORDER], state[_HELD]
    price = buy if order > 0 else sell
    state[_ORDER] = 0
    if np.float64(abs(order)) * price * (rules.value_scale + abs(rules.fee_scale)) > _ROOM:
        state[_STATUS] = OVERFLOW
        return
    refused = price <= 0
    if not refused and not _reduces(held, order):
        refused = _lacks_funds(rules, state, order, price, close)
        if inexact and _lacks_funds(rules, state, order, price, close + 1) != refused:
            state[_STATUS] = UNDECIDED
            return
    if refused:
        if state[_OWN] != 0:
            _in_vain(state)
        return
    product = abs(order) * price
    fee = product * rules.fee_scale
    state[_CASH] -= (product if order > 0 else -product) * rules.value_scale + fee
    state[_FEES] += fee
    state[_HELD] = held + order
    count = state[_FILLS]
    if count < len(fills):
        fills[count, 0], fills[count, 1], fills[count, 2] = i, order, price
    state[_FILLS] = count + 1
    worth = np.float64(abs(state[_HELD])) * state[_MOST] * rules.value_scale
    if worth + abs(np.float64(state[_CASH])) > _ROOM or state[_FEES] > _ROOM:
        state[_STATUS] = OVERFLOW


@compiled
def _lacks_funds(rules: Rules, state: "NDArray[np.int64]", order: int, price: int, mark: int) -> bool:
    """Whether the account cannot bear a trade at `price` that does not only reduce; equity is at `mark`."""
    held, cash = state[_HELD], state[_CASH]
    value = abs(order) * price * rules.value_scale
    fee = abs(order) * price * rules.fee_scale
    if not rules.margin:
        return bool(value + fee > cash) if order > 0 else bool(-order > held)
    after = abs(held + order)
    if after <= abs(held):
        return False
    wanted = after * price * rules.value_scale + max(fee, 0)
    equity = cash + held * mark * rules.value_scale
    return bool(wanted > _part(equity, rules.leverage[0], rules.leverage[1]))


@compiled
def _reduces(held: int, order: int) -> bool:
    """Whether an order only shrinks what is held."""
    return held != 0 and (held > 0) != (order > 0) and abs(order) <= abs(held)


@compiled
def _in_vain(state: "NDArray[np.int64]") -> None:
    """The strategy learns that what it asked for last did not come."""
    state[_REFUSED] += 1
    if np.sign(state[_HELD]) != state[_WANTED]:
        state[_WANTED] = 0


# --- equity and the limits that watch it -----------------------------------------------------------------------


@compiled
def _mark(rules: Rules, state: "NDArray[np.int64]", floats: "NDArray[np.float64]", close: int) -> None:
    """Follow equity for the figures that are told."""
    equity = state[_CASH] + state[_HELD] * close * rules.value_scale
    last = state[_LAST]
    if equity == last:
        return
    state[_LAST] = equity
    if last > 0:
        gained = np.float64(equity - last) / np.float64(last)
        floats[1] += gained
        floats[2] += gained * gained
    if equity >= state[_PEAK]:
        state[_PEAK] = state[_TROUGH] = equity
    elif equity < state[_TROUGH] and state[_PEAK] > 0:
        state[_TROUGH] = equity
        floats[0] = max(floats[0], np.float64(state[_PEAK] - equity) / np.float64(state[_PEAK]))


@compiled
def _watch(rules: Rules, state: "NDArray[np.int64]", ts: int, close: int, inexact: int) -> None:
    """Daily loss and drawdown: whether each is beyond its limit at this close, and the halts they demand."""
    held = state[_HELD]
    low = high = state[_CASH] + held * close * rules.value_scale
    if inexact and held > 0:
        high += held * rules.value_scale
    elif inexact:
        low += held * rules.value_scale
    if rules.daily_loss[1] != 0:
        day = ts // _DAY
        if day > state[_DAY_NOW]:
            first = state[_DAY_NOW] < 0
            state[_START_LOW] = low if first else state[_LAST_LOW]
            state[_START_HIGH] = high if first else state[_LAST_HIGH]
            state[_DAY_NOW] = day
        state[_LAST_LOW], state[_LAST_HIGH] = low, high
        state[_DAILY] = _beyond(rules.daily_loss, state, low, high, state[_START_LOW], state[_START_HIGH])
        if state[_DAILY]:
            state[_HALT] = max(state[_HALT], rules.daily_halt)
    if rules.drawdown[1] != 0:
        state[_PEAK_LOW], state[_PEAK_HIGH] = max(state[_PEAK_LOW], low), max(state[_PEAK_HIGH], high)
        state[_DRAWN] = _beyond(rules.drawdown, state, low, high, state[_PEAK_LOW], state[_PEAK_HIGH])
        if state[_DRAWN]:
            state[_HALT] = max(state[_HALT], rules.drawdown_halt)


@compiled
def _beyond(
    limit: tuple[int, int], state: "NDArray[np.int64]", low: int, high: int, from_low: int, from_high: int
) -> int:
    """Whether equity (between `low` and `high`) has fallen further below its reference than the limit lets it."""
    below_low = from_low - _part(from_low, limit[0], limit[1]) if from_low > 0 else from_low
    below_high = from_high - _part(from_high, limit[0], limit[1]) if from_high > 0 else from_high
    if low >= below_high:
        return 0
    if high < below_low:
        return 1
    state[_STATUS] = UNDECIDED
    return 0


@compiled
def _flatten(rules: Rules, state: "NDArray[np.int64]", close: int, inexact: int) -> None:
    """Risk closes the position of itself, past all limits but the venue's filters."""
    quantity = abs(state[_HELD])
    passes = _passes_filters(rules, quantity, close)
    if inexact and _passes_filters(rules, quantity, close + 1) != passes:
        state[_STATUS] = UNDECIDED
    elif passes:
        state[_ORDER] = -state[_HELD]
        state[_OWN] = 0


# --- the strategy's wishes ---------------------------------------------------------------------------------------


@compiled
def _decide(rules: Rules, state: "NDArray[np.int64]", code: int, close: int, inexact: int) -> None:
    """Read the strategy's code; ask for what is news, and for the end of what contradicts it."""
    wanted, held = state[_WANTED], state[_HELD]
    wish = wanted
    if SHORT <= code <= LONG:
        wish = code
    elif (code == LEAVE_LONG and wanted == LONG) or (code == LEAVE_SHORT and wanted == SHORT):
        wish = 0
    if wish == wanted:
        if held == 0 or np.sign(held) == wanted or state[_ORDER] != 0:
            return
        wish = 0
    order, answer = _judge(rules, state, wish, close)
    if inexact:
        other, answer_too = _judge(rules, state, wish, close + 1)
        if order != other or answer != answer_too:
            state[_STATUS] = UNDECIDED
            return
    state[_WANTED] = wish
    if answer == _TOO_LARGE:
        state[_STATUS] = OVERFLOW
    elif answer == _SENT:
        state[_ORDER] = order
        state[_OWN] = 1
    else:
        _in_vain(state)


@compiled
def _judge(rules: Rules, state: "NDArray[np.int64]", wish: int, close: int) -> tuple[int, int]:
    """The order that a wish becomes (signed; 0 for none) and what is said to it, if the close is `close`."""
    held, halt = state[_HELD], state[_HALT]
    only_closes = wish == 0 or (wish < 0 and held > 0 and not rules.allow_short)
    if halt > 0 and not (only_closes and halt < _CANCEL_ALL):
        return 0, _HALTED
    if (wish == 0 and held == 0) or wish * held > 0:
        return 0, _POINTLESS
    if only_closes:
        order = -held
    else:
        if wish < 0 and not rules.allow_short:
            return 0, _SHORT
        quantity = _size(rules, state, close) + abs(held)
        if quantity == 0:
            return 0, _SIZE_ZERO
        order = wish * quantity
    if np.float64(abs(order)) * close * (rules.value_scale + abs(rules.fee_scale)) > _ROOM:
        return 0, _TOO_LARGE
    if not _passes_filters(rules, abs(order), close):
        return 0, _FILTERS
    if _reduces(held, order):
        return order, _SENT
    answer = _limits(rules, state, order, close)
    if answer == _SENT and _lacks_funds(rules, state, order, close, close):
        answer = _FUNDS
    return (order if answer == _SENT else 0), answer


@compiled
def _size(rules: Rules, state: "NDArray[np.int64]", close: int) -> int:
    """What the sizer says, in whole lots."""
    if rules.sizer == FIXED_QUANTITY:
        return rules.size
    unit = close * rules.multiplier
    if rules.sizer == FIXED_NOTIONAL:
        quantity = rules.size // unit
    else:
        equity = state[_CASH] + state[_HELD] * close * rules.value_scale
        money = _part(equity, rules.size_share[0], rules.size_share[1])
        quantity = money // (unit * rules.to_value) if money > 0 else 0
    return quantity - quantity % rules.lot


@compiled
def _passes_filters(rules: Rules, quantity: int, close: int) -> bool:
    """Whether the venue takes an order of this size at this price."""
    value = quantity * close * rules.value_scale
    return bool(
        rules.min_quantity <= quantity <= rules.max_quantity and rules.min_notional <= value <= rules.max_notional
    )


@compiled
def _limits(rules: Rules, state: "NDArray[np.int64]", order: int, close: int) -> int:
    """The first limit against an order that could grow a position, or SENT."""
    held = state[_HELD]
    after = abs(held + order)
    far = max(abs(held), after)
    worth = close * rules.value_scale
    equity = state[_CASH] + held * worth
    if abs(order) > rules.max_order_quantity:
        return _LIMITS
    if abs(order) * worth > rules.max_order_notional:
        return _LIMITS + 1
    if after > rules.max_position_quantity:
        return _LIMITS + 2
    if after * worth > rules.max_position_notional:
        return _LIMITS + 3
    if far * worth > rules.max_capital:
        return _LIMITS + 4
    if rules.gross[1] != 0 and far * worth > _part(equity, rules.gross[0], rules.gross[1]):
        return _LIMITS + 5
    if rules.net[1] != 0 and after * worth > _part(equity, rules.net[0], rules.net[1]):
        return _LIMITS + 6
    if rules.max_leverage[1] != 0 and far * worth > _part(equity, rules.max_leverage[0], rules.max_leverage[1]):
        return _LIMITS + 7
    if state[_DAILY]:
        return _LIMITS + 8
    return _LIMITS + 9 if state[_DRAWN] else _SENT


@compiled
def _part(amount: int, numerator: int, denominator: int) -> int:
    """`amount` x numerator / denominator, rounded down; what would not fit is as much as OFF."""
    whole = amount // denominator
    most = OFF // numerator
    if whole >= most:
        return OFF
    if whole <= -most:
        return -OFF
    return whole * numerator + (amount - whole * denominator) * numerator // denominator
