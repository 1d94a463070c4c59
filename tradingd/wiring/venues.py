"""Accounts as the configuration has them, made into what the wrapping of ccxt takes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tradingd.config import AccountSettings, CredentialSettings, Settings
from tradingd.errors import CredentialsError
from tradingd.venues.settings import Credentials, VenueSettings

__all__ = ["venue_credentials", "venue_settings"]


def venue_settings(name: str, account: AccountSettings) -> VenueSettings:
    """Where an account is, and what it trades there."""
    return VenueSettings(
        name=name,
        exchange=account.exchange,
        environment=account.environment,
        loopback_url=account.loopback_url or "",
        market_types=tuple(account.market_types),
        order_timeout_s=float(account.order_timeout_s),
        options=_plain(account.options),
        urls=_plain(account.urls),
    )


def venue_credentials(settings: Settings, account: str) -> Credentials:
    """An account's keys.

    Raises:
        CredentialsError: this run has none for it; only live trading has keys, for the accounts that it names.

    """
    keys = settings.credentials.get(account)
    if keys is None:
        raise CredentialsError(f"there are no keys of {account!r} in this run; name it in run.accounts")
    revealed = {name: getattr(keys, name) for name in CredentialSettings.model_fields}
    return Credentials(**{name: key.get_secret_value() for name, key in revealed.items() if key is not None})


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as ccxt takes them: its numbers are floats."""
    return {name: _plain_value(value) for name, value in options.items()}


def _plain_value(value: Any) -> Any:  # noqa: ANN401 - whatever an option is
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, list):
        return [_plain_value(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value
