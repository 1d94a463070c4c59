"""What live trading asks for, and what means nothing in a mode: checks across tables."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from tradingd.config import fields
from tradingd.config.hints import nearest_hint

if TYPE_CHECKING:
    from tradingd.config.accounts import AccountSettings
    from tradingd.config.settings import Settings

__all__ = ["MANDATORY_LIMITS", "problem_of", "with_defaults_of_mode"]

MANDATORY_LIMITS = (
    ("max_order_notional",),
    ("max_position_notional", "max_position_quantity"),
    ("max_gross_exposure_percent", "max_leverage"),
    ("price_collar_percent",),
    ("stale_after_s",),
    ("max_orders_per_minute",),
    ("daily_loss_percent",),
    ("max_drawdown_percent",),
)
"""`risk.limits` that live trading does not begin without: one of each group."""

_RECORDED_ONLY = frozenset({"start", "end", "prices", "files", "actions"})


_IMPLIED: tuple[tuple[str, str, Any], ...] = (
    ("broker", "kind", "ccxt"),
    ("data", "feed", "live"),
    ("runtime", "on_stop", "keep_protective"),
    ("runtime", "stop_timeout_s", 10),
)
"""What live trading is where nothing is said."""


def with_defaults_of_mode(values: Mapping[str, Any]) -> dict[str, Any]:
    """The tree with what the mode implies where nothing is said."""
    tree = dict(values)
    if _said(tree, "run", "mode") != "live":
        return tree
    for table, key, implied in _IMPLIED:
        section = tree.get(table)
        if section is None or (isinstance(section, Mapping) and key not in section):
            tree[table] = {**(section or {}), key: implied}
    return tree


def _said(tree: Mapping[str, Any], table: str, key: str) -> object:
    section = tree.get(table)
    return section.get(key) if isinstance(section, Mapping) else getattr(section, key, None)


def _wrong(message: str, *path: str) -> PydanticCustomError:
    """A problem of the mode: the value itself may be right, so that its unit is no advice."""
    return fields.wrong(message, *path, kind="mode")


def problem_of(settings: "Settings") -> PydanticCustomError | None:
    """The first thing that does not fit the mode, None where all does."""
    checks = (_mode, _accounts, _feed, _money, _broker, _limits)
    return next((found for check in checks for found in check(settings)), None)


def _mode(settings: "Settings") -> Iterator[PydanticCustomError]:
    mode, feed, broker = settings.run.mode, settings.data.feed, settings.broker.kind
    if mode == "live" and feed != "live":
        yield _wrong('live trading needs live data; remove it, or set run.mode = "paper"', "data", "feed")
    if mode == "backtest" and feed == "live":
        yield _wrong('a backtest replays recorded data; set data.feed = "replay"', "data", "feed")
    if mode == "live" and broker != "ccxt":
        yield _wrong(
            'live trading sends orders to the exchanges of run.accounts; remove it, or set run.mode = "paper"',
            *("broker", "kind"),
        )
    if mode != "live" and broker == "ccxt":
        yield _wrong(
            f'a {mode} run sends no orders to an exchange; remove it, or set run.mode = "live"', "broker", "kind"
        )


def _accounts(settings: "Settings") -> Iterator[PydanticCustomError]:
    chosen, known = settings.run.accounts, settings.accounts
    path = ("run", "accounts")
    needed = settings.data.feed == "live"
    if needed and not chosen:
        what = "may trade" if settings.run.mode == "live" else "give the market data"
        example = next(iter(known), "main")
        yield _wrong(f'name the accounts that {what}, for example accounts = ["{example}"]', *path)
    for account in chosen if needed else ():
        if account not in known:
            yield _wrong(f"there is no [accounts.{account}]; {_hint(account, known)}", *path)
        elif known[account].environment == "loopback" and not _is_reachable(known[account]):
            yield _wrong(
                'environment = "loopback" needs its url; `tradingd rehearse` sets it by itself',
                *("accounts", account, "loopback_url"),
            )


def _is_reachable(account: "AccountSettings") -> bool:
    """Whether it is said where an account on the loopback is."""
    return account.loopback_url is not None or bool(account.urls)


def _hint(account: str, known: Mapping[str, object]) -> str:
    if not known:
        return f'write one: [accounts.{account}], exchange = "binance", environment = "sandbox", symbols = [...]'
    return nearest_hint(account, known)


def _feed(settings: "Settings") -> Iterator[PydanticCustomError]:
    if settings.data.feed == "live":
        for key in sorted(_set(settings.data) & _RECORDED_ONLY):
            yield _wrong('is of recorded data, and does nothing with data.feed = "live"; remove it', "data", key)


def _money(settings: "Settings") -> Iterator[PydanticCustomError]:
    if settings.run.mode == "live" and "initial_cash" in _set(settings.portfolio):
        yield _wrong("live trading begins with what the accounts hold; remove it", "portfolio", "initial_cash")


def _broker(settings: "Settings") -> Iterator[PydanticCustomError]:
    if settings.run.mode != "live":
        return
    for key in sorted(_set(settings.broker) - {"kind"}):
        yield _wrong(
            "describes the simulated exchange; live, the exchange itself says what it takes and costs: remove it",
            *("broker", key),
        )


def _limits(settings: "Settings") -> Iterator[PydanticCustomError]:
    if settings.run.mode != "live":
        return
    limits = settings.risk.limits
    missing = [
        " or ".join(group) for group in MANDATORY_LIMITS if all(getattr(limits, name) is None for name in group)
    ]
    if missing:
        yield _wrong(
            f"live trading does not begin without {', '.join(missing)}; set each of them (docs/risk.md)",
            *("risk", "limits"),
        )


def _set(section: BaseModel) -> set[str]:
    """The keys that say something else than their defaults; a resolved file names them all."""
    return {
        name
        for name in section.model_fields_set
        if getattr(section, name) != type(section).model_fields[name].get_default(call_default_factory=True)
    }
