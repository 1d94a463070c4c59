"""The start-up checks of a run's accounts: those of the venue, and the configuration against what it says."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tradingd.config import AccountSettings, Settings
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ZERO
from tradingd.errors import NotReadyError
from tradingd.venues.account import make_account
from tradingd.venues.checks import CheckResult, check_account, check_public
from tradingd.venues.model import VenueTraits
from tradingd.venues.public import make_public
from tradingd.wiring.venues import venue_credentials, venue_settings

__all__ = ["Finding", "check_accounts", "limits_against_filters", "refuse_failures"]


class Finding(msgspec.Struct, frozen=True):
    """What a check of an account found."""

    account: str
    name: str
    ok: bool
    reason: str
    is_warning: bool = False
    """Whether it is worth a look although it keeps nobody from trading."""


async def check_accounts(settings: Settings) -> list[Finding]:
    """Check every account of a run at its venue, by connections of its own.

    A run that has no keys is checked for what its market data needs.

    Raises:
        ConfigError: ccxt has no such exchange, or not in this environment.

    """
    return [
        Finding(name, found.name, found.ok, found.reason, found.is_warning)
        for name in settings.run.accounts
        for found in await _check(settings, name)
    ]


async def _check(settings: Settings, name: str) -> list[CheckResult]:
    configured = settings.accounts[name]
    where = venue_settings(name, configured)
    symbols = [symbol for symbol, (account, _) in settings.symbols.items() if account == name]
    public = make_public(where)
    live = settings.run.mode == "live"
    account = make_account(where, venue_credentials(settings, name), public) if live else None
    try:
        found = await check_public(public, symbols)
        if not all(each.ok for each in found):
            return found
        found += limits_against_filters(settings, public.instruments.values())
        if account is not None:
            found += dead_man_exists(configured, account.traits)
            needs = [(settings.portfolio.currency, settings.risk.limits.max_order_notional or ZERO)]
            found += await check_account(account, needs=needs, may_withdraw=configured.allow_withdrawal_keys)
        return found
    finally:
        if account is not None:
            await account.close()
        await public.close()


def dead_man_exists(account: AccountSettings, traits: VenueTraits) -> Iterator[CheckResult]:
    """Where the configuration asks for a dead-man switch that the venue does not have."""
    if account.dead_man_s is not None and not traits.dead_man:
        reason = f"{account.exchange} has no dead-man switch; take dead_man_s out"
        yield CheckResult("dead man", ok=False, reason=reason)


def limits_against_filters(settings: Settings, instruments: Iterable[Instrument]) -> Iterator[CheckResult]:
    """Where the limits let no order through that the venue takes: nothing would ever trade.

    Compared is what is paid in the currency that limits are counted in.
    """
    most, currency = settings.risk.limits.max_order_notional, settings.portfolio.currency
    for each in instruments:
        if most is None or each.settle != currency or each.min_notional <= most:
            continue
        reason = (
            f"the venue takes no order below {each.min_notional} {currency}, and risk.limits.max_order_notional "
            f"is {most}; raise it"
        )
        yield CheckResult(f"limits {each.symbol}", ok=False, reason=reason)


def refuse_failures(results: Sequence[Finding]) -> None:
    """Refuse to trade where a check failed.

    Raises:
        NotReadyError: one has; the message has a line each.

    """
    failed = [f"{each.account}: {each.name}: {each.reason}" for each in results if not each.ok]
    if failed:
        raise NotReadyError("\n".join(failed))
