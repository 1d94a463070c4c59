"""The start-up checks of a run's accounts: those of the venue, and the configuration against what it says."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import msgspec

from tradingd.config import AccountSettings, Settings
from tradingd.domain.instrument import Instrument
from tradingd.errors import NotReadyError
from tradingd.venues.account import CcxtAccount
from tradingd.venues.checks import CheckResult, check_account, check_public
from tradingd.venues.model import VenueTraits
from tradingd.venues.public import PublicVenue

__all__ = ["Finding", "check_venue", "fits_filters", "refuse_failures"]


class Finding(msgspec.Struct, frozen=True):
    """What a check of an account found."""

    account: str
    check: str
    ok: bool
    reason: str
    is_warning: bool = False
    """Whether it is worth a look although it keeps nobody from trading."""


async def check_venue(
    settings: Settings, name: str, public: PublicVenue, account: CcxtAccount | None
) -> list[Finding]:
    """Check the venue of an account, and where `account` is given, what trading needs; opens both."""
    configured = settings.accounts[name]
    found = await check_public(public, configured.symbols)
    if not all(each.ok for each in found):
        return [_finding(name, each) for each in found]
    if account is not None:
        needs = [(settings.portfolio.currency, _least_cash(settings))]
        found += await check_account(account, needs=needs, may_withdraw=configured.allow_withdrawal_keys)
        found += dead_man_fits(configured, account.traits)
    found += fits_filters(settings, public.instruments.values())
    return [_finding(name, each) for each in found]


def _finding(account: str, found: CheckResult) -> Finding:
    return Finding(account, found.name, found.ok, found.reason, found.is_warning)


def _least_cash(settings: Settings) -> Decimal:
    return settings.risk.limits.max_order_notional or Decimal(0)


def dead_man_fits(account: AccountSettings, traits: VenueTraits) -> Iterator[CheckResult]:
    """Whether the venue has the dead-man switch that the configuration asks for."""
    if account.dead_man_s is not None and not traits.dead_man:
        reason = f"{account.exchange} has no dead-man switch; remove dead_man_s"
        yield CheckResult("dead man", ok=False, reason=reason)


def fits_filters(settings: Settings, instruments: Iterable[Instrument]) -> Iterator[CheckResult]:
    """Whether the limits let any order through that the venue takes.

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


def refuse_failures(findings: Sequence[Finding]) -> None:
    """Refuse to trade where a check failed.

    Raises:
        NotReadyError: one has; the message has a line each.

    """
    failed = [f"{each.account}: {each.check}: {each.reason}" for each in findings if not each.ok]
    if failed:
        raise NotReadyError("\n".join(failed))
