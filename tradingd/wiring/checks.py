"""The start-up checks of a run's accounts: those of the venue, and the configuration against what it says."""

from collections.abc import Iterable, Iterator, Sequence

from tradingd.config import Settings
from tradingd.domain.instrument import Instrument
from tradingd.errors import NotReadyError
from tradingd.venues.account import make_account
from tradingd.venues.checks import CheckResult, Expectation, check_opened, check_public
from tradingd.venues.public import make_public
from tradingd.wiring.venues import venue_credentials, venue_settings

__all__ = ["check_accounts", "limits_against_filters", "refuse_failures"]


async def check_accounts(settings: Settings) -> list[CheckResult]:
    """Check every account of a run at its venue, by connections of its own.

    A run that has no keys is checked for what its market data needs.

    Raises:
        ConfigError: ccxt has no such exchange, or not in this environment.

    """
    return [result for name in settings.run.accounts for result in await _check(settings, name)]


async def _check(settings: Settings, name: str) -> list[CheckResult]:
    where = venue_settings(name, settings.accounts[name])
    symbols = [symbol for symbol, (account, _) in settings.symbols.items() if account == name]
    public = make_public(where)
    live = settings.run.mode == "live"
    account = make_account(where, venue_credentials(settings, name), public) if live else None
    try:
        found = await check_public(public, symbols)
        if not all(each.ok for each in found):
            return found
        found += limits_against_filters(settings, name, public.instruments.values())
        if account is not None:
            found += await check_opened(account, _expected(settings, name))
        return found
    finally:
        if account is not None:
            await account.close()
        await public.close()


def _expected(settings: Settings, name: str) -> Expectation:
    account, dead_man_s = settings.accounts[name], settings.accounts[name].dead_man_s
    return Expectation(
        symbols=tuple(account.symbols),
        allow_withdrawal_keys=account.allow_withdrawal_keys,
        dead_man_s=None if dead_man_s is None else float(dead_man_s),
        max_order_notional=settings.risk.limits.max_order_notional,
        currency=settings.portfolio.currency,
    )


def limits_against_filters(
    settings: Settings, account: str, instruments: Iterable[Instrument]
) -> Iterator[CheckResult]:
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
        yield CheckResult(account, f"limits {each.symbol}", ok=False, reason=reason)


def refuse_failures(results: Sequence[CheckResult]) -> None:
    """Refuse to trade where a check failed.

    Raises:
        NotReadyError: one has; the message has a line each.

    """
    failed = [f"{each.account}: {each.name}: {each.reason}" for each in results if not each.ok]
    if failed:
        raise NotReadyError("\n".join(failed))
