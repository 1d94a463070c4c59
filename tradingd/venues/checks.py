"""The start-up checks: whether an account can be traded with, each with its reason in one line.

`tradingd check --online` prints them; `run` refuses to start where one fails.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

import msgspec

from tradingd.domain.money import ZERO
from tradingd.errors import RateLimitedError, TradingdError, VenueAuthError
from tradingd.venues.account import CcxtAccount, make_account
from tradingd.venues.model import Lane
from tradingd.venues.public import PublicVenue, make_public
from tradingd.venues.requests import plain
from tradingd.venues.settings import Credentials, VenueSettings
from tradingd.venues.untyped import Untyped

__all__ = ["CheckResult", "Expectation", "check_account", "check_opened", "check_public"]

_MS = 1_000_000
_WORST_OFFSET_MS = 1_000
"""Signed requests are corrected for the offset; a clock as far off as this is broken, not merely slow."""
_NEEDED = ("createOrder", "cancelOrder", "fetchOpenOrders", "fetchBalance", "fetchMyTrades")
_READS = ("fetchOrder", "fetchOrders", "fetchClosedOrders")


class CheckResult(msgspec.Struct, frozen=True):
    """What one check found."""

    account: str
    name: str
    ok: bool
    reason: str = ""
    """One line: what was found, or what is wrong and how to mend it."""
    is_warning: bool = False
    """Whether it is worth a look although it keeps nobody from trading."""


class Expectation(msgspec.Struct, frozen=True):
    """What the configuration wants of an account."""

    symbols: tuple[str, ...]
    allow_withdrawal_keys: bool = False
    """The operator's signed word that a key may withdraw."""
    dead_man_s: float | None = None
    max_order_notional: Decimal | None = None
    """The greatest order, in `currency`: the account should hold as much."""
    currency: str = ""


_Found = tuple[bool, str]
_Check = Callable[[], Awaitable[_Found]]


class _Checks:
    """Runs checks of one account, and keeps what they found."""

    def __init__(self, account: str) -> None:
        self._account = account
        self.results: list[CheckResult] = []

    def note(self, name: str, ok: bool, reason: str, *, is_warning: bool = False) -> bool:  # noqa: FBT001 - a finding
        self.results.append(CheckResult(self._account, name, ok, reason, is_warning))
        return ok

    async def run(self, name: str, check: _Check) -> bool:
        """One check; whatever the venue does to it is its finding."""
        try:
            ok, reason = await check()
        except VenueAuthError as error:
            return self.note(name, False, f"{error}; look at the key, its IP list and its permissions")
        except RateLimitedError as error:
            wait = "" if error.retry_after_s is None else f"; wait {error.retry_after_s:.0f} s"
            return self.note(name, False, f"{error}{wait}")
        except TradingdError as error:
            return self.note(name, False, str(error))
        return self.note(name, ok, reason, is_warning=ok and reason.startswith(_UNTOLD))


_UNTOLD = "the venue does not tell"


async def check_account(
    settings: VenueSettings,
    credentials: Credentials | None,
    expected: Expectation,
    *,
    session: Untyped = None,
    now: Callable[[], int] = time.time_ns,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> list[CheckResult]:
    """Connect, check, close. Without credentials only what paper trading on live data needs.

    Raises:
        ConfigError: ccxt has no such exchange, or not in this environment.

    """
    public = make_public(settings, session=session, now=now, monotonic=monotonic, sleep=sleep)
    account = None
    try:
        found = await check_public(public, expected.symbols)
        if credentials is not None and all(result.ok for result in found):
            account = make_account(settings, credentials, public, session=session, now=now)
            found += await check_opened(account, expected)
        return found
    finally:
        if account is not None:
            await account.close()
        await public.close()


async def check_public(public: PublicVenue, symbols: Sequence[str]) -> list[CheckResult]:
    """Check that the venue answers, and that its markets are there and can be read. Opens `public`.

    Once a check fails that all others rest on, these are left out.
    """
    checks = _Checks(public.name)
    faults = public.client.setting_faults()
    checks.note("ccxt", not faults, faults[0] if faults else "set as it has to be")
    if await checks.run("reachable", lambda: _reachable(public, symbols)):
        await checks.run("clock", lambda: _clock(public))
        for symbol in symbols:
            ok, reason = _market(public, symbol)
            checks.note(f"market {symbol}", ok, reason)
    return checks.results


async def check_opened(account: CcxtAccount, expected: Expectation) -> list[CheckResult]:
    """Check what live trading needs besides. Opens `account`; its public side is open."""
    checks = _Checks(account.name)
    lacks = _lacking(account)
    checks.note(
        "calls",
        not lacks,
        f"{account.orders.exchange_id} has no {', '.join(lacks)}: fills could be lost; it cannot be traded live"
        if lacks
        else "all that live trading rests on are there",
    )
    wants_dead_man = expected.dead_man_s is not None
    if wants_dead_man:
        kind = account.traits.dead_man
        checks.note("dead man", bool(kind), kind or "the venue has no dead-man switch; take dead_man_s out")
    if not await checks.run("account", lambda: _opened(account)):
        return checks.results
    await checks.run("permissions", lambda: _permissions(account, may_withdraw=expected.allow_withdrawal_keys))
    await checks.run("balance", lambda: _balance(account, expected))
    await checks.run("open orders", lambda: _open_orders(account))
    await checks.run("trades", lambda: _trades(account))
    return checks.results


# --- what anyone may ask -------------------------------------------------------------------------------------


async def _reachable(public: PublicVenue, symbols: Sequence[str]) -> _Found:
    await public.open(symbols)
    return True, f"{len(public.client.ccxt.markets)} markets loaded"


async def _clock(public: PublicVenue) -> _Found:
    if not public.client.has("fetchTime"):
        return True, f"{_UNTOLD} its time"
    offset = await public.clock_offset_ns() // _MS
    if abs(offset) > _WORST_OFFSET_MS:
        return False, f"ours is {-offset} ms ahead of the venue's; set up time synchronisation"
    return True, f"{offset} ms between the venue's and ours"


def _market(public: PublicVenue, symbol: str) -> _Found:
    if symbol in public.inactive:
        return False, "the venue does not trade it now; take it out, or wait"
    instrument = public.instruments[symbol]
    return True, (
        f"tick {instrument.tick}, lot {instrument.lot}, "
        f"at least {instrument.min_quantity} and worth {instrument.min_notional} {instrument.settle}"
    )


# --- what the account's owner may ask ------------------------------------------------------------------------


def _lacking(account: CcxtAccount) -> list[str]:
    lacks = [name for name in _NEEDED if not account.orders.has(name)]
    return lacks if any(account.orders.has(name) for name in _READS) else [*lacks, _READS[0]]


async def _opened(account: CcxtAccount) -> _Found:
    await account.open()
    return True, "ccxt is set as it has to be"


async def _permissions(account: CcxtAccount, *, may_withdraw: bool) -> _Found:
    untold = True, f"{_UNTOLD} whether the key may withdraw; make sure that it may not"
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
        return (
            False,
            "the key may withdraw; make one that may only read and trade, bound to this machine's address",
        )
    return True, f"the key may {'' if allowed else 'not '}withdraw"


async def _balance(account: CcxtAccount, expected: Expectation) -> _Found:
    held = {balance.asset: balance.total for balance in await account.fetch_balances()}
    wanted, currency = expected.max_order_notional, expected.currency
    if wanted is not None and currency and not any(each.kind.is_contract for each in account.instruments.values()):
        worth = held.get(currency, ZERO)
        bases = {each.base for each in account.instruments.values()}
        if worth < wanted and not any(held.get(base) for base in bases):
            return (
                False,
                f"{worth} {currency} held, the limit of an order is {wanted}; deposit, or lower the limit",
            )
    told = ", ".join(f"{plain(amount)} {asset}" for asset, amount in sorted(held.items())[:8])
    return True, told or "the account is empty"


async def _open_orders(account: CcxtAccount) -> _Found:
    count = sum([len(await account.fetch_open_orders(symbol)) for symbol in account.instruments])
    return True, f"{count} working"


async def _trades(account: CcxtAccount) -> _Found:
    """That the history of trades, which fills are booked from, can be read with this key."""
    symbol = next(iter(account.instruments))
    count = len(await account.fetch_trades(symbol, 0))
    return True, f"the history of {symbol} can be read; {count} on a page"
