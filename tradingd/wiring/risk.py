"""Sizer and limits, made from their settings."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tradingd.config import LimitSettings, RiskSettings, SizerSettings
from tradingd.domain.enums import HaltState
from tradingd.domain.loading import construct, load_class
from tradingd.domain.ports import InstrumentLookup
from tradingd.errors import ConfigError
from tradingd.risk import limits as risk_limits
from tradingd.risk.sizing import (
    AtrTargetSizer,
    FixedNotionalSizer,
    FixedQuantitySizer,
    PercentOfEquitySizer,
    PositionSizer,
)
from tradingd.strategy.indicators import ATR

__all__ = ["make_limits", "make_sizer"]


def make_sizer(sizer: SizerSettings, instruments: InstrumentLookup) -> PositionSizer:
    """The sizer that the settings name.

    Raises:
        ConfigError: it is the user's own, and cannot be made.

    """
    match sizer.kind:
        case "fixed_quantity":
            return FixedQuantitySizer(_needed(sizer.quantity), instruments)
        case "fixed_notional":
            return FixedNotionalSizer(_needed(sizer.notional), instruments)
        case "percent_of_equity":
            return PercentOfEquitySizer(_needed(sizer.percent), instruments)
        case "atr_target":
            return AtrTargetSizer(
                _needed(sizer.risk_percent),
                multiple=sizer.atr_multiple,
                make_atr=lambda: ATR(sizer.atr_period),
                instruments=instruments,
            )
        case path:
            custom: PositionSizer = _custom(path, "position sizer", "calculate_position_size", sizer.params)
            return custom


def _needed(value: Decimal | None) -> Decimal:
    """A sizer's field; the settings have checked that it is there."""
    if value is None:
        raise ConfigError("risk.sizer: a needed field is missing")
    return value


def _custom(path: str, what: str, method: str, params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a user's class
    """An object of a user's class that has the method it will be called by."""
    cls = load_class(path, object, what)
    if not callable(getattr(cls, method, None)):
        raise ConfigError(f"{what} {path!r} has no method {method!r}")
    return construct(cls, f"{what} {path!r}", params)


def make_limits(risk: RiskSettings) -> list[risk_limits.Limit]:
    """The limits in the order in which they are asked: cheap and telling ones first."""
    chosen = risk.limits
    found: list[risk_limits.Limit] = [risk_limits.InstrumentFilters(), risk_limits.ReduceOnly()]
    if not risk.allow_short:
        found.append(risk_limits.NoShort())
    if chosen.prevent_self_match:
        found.append(risk_limits.SelfMatch())
    found += [make(value) for name, make in _SIMPLE_LIMITS.items() if (value := getattr(chosen, name)) is not None]
    if chosen.max_open_orders is not None or chosen.max_open_orders_per_symbol is not None:
        found.append(risk_limits.MaxOpenOrders(chosen.max_open_orders, chosen.max_open_orders_per_symbol))
    if chosen.max_repeats is not None:
        found.append(risk_limits.RepeatedOrders(chosen.max_repeats, chosen.repeat_window_s))
    found += _loss_limits(chosen)
    return found + [_custom(path, "limit", "check", {}) for path in chosen.extra]


_SIMPLE_LIMITS: Mapping[str, Callable[[Any], risk_limits.Limit]] = {
    "stale_after_s": risk_limits.StaleData,
    "price_collar_percent": risk_limits.PriceCollar,
    "max_order_quantity": risk_limits.MaxOrderQuantity,
    "max_order_notional": risk_limits.MaxOrderNotional,
    "max_orders_per_minute": risk_limits.OrderRate,
    "max_position_quantity": risk_limits.MaxPositionQuantity,
    "max_position_notional": risk_limits.MaxPositionNotional,
    "max_strategy_capital": risk_limits.MaxStrategyCapital,
    "max_gross_exposure_percent": risk_limits.MaxGrossExposure,
    "max_net_exposure_percent": risk_limits.MaxNetExposure,
    "max_leverage": risk_limits.MaxLeverage,
}


def _loss_limits(chosen: LimitSettings) -> list[risk_limits.Limit]:
    found: list[risk_limits.Limit] = []
    if chosen.daily_loss_percent is not None:
        state = None if chosen.on_daily_loss is None else HaltState[chosen.on_daily_loss.upper()]
        found.append(risk_limits.DailyLoss(chosen.daily_loss_percent, state))
    if chosen.max_drawdown_percent is not None:
        state = HaltState[chosen.on_drawdown.upper()]
        found.append(risk_limits.MaxDrawdown(chosen.max_drawdown_percent, state))
    return found
