"""The start-up checks: whether an account can be traded with, each with its reason in one line.

`tradingd check --online` prints them; `run` refuses to start where one fails.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal

import msgspec

from tradingd.domain.money import ZERO
from tradingd.errors import RateLimitedError, TradingdError, VenueAuthError, VenueRefusedError
from tradingd.venues.account import CcxtAccount
from tradingd.venues.model import Lane
from tradingd.venues.public import PublicVenue
from tradingd.venues.requests import plain

__all__ = ["CheckResult", "check_account", "check_public"]

_MS = 1_000_000
_WORST_OFFSET_MS = 1_000
"""Signed requests are corrected for the offset; a clock as far off as this is broken, not merely slow."""
_NEEDED = ("createOrder", "cancelOrder", "fetchOpenOrders", "fetchBalance", "fetchMyTrades")
_READS = ("fetchOrder", "fetchOrders", "fetchClosedOrders")


class CheckResult(msgspec.Struct, frozen=True):
    """What one check found."""

    name: str
    ok: bool
    reason: str
    """One line: what was found, or what is wrong and how to mend it."""
    is_warning: bool = False
    """Whether it is worth a look although it keeps nobody from trading."""


_Check = Callable[[], Awaitable[CheckResult]]


async def check_public(public: PublicVenue, symbols: Sequence[str]) -> list[CheckResult]:
    """What paper trading needs as well: the venue answers, its markets are there and can be read.

    Opens `public`. Once a check fails that all others rest on, these are left out.
    """
    found = [_settings(public)]
    found.append(await _guarded("reachable", lambda: _reachable(public, symbols)))
    if not found[-1].ok:
        return found
    found.append(await _guarded("clock", lambda: _clock(public)))
    found += [_market(public, symbol) for symbol in symbols]
    return found


async def check_account(
    account: CcxtAccount,
    *,
    needs: Iterable[tuple[str, Decimal]] = (),
    may_withdraw: bool = False,
) -> list[CheckResult]:
    """What live trading needs besides; `needs` are (asset, amount) that the limits in the configuration imply.

    Opens `account`; its public side is open. `may_withdraw` is the operator's signed word that a key may.
    """
    found = [_calls(account)]
    found.append(await _guarded("account", lambda: _opened(account)))
    if not found[-1].ok:
        return found
    found.append(await _guarded("permissions", lambda: _permissions(account, may_withdraw=may_withdraw)))
    found.append(await _guarded("balance", lambda: _balance(account, list(needs))))
    found.append(await _guarded("open orders", lambda: _open_orders(account)))
    found.append(await _guarded("trades", lambda: _trades(account)))
    return found


async def _guarded(name: str, check: _Check) -> CheckResult:
    try:
        return await check()
    except VenueAuthError as error:
        return CheckResult(name, ok=False, reason=f"{error}; look at the key, its IP list and its permissions")
    except RateLimitedError as error:
        wait = "" if error.retry_after_s is None else f"; wait {error.retry_after_s:.0f} s"
        return CheckResult(name, ok=False, reason=f"{error}{wait}")
    except TradingdError as error:
        return CheckResult(name, ok=False, reason=str(error))


# --- what anyone may ask -------------------------------------------------------------------------------------


def _settings(public: PublicVenue) -> CheckResult:
    faults = public.client.setting_faults()
    return CheckResult("settings", ok=not faults, reason=faults[0] if faults else "ccxt is set as it has to be")


async def _reachable(public: PublicVenue, symbols: Sequence[str]) -> CheckResult:
    await public.open(symbols)
    return CheckResult("reachable", ok=True, reason=f"{len(public.client.ccxt.markets)} markets loaded")


async def _clock(public: PublicVenue) -> CheckResult:
    if not public.client.has("fetchTime"):
        return CheckResult("clock", ok=True, reason="the venue tells no time", is_warning=True)
    offset = await public.clock_offset_ns() // _MS
    if abs(offset) > _WORST_OFFSET_MS:
        return CheckResult("clock", ok=False, reason=f"ours is {-offset} ms ahead; set up time synchronisation")
    return CheckResult("clock", ok=True, reason=f"{offset} ms between the venue's and ours")


def _market(public: PublicVenue, symbol: str) -> CheckResult:
    name = f"market {symbol}"
    if symbol in public.inactive:
        return CheckResult(name, ok=False, reason="the venue does not trade it now; take it out, or wait")
    instrument = public.instruments[symbol]
    filters = (
        f"tick {instrument.tick}, lot {instrument.lot}, "
        f"at least {instrument.min_quantity} and worth {instrument.min_notional} {instrument.settle}"
    )
    return CheckResult(name, ok=True, reason=filters)


# --- what the account's owner may ask ------------------------------------------------------------------------


def _calls(account: CcxtAccount) -> CheckResult:
    lacks = [name for name in _NEEDED if not account.orders.has(name)]
    if not any(account.orders.has(name) for name in _READS):
        lacks.append(_READS[0])
    if lacks:
        reason = f"{account.orders.exchange_id} has no {', '.join(lacks)}: fills could be lost; it cannot be live"
        return CheckResult("calls", ok=False, reason=reason)
    return CheckResult("calls", ok=True, reason="the venue has all calls that live trading rests on")


async def _opened(account: CcxtAccount) -> CheckResult:
    await account.open()
    return CheckResult("account", ok=True, reason="ccxt is set as it has to be")


async def _permissions(account: CcxtAccount, *, may_withdraw: bool) -> CheckResult:
    untold = CheckResult(
        "permissions",
        ok=True,
        reason="the venue does not tell whether the key may withdraw; make sure that it may not",
        is_warning=True,
    )
    asked = account.row.withdrawals
    if asked is None:
        return untold
    try:
        body = await account.orders.call(asked.method, lane=Lane.ACCOUNT, params={})
    except VenueAuthError:
        raise
    except TradingdError:
        return untold  # a sandbox has no such call; what trading needs of the key, the next checks ask for
    allowed = asked.allows_withdrawals(body)
    if allowed is None:
        return untold
    if allowed and not may_withdraw:
        reason = "the key may withdraw; make one that may only read and trade, bound to this machine's address"
        return CheckResult("permissions", ok=False, reason=reason)
    return CheckResult("permissions", ok=True, reason=f"the key may {'' if allowed else 'not '}withdraw")


async def _balance(account: CcxtAccount, needs: list[tuple[str, Decimal]]) -> CheckResult:
    held = {balance.asset: balance.total for balance in await account.fetch_balances()}
    for asset, amount in needs:
        if held.get(asset, ZERO) < amount:
            # an invested account holds little of the coin it pays with, and must be able to start again
            reason = f"{plain(held.get(asset, ZERO))} {asset} held, less than an order may be worth ({amount})"
            return CheckResult("balance", ok=True, reason=reason, is_warning=True)
    told = ", ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(held.items())[:8])
    return CheckResult("balance", ok=True, reason=told or "the account is empty")


async def _open_orders(account: CcxtAccount) -> CheckResult:
    count = sum([len(await account.fetch_open_orders(symbol)) for symbol in account.instruments])
    return CheckResult("open orders", ok=True, reason=f"{count} working", is_warning=bool(count))


async def _trades(account: CcxtAccount) -> CheckResult:
    """That the history of trades, which fills are booked from, can be read with this key."""
    symbol = next(iter(account.instruments))
    try:
        count = len(await account.fetch_trades(symbol, 0))
    except VenueRefusedError as error:
        return CheckResult("trades", ok=False, reason=f"{error}; the key must be allowed to read trades")
    return CheckResult("trades", ok=True, reason=f"the history of {symbol} can be read ({count} on its last page)")
