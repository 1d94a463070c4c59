"""The simulation: what the event engine does with signals on bars of one symbol, as machine code on whole numbers.

Everything is counted in int64. A quantity is in units of 10**-a, a price of 10**-d, money of 10**-e, where e is so
large that the value and the fee of any fill are whole; hence nothing is rounded, and a comparison says what the
same one of Decimals says. Whether figures fit is checked before they are made: `OVERFLOW` ends a run whose do not.

A close may lie between two neighbouring units (`inexact`). Each decision is then made at both; where they differ,
`UNDECIDED` ends the run, and the event engine has to tell. All that is asked here of a price is monotone in it,
so what is the same at both is the same in between.

One bar: the order of the bar before fills at the open or is canceled; limits that watch equity see the close; the
strategy's code is read, and what it asks for is sized, judged and refused or sent, as `tradingd.risk` and
`tradingd.broker` do it for a strategy that is alone.
"""

from typing import TYPE_CHECKING, Final

import numpy as np

from tradingd.strategy import sweep
from tradingd.strategy.compiled import compiled
from tradingd.strategy.sweep import HOLD, LEAVE_LONG, LEAVE_SHORT, LONG, SHORT
from tradingd.sweep.records import DONE, FIXED_NOTIONAL, FIXED_QUANTITY, OFF, OVERFLOW, UNDECIDED, Rules, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Int64s = NDArray[np.int64]

__all__ = ["run"]

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


@compiled
def run(
    rules: Rules,
    state: State,
    ts: "Int64s",
    buys: "Int64s",
    sells: "Int64s",
    closes: "Int64s",
    inexact: "NDArray[np.int8]",
    codes: "NDArray[np.int8]",
    fills: "Int64s",
) -> None:
    """Run one parameter set. `fills` takes (bar, signed quantity, price) a row; with no rows none are kept."""
    state.cash = state.peak = state.trough = state.last = rules.cash
    state.day_end = -OFF
    state.most = max(closes.max() + 1, buys.max())
    daily = rules.daily_loss_in != 0
    watches = daily or rules.drawdown_in != 0
    active = watches
    for i in range(len(codes)):
        if not active and codes[i] == HOLD and (not daily or ts[i] < state.day_end):
            continue  # nothing is held, on its way or asked for: equity stands still, and so do its limits
        state.bar = i
        if state.order != 0:
            _match(rules, state, buys[i], sells[i], closes[i], inexact[i], fills)
            if state.status != DONE:
                return
        _mark(rules, state, closes[i])
        if watches:
            _watch(rules, state, ts[i], closes[i], inexact[i])
            if state.halt == _FLATTEN and state.held != 0:
                _flatten(rules, state, closes[i], inexact[i])
        if codes[i] != HOLD or state.held != 0:
            _decide(rules, state, codes[i], closes[i], inexact[i])
        if state.status != DONE:
            return
        active = state.held != 0 or state.order != 0


# --- the broker ----------------------------------------------------------------------------------------------


@compiled
def _match(
    rules: Rules,
    state: State,
    buy: int,
    sell: int,
    close: int,
    inexact: int,
    fills: "Int64s",
) -> None:
    """Fill the working order at the open, or cancel it."""
    order, held = state.order, state.held
    price = buy if order > 0 else sell
    state.order = 0
    if np.float64(abs(order)) * price * (rules.value_scale + abs(rules.fee_scale)) > _ROOM:
        state.status = OVERFLOW
        return
    refused = price <= 0
    if not refused and not _reduces(held, order):
        refused = _lacks_funds(rules, state, order, price, close)
        if inexact and _lacks_funds(rules, state, order, price, close + 1) != refused:
            state.status = UNDECIDED
            return
    if refused:
        if state.own != 0:
            _in_vain(state)
        return
    product = abs(order) * price
    fee = product * rules.fee_scale
    state.cash -= (product if order > 0 else -product) * rules.value_scale + fee
    state.fees += fee
    state.held = held + order
    state.filled_at = state.bar
    count = state.fills
    if count < len(fills):
        fills[count, 0], fills[count, 1], fills[count, 2] = state.bar, order, price
    state.fills = count + 1
    worth = np.float64(abs(state.held)) * state.most * rules.value_scale
    if worth + abs(np.float64(state.cash)) > _ROOM or state.fees > _ROOM:
        state.status = OVERFLOW


@compiled
def _lacks_funds(rules: Rules, state: State, order: int, price: int, mark: int) -> bool:
    """Whether the account cannot bear a trade at `price` that does not only reduce; equity is at `mark`."""
    held, cash = state.held, state.cash
    value = abs(order) * price * rules.value_scale
    fee = abs(order) * price * rules.fee_scale
    if not rules.margin:
        return bool(value + fee > cash) if order > 0 else bool(-order > held)
    after = abs(held + order)
    if after <= abs(held):
        return False
    wanted = after * price * rules.value_scale + max(fee, 0)
    equity = cash + held * mark * rules.value_scale
    return bool(wanted > _part(equity, rules.leverage_of, rules.leverage_in))


@compiled
def _reduces(held: int, order: int) -> bool:
    """Whether an order only shrinks what is held."""
    return held != 0 and (held > 0) != (order > 0) and abs(order) <= abs(held)


@compiled
def _in_vain(state: State) -> None:
    """The strategy learns that what it asked for last did not come."""
    state.refused += 1
    if np.sign(state.held) != state.wanted:
        state.wanted = 0


# --- equity and the limits that watch it -----------------------------------------------------------------------


@compiled
def _mark(rules: Rules, state: State, close: int) -> None:
    """Follow equity for the figures that are told."""
    equity = state.cash + state.held * close * rules.value_scale
    last = state.last
    if equity == last:
        return
    state.last = equity
    if last > 0:
        gained = np.float64(equity - last) / np.float64(last)
        state.return_sum += gained
        state.return_squares += gained * gained
    if equity >= state.peak:
        state.peak = state.trough = equity
    elif equity < state.trough and state.peak > 0:
        state.trough = equity
        fallen = np.float64(state.peak - equity) / np.float64(state.peak)
        state.max_drawdown = max(state.max_drawdown, fallen)


@compiled
def _watch(rules: Rules, state: State, ts: int, close: int, inexact: int) -> None:
    """Daily loss and drawdown: whether each is beyond its limit at this close, and the halts they demand."""
    held = state.held
    low = high = state.cash + held * close * rules.value_scale
    if inexact and held > 0:
        high += held * rules.value_scale
    elif inexact:
        low += held * rules.value_scale
    if rules.daily_loss_in != 0:
        if ts >= state.day_end:
            _begin_day(rules, state, ts, low, high)
        state.last_low, state.last_high = low, high
        state.daily = _below(state, low, high, state.daily_low, state.daily_high)
        if state.daily != 0:
            state.halt = max(state.halt, rules.daily_halt)
    if rules.drawdown_in != 0:
        if low > state.peak_low:
            state.peak_low = low
            state.drawn_low = _less(low, rules.drawdown_of, rules.drawdown_in)
        if high > state.peak_high:
            state.peak_high = high
            state.drawn_high = _less(high, rules.drawdown_of, rules.drawdown_in)
        state.drawn = _below(state, low, high, state.drawn_low, state.drawn_high)
        if state.drawn != 0:
            state.halt = max(state.halt, rules.drawdown_halt)


@compiled
def _begin_day(rules: Rules, state: State, ts: int, low: int, high: int) -> None:
    """The day begins with the last equity of the day before, the first one with its own."""
    if state.day_end != -OFF:
        low, high = state.last_low, state.last_high
    state.daily_low = _less(low, rules.daily_loss_of, rules.daily_loss_in)
    state.daily_high = _less(high, rules.daily_loss_of, rules.daily_loss_in)
    state.day_end = (ts // _DAY + 1) * _DAY


@compiled
def _less(amount: int, share_of: int, share_in: int) -> int:
    """The lowest whole number that is not below `amount` less a share of it; of nothing or a debt, itself."""
    return amount - _part(amount, share_of, share_in) if amount > 0 else amount


@compiled
def _below(state: State, low: int, high: int, floor_low: int, floor_high: int) -> int:
    """Whether equity, between `low` and `high`, is below a floor that lies between two numbers, too."""
    if low >= floor_high:
        return 0
    if high >= floor_low:
        state.status = UNDECIDED
    return 1


@compiled
def _flatten(rules: Rules, state: State, close: int, inexact: int) -> None:
    """Risk closes the position of itself, past all limits but the venue's filters."""
    quantity = abs(state.held)
    passes = _passes_filters(rules, quantity, close)
    if inexact and _passes_filters(rules, quantity, close + 1) != passes:
        state.status = UNDECIDED
    elif passes:
        state.order = -state.held
        state.own = 0


# --- the strategy's wishes ---------------------------------------------------------------------------------------


@compiled
def _decide(rules: Rules, state: State, code: int, close: int, inexact: int) -> None:
    """Read the strategy's code; ask for what is news, and for the end of what contradicts it."""
    if code >= sweep.BREAKOUT and code != HOLD:
        code = _broken_out(state, code)
    wanted, held = state.wanted, state.held
    wish = wanted
    if SHORT <= code <= LONG:
        wish = code
    elif (code == LEAVE_LONG and wanted == LONG) or (code == LEAVE_SHORT and wanted == SHORT):
        wish = 0
    if wish == wanted:
        if held == 0 or np.sign(held) == wanted or state.order != 0:
            return
        wish = 0
    order, answer = _judge(rules, state, wish, close)
    if inexact:
        other, answer_too = _judge(rules, state, wish, close + 1)
        if order != other or answer != answer_too:
            state.status = UNDECIDED
            return
    state.wanted = wish
    if answer == _TOO_LARGE:
        state.status = OVERFLOW
    elif answer == _SENT:
        state.order = order
        state.own = 1
    else:
        _in_vain(state)


@compiled
def _broken_out(state: State, flags: int) -> int:
    """What the flags of a breakout ask for in this state."""
    if state.held != 0:
        ends = flags & (sweep.END_LONG if state.held > 0 else sweep.END_SHORT)
        return 0 if ends and state.wanted == np.sign(state.held) else HOLD
    if state.order != 0 or not (flags & sweep.NEWS or state.filled_at == state.bar):
        return HOLD
    state.wanted = 0
    return LONG if flags & sweep.UP else SHORT if flags & sweep.DOWN else HOLD


@compiled
def _judge(  # noqa: PLR0911 - one for each answer
    rules: Rules, state: State, wish: int, close: int
) -> tuple[int, int]:
    """The order that a wish becomes (signed; 0 for none) and what is said to it, if the close is `close`."""
    held, halt = state.held, state.halt
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
def _size(rules: Rules, state: State, close: int) -> int:
    """What the sizer says, in whole lots."""
    if rules.sizer == FIXED_QUANTITY:
        return rules.size
    unit = close * rules.multiplier
    if rules.sizer == FIXED_NOTIONAL:
        quantity = rules.size // unit
    else:
        equity = state.cash + state.held * close * rules.value_scale
        money = _part(equity, rules.size_share_of, rules.size_share_in)
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
def _limits(rules: Rules, state: State, order: int, close: int) -> int:  # noqa: PLR0911 - one for each limit
    """The first limit against an order that could grow a position, or SENT."""
    held = state.held
    after = abs(held + order)
    far = max(abs(held), after)
    worth = close * rules.value_scale
    equity = state.cash + held * worth
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
    if rules.gross_in != 0 and far * worth > _part(equity, rules.gross_of, rules.gross_in):
        return _LIMITS + 5
    if rules.net_in != 0 and after * worth > _part(equity, rules.net_of, rules.net_in):
        return _LIMITS + 6
    if rules.max_leverage_in != 0 and far * worth > _part(equity, rules.max_leverage_of, rules.max_leverage_in):
        return _LIMITS + 7
    if state.daily:
        return _LIMITS + 8
    return _LIMITS + 9 if state.drawn else _SENT


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
