"""The configuration as the kernel's whole numbers; what the kernel does not model is refused, not passed over."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any

from tradingd.config import LimitSettings, Settings
from tradingd.data.series import format_interval
from tradingd.domain.enums import HaltState
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import mul
from tradingd.errors import UsageError
from tradingd.sweep.columns import PriceColumns, digits_of
from tradingd.sweep.records import FIXED_NOTIONAL, FIXED_QUANTITY, OFF, PERCENT_OF_EQUITY, Rules

__all__ = ["Scales", "make_rules", "most_digits", "refuse_unmodelled"]

_PERCENT = Decimal("0.01")
_MINUTE_NS = 60_000_000_000
_RETRY_NS = 5_000_000_000
_SPARE_DIGITS = 8
"""How far beyond the tick closes of too many digits are told."""
_HEADROOM = 64
"""How many times its opening cash an account may become worth, as far as that can be afforded by telling closes to
fewer digits."""
_ROOM = 2**60

_NO_MATTER = frozenset(
    {
        # With one symbol, one strategy and market orders these can refuse nothing: a signal is decided on the
        # latest price, at its time, when no order works.
        "price_collar_percent",
        "stale_after_s",
        "prevent_self_match",
        "max_open_orders",
        "max_open_orders_per_symbol",
        "repeat_window_s",
        "on_drawdown",
        "on_daily_loss",
    }
)
_MODELLED = frozenset(
    {
        "max_order_quantity",
        "max_order_notional",
        "max_position_quantity",
        "max_position_notional",
        "max_strategy_capital",
        "max_gross_exposure_percent",
        "max_net_exposure_percent",
        "max_leverage",
        "daily_loss_percent",
        "max_drawdown_percent",
    }
)
_SIZERS = ("fixed_quantity", "fixed_notional", "percent_of_equity")


class Scales:
    """How many decimal places the kernel's quantities, prices and money have."""

    def __init__(self, settings: Settings, instrument: Instrument, price_digits: int) -> None:
        self.price = price_digits
        self.quantity = digits_of(_step(settings, instrument))
        self.value = self.quantity + self.price + digits_of(instrument.multiplier)
        fee = digits_of(mul(settings.broker.taker_fee_percent, _PERCENT))
        self.money = max(self.value + fee, digits_of(settings.portfolio.initial_cash))

    def to_money(self, units: int) -> Decimal:
        """An amount of the kernel's money."""
        return Decimal(units).scaleb(-self.money)

    def to_quantity(self, units: int) -> Decimal:
        """A quantity of the kernel's."""
        return Decimal(units).scaleb(-self.quantity)

    def to_price(self, units: int) -> Decimal:
        """A price of the kernel's."""
        return Decimal(units).scaleb(-self.price)


def _step(settings: Settings, instrument: Instrument) -> Decimal:
    """What all quantities are multiples of."""
    sizer = settings.risk.sizer
    if sizer.kind == "fixed_quantity" and sizer.quantity is not None:
        return instrument.floor_quantity(sizer.quantity)
    return instrument.lot


def most_digits(settings: Settings, instrument: Instrument) -> int:
    """How many decimal places closes may have, so that the account still fits the kernel's numbers.

    Raises:
        UsageError: it does not even with those of the tick.

    """
    tick = digits_of(instrument.tick)
    scales = Scales(settings, instrument, tick)
    cash = ceil(settings.portfolio.initial_cash)
    if cash * 10**scales.money > _ROOM:
        raise UsageError(
            f"{settings.portfolio.initial_cash} {settings.portfolio.currency} counted to {scales.money} decimal "
            f"places (those of {instrument.symbol}'s lot {instrument.lot} and tick {instrument.tick}, and of the "
            "fee) is more than a sweep's 64-bit numbers hold; use a coarser lot, less cash, or `tradingd backtest`"
        )
    room = len(str(_ROOM // _HEADROOM // cash)) - 1
    return tick + max(0, min(_SPARE_DIGITS, room - scales.money))


# --- what is refused ---------------------------------------------------------------------------------------


def refuse_unmodelled(settings: Settings, instrument: Instrument, interval_ns: int) -> None:
    """Refuse what the kernel does not simulate exactly as the event engine does.

    Raises:
        UsageError: all of it, in one message.

    """
    problems = [
        *(["data.actions: splits and dividends"] if settings.data.actions else []),
        *_broker_problems(settings),
        *_instrument_problems(settings, instrument),
        *_sizer_problems(settings),
        *_limit_problems(settings.risk.limits, interval_ns),
    ]
    if problems:
        raise UsageError(
            "a sweep does not simulate " + "; nor ".join(problems) + ". Take it out of the configuration "
            "(--set section.key=none), or use `tradingd backtest`"
        )


def _broker_problems(settings: Settings) -> Iterator[str]:
    broker = settings.broker
    if broker.kind != "simulated":
        yield f"broker.kind = {broker.kind!r}"
    unknown = sorted(set(type(broker).model_fields) - _BROKER)
    yield from _differing(broker, unknown, "broker")
    if broker.account == "margin" and broker.maintenance_margin_percent != 0:
        yield "the liquidation of a margin account (broker.maintenance_margin_percent = 0 turns it off)"
    unknown = sorted(set(type(settings.risk).model_fields) - {"allow_short", "sizer", "limits"})
    yield from _differing(settings.risk, unknown, "risk")
    unknown = sorted(set(type(settings).model_fields) - _SECTIONS)
    yield from _differing(settings, unknown, "the section")


_SECTIONS = frozenset(
    {
        "run",
        "data",
        "instruments",
        "strategies",
        "portfolio",
        "broker",
        "risk",
        "execution",  # names of orders
        "runtime",  # a sweep has no loop
        "logging",
        "accounts",  # a sweep trades nowhere
        "credentials",
    }
)
_BROKER = frozenset(
    {
        "kind",
        "venue",
        "account",
        "leverage",
        "maker_fee_percent",  # market orders pay the taker's
        "taker_fee_percent",
        "slippage_bps",
        "limit_fill",  # there are no limit orders
        "maintenance_margin_percent",
    }
)


def _differing(section: Any, names: list[str], path: str) -> Iterator[str]:  # noqa: ANN401 - any settings model
    """Those of a section's keys that this file does not know and that are not left at their defaults."""
    for name in names:
        value = getattr(section, name)
        if value != type(section).model_fields[name].get_default(call_default_factory=True):
            yield f"{path}.{name} = {value}"


def _instrument_problems(settings: Settings, instrument: Instrument) -> Iterator[str]:
    if instrument.kind.is_contract:
        yield f"contracts such as {instrument.symbol} (kind {instrument.kind})"
    if instrument.settle != settings.portfolio.currency:
        yield f"{instrument.symbol}, which is settled in {instrument.settle}, not in portfolio.currency"


def _sizer_problems(settings: Settings) -> Iterator[str]:
    kind = settings.risk.sizer.kind
    if kind not in _SIZERS:
        yield f"risk.sizer.kind = {kind!r} (it does {', '.join(_SIZERS)})"


def _limit_problems(limits: LimitSettings, interval_ns: int) -> Iterator[str]:
    names = sorted(set(LimitSettings.model_fields) - _NO_MATTER - _MODELLED)
    if interval_ns >= _MINUTE_NS:
        names.remove("max_orders_per_minute")  # one order a bar never exceeds it
    yield from _differing(limits, names, "risk.limits")
    halts = {limits.on_daily_loss, limits.on_drawdown if limits.max_drawdown_percent is not None else None}
    if "flatten" in halts and interval_ns < _RETRY_NS:
        yield f"a halt that flattens, on bars of {format_interval(interval_ns)}"


# --- what is counted ---------------------------------------------------------------------------------------


def make_rules(settings: Settings, instrument: Instrument, scales: Scales, prices: PriceColumns) -> Rules:
    """The rules of a sweep whose configuration has passed `refuse_unmodelled`.

    Raises:
        UsageError: the figures do not fit the kernel's numbers.

    """
    rules = Rules(
        cash=_down(settings.portfolio.initial_cash, scales.money),
        sizer=_SIZER_CODES[settings.risk.sizer.kind],
        size=_size(settings, instrument, scales),
        allow_short=settings.risk.allow_short,
        margin=settings.broker.account == "margin",
        daily_halt=_halt(settings.risk.limits.on_daily_loss),
        drawdown_halt=_halt(settings.risk.limits.on_drawdown),
        **_scale_factors(settings, instrument, scales),
        **_venue_filters(instrument, scales),
        **_most(settings.risk.limits, scales),
        **_shares(settings),
    )
    _refuse_large(rules, prices, instrument)
    return rules


def _scale_factors(settings: Settings, instrument: Instrument, scales: Scales) -> dict[str, int]:
    """What a unit of quantity at a unit of price comes to."""
    to_value = 10 ** (scales.money - scales.value)
    multiplier = int(instrument.multiplier.scaleb(digits_of(instrument.multiplier)))
    fee = Fraction(settings.broker.taker_fee_percent) / 100
    return {
        "multiplier": multiplier,
        "to_value": to_value,
        "value_scale": multiplier * to_value,
        "fee_scale": int(fee * multiplier * to_value),  # whole: money has all digits of the fee
    }


def _venue_filters(instrument: Instrument, scales: Scales) -> dict[str, int]:
    return {
        "lot": _down(instrument.lot, scales.quantity) or 1,  # a fixed quantity may have fewer digits than the lot
        "min_quantity": max(1, _up(instrument.min_quantity, scales.quantity)),
        "max_quantity": _down(instrument.max_quantity, scales.quantity),
        "min_notional": _up(instrument.min_notional, scales.money),
        "max_notional": _down(instrument.max_notional, scales.money),
    }


def _most(limits: LimitSettings, scales: Scales) -> dict[str, int]:
    """The limits that are amounts."""
    return {
        "max_order_quantity": _down(limits.max_order_quantity, scales.quantity),
        "max_order_notional": _down(limits.max_order_notional, scales.money),
        "max_position_quantity": _down(limits.max_position_quantity, scales.quantity),
        "max_position_notional": _down(limits.max_position_notional, scales.money),
        "max_capital": _down(limits.max_strategy_capital, scales.money),
    }


def _shares(settings: Settings) -> dict[str, int]:
    """What is a share of equity, or a multiple of it; one that is not set is 1 / 0."""
    limits, hundredth = settings.risk.limits, Fraction(1, 100)
    given: dict[str, tuple[Decimal | None, Fraction]] = {
        "size_share": (settings.risk.sizer.percent, hundredth),
        "leverage": (settings.broker.leverage, Fraction(1)),
        "gross": (limits.max_gross_exposure_percent, hundredth),
        "max_leverage": (limits.max_leverage, Fraction(1)),
        "net": (limits.max_net_exposure_percent, hundredth),
        "daily_loss": (limits.daily_loss_percent, hundredth),
        "drawdown": (limits.max_drawdown_percent, hundredth),
    }
    found: dict[str, int] = {}
    for name, (value, unit) in given.items():
        share = None if value is None else Fraction(value) * unit
        found[f"{name}_of"], found[f"{name}_in"] = (1, 0) if share is None else share.as_integer_ratio()
    return found


_SIZER_CODES: Mapping[str, int] = {
    "fixed_quantity": FIXED_QUANTITY,
    "fixed_notional": FIXED_NOTIONAL,
    "percent_of_equity": PERCENT_OF_EQUITY,
}


def _size(settings: Settings, instrument: Instrument, scales: Scales) -> int:
    sizer = settings.risk.sizer
    if sizer.kind == "fixed_quantity" and sizer.quantity is not None:
        return _down(instrument.floor_quantity(sizer.quantity), scales.quantity)
    return _down(sizer.notional, scales.value) if sizer.kind == "fixed_notional" else 0


def _refuse_large(rules: Rules, prices: PriceColumns, instrument: Instrument) -> None:
    """Refuse factors whose products the kernel could not hold before it can check them."""
    highest = int(max(prices.closes.max(), prices.buys.max())) + 1
    fields = rules._asdict()
    products = [fields[name] * fields[f"{name[:-3]}_in"] for name in fields if name.endswith("_of")]
    products.append(highest * (rules.value_scale + abs(rules.fee_scale)))
    if max(products) >= _ROOM or rules.cash > _ROOM:
        raise UsageError(
            f"the prices of {instrument.symbol}, or the configured percentages, have more digits than a sweep's "
            "64-bit numbers hold; round them, or use `tradingd backtest`"
        )


def _down(value: Decimal | None, digits: int) -> int:
    """A number in units of 10**-digits, rounded down; one that is not set, or out of reach, is OFF."""
    return OFF if value is None else min(OFF, floor(Fraction(value) * 10**digits))


def _up(value: Decimal, digits: int) -> int:
    scaled: int = ceil(Fraction(value) * 10**digits)
    return min(OFF, scaled)


def _halt(name: str | None) -> int:
    return 0 if name is None else int(HaltState[name.upper()].value)
