"""`[accounts.<id>]`: who trades where, and what; and the names of its symbols in a run."""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from tradingd.config.fields import Number, Section, Symbol, Text, matching, wrong

__all__ = ["AccountSettings", "Environment", "MarketType", "market_type_of", "run_symbols"]

Environment = Literal["production", "sandbox", "demo", "loopback"]
MarketType = Literal["spot", "swap", "future", "option"]

_UNIFIED = re.compile(r"[^\s/:@-]+/[^\s/:@-]+(?P<settle>:[^\s/:@-]+(?P<expiry>-\d{6}(?P<strike>-[\d.]+-[CP])?)?)?")
"""ccxt's unified symbols: BTC/USDT, BTC/USDT:USDT, BTC/USDT:USDT-261225, BTC/USDT:USDT-261225-60000-C."""

_HTTP, _SOCKETS = frozenset({"http", "https"}), frozenset({"ws", "wss"})

_OURS = frozenset({"maxRetriesOnFailure", "maxRetriesOnFailureDelay"})
"""Options of ccxt that make it send an order twice; see docs/go-live.md."""


def market_type_of(symbol: str) -> MarketType | None:
    """What a unified symbol is by its form; None where it is none."""
    match = _UNIFIED.fullmatch(symbol)
    if match is None:
        return None
    if match["strike"]:
        return "option"
    if match["expiry"]:
        return "future"
    return "swap" if match["settle"] else "spot"


class AccountSettings(Section):
    """`[accounts.<id>]`: an account at an exchange; its keys are `[credentials.<id>]`. `run.accounts` uses it."""

    exchange: Annotated[
        str,
        AfterValidator(
            matching(r"[a-z][a-z0-9]{1,31}", "must be ccxt's id of an exchange, such as binance or krakenfutures")
        ),
    ] = Field(description="ccxt's id of the exchange; `tradingd exchanges` lists them.")
    environment: Environment = Field(
        description="production is real money; sandbox and demo are the exchange's own test venues, loopback is "
        "`tradingd rehearse`'s. Never guessed."
    )
    loopback_url: Text | None = Field(
        None, description="loopback: where it listens, such as http://127.0.0.1:8799. It serves what ccxt asks for."
    )
    urls: dict[str, Any] = Field(
        default_factory=dict,
        description="loopback: ccxt's urls for the exchange where loopback_url does not say it, such as "
        '{ api = { rest = "http://127.0.0.1:8799" } }.',
    )
    market_types: list[MarketType] = Field(
        ["spot"], min_length=1, description="What of the exchange's markets is loaded."
    )
    symbols: list[Symbol] = Field(
        min_length=1,
        description="All that this account may trade and streams, in ccxt's form: BTC/USDT, BTC/USDT:USDT. Where "
        "several accounts of a run have one, strategies name it BTC/USDT@account.",
    )
    order_timeout_s: Annotated[Number, Field(gt=0, le=5)] = Field(
        Decimal(5), description="How long an order's request may take; then its outcome is looked for."
    )
    dead_man_s: Annotated[Number, Field(ge=5, le=3600)] | None = Field(
        None,
        description="The exchange cancels all orders, protective stops too, so long after it last heard of us; "
        "unset, never. Not every exchange can.",
    )
    allow_withdrawal_keys: bool = Field(False, description="Whether a key that may withdraw is accepted.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of ccxt for this exchange, given to it as they are."
    )

    @field_validator("symbols", "market_types")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        twice = next((each for number, each in enumerate(value) if each in value[:number]), None)
        if twice is not None:
            raise wrong(f"{twice} is given twice; remove one")
        return value

    @field_validator("options")
    @classmethod
    def _safe(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in sorted(_OURS & value.keys()):
            raise wrong(f"{name} would send an order a second time where its outcome is not known; remove it")
        return value

    @model_validator(mode="after")
    def _loopback(self) -> Self:
        told = {"loopback_url": (self.loopback_url, _HTTP), "urls": (self.urls, _HTTP | _SOCKETS)}
        for name, (value, schemes) in told.items():
            if value and self.environment != "loopback":
                raise wrong(f'does nothing with environment = "{self.environment}"; remove it', name)
            if value and not all(_is_loopback(url, schemes) for url in _texts(value)):
                kinds = "http(s)://" if schemes == _HTTP else "http(s):// or ws(s)://"
                raise wrong(f"must be {kinds} and an address of this machine, such as 127.0.0.1:8799", name)
        return self

    @model_validator(mode="after")
    def _of_its_markets(self) -> Self:
        for symbol in self.symbols:
            found = market_type_of(symbol)
            if found is None:
                raise wrong(
                    f"{symbol} is not in ccxt's form; write BASE/QUOTE (spot) or BASE/QUOTE:SETTLE (swap), "
                    "such as BTC/USDT or BTC/USDT:USDT",
                    "symbols",
                )
            if found not in self.market_types:
                raise wrong(
                    f'{symbol} is of the {found} market; add "{found}" to market_types, or '
                    f"{_other_form(symbol, found)}",
                    "symbols",
                )
        return self


def _other_form(symbol: str, found: MarketType) -> str:
    base, _, rest = symbol.partition("/")
    quote = rest.partition(":")[0]
    other = f"{base}/{quote}:{quote} for the swap" if found == "spot" else f"{base}/{quote} for spot"
    return f"write {other}"


def _texts(value: object) -> Iterator[str]:
    """The addresses in ccxt's urls; whatever else is in them is no address."""
    if isinstance(value, Mapping):
        for entry in value.values():
            yield from _texts(entry)
    else:
        yield str(value)


def _is_loopback(url: str, schemes: Set[str]) -> bool:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if parts.scheme not in schemes or not port or parts.username is not None:
        return False
    return host == "localhost" or _is_loopback_address(host)


def _is_loopback_address(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run_symbols(accounts: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, str]]:
    """By its name in the run, the account and the exchange's symbol of all that the accounts trade.

    A symbol of one account keeps its name; where several have it, each is `symbol@account`.
    """
    owners: dict[str, list[str]] = {}
    for account, symbols in accounts.items():
        for symbol in symbols:
            owners.setdefault(symbol, []).append(account)
    return {
        symbol if len(who) == 1 else f"{symbol}@{account}": (account, symbol)
        for symbol, who in owners.items()
        for account in who
    }
