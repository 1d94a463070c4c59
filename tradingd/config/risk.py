"""`[risk]`: sizing and limits."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from tradingd.config.fields import (
    ClassPath,
    Count,
    Number,
    Percent,
    Positive,
    Section,
    name_or_class,
    not_a_fraction,
    wrong,
)

__all__ = ["LimitSettings", "RiskSettings", "SizerSettings"]

_NEEDED = {
    "fixed_quantity": "quantity",
    "fixed_notional": "notional",
    "percent_of_equity": "percent",
    "atr_target": "risk_percent",
}
"""Which field each kind of sizer cannot do without."""
_OWN = {kind: frozenset({name}) for kind, name in _NEEDED.items()}
_OWN["atr_target"] |= {"atr_period", "atr_multiple"}
_CUSTOM = frozenset({"params"})


class SizerSettings(Section):
    """`[risk.sizer]`: how much a signal trades. Fields of another kind of sizer than `kind` are refused."""

    kind: Annotated[str, name_or_class(*_NEEDED)] = Field(
        "percent_of_equity", description="How quantities are found, or your own as `package.module:Class`."
    )
    quantity: Positive | None = Field(None, description="fixed_quantity: this many units.")
    notional: Positive | None = Field(None, description="fixed_notional: worth this much, portfolio currency.")
    percent: Annotated[Number, Field(gt=0, le=1000)] | None = Field(
        None, description="percent_of_equity: worth this part of equity; above 100 needs leverage."
    )
    risk_percent: Percent | None = Field(None, description="atr_target: the part of equity put at risk.")
    atr_period: Count = Field(14, description="atr_target: over how many bars the range is averaged.")
    atr_multiple: Positive = Field(Decimal(2), description="atr_target: how many ranges away the stop is.")
    params: dict[str, Any] = Field(default_factory=dict, description="What a sizer of your own is given.")

    @model_validator(mode="before")
    @classmethod
    def _default(cls, values: object) -> object:
        if isinstance(values, Mapping) and "kind" not in values and "percent" not in values:
            return {**values, "percent": Decimal(10)}
        return values

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        foreign = self._foreign()
        problems = [*self._missing(), *(_misplaced(name, self.kind) for name in foreign)]
        if problems:
            raise wrong("; ".join(problems), *foreign[:1])
        return self

    def _missing(self) -> list[str]:
        needed = _NEEDED.get(self.kind)
        if needed is None or getattr(self, needed) is not None:
            return []
        return [f'kind = "{self.kind}" needs "{needed}"']

    def _foreign(self) -> list[str]:
        own = _OWN.get(self.kind, _CUSTOM)
        defaults = type(self).model_fields
        given = {
            name
            for name in self.model_fields_set
            if getattr(self, name) not in (None, {}, defaults[name].default)  # a resolved file names them all
        }
        return sorted(given - own - {"kind"})


def _misplaced(name: str, kind: str) -> str:
    kinds = [other for other, own in _OWN.items() if name in own]
    advice = (
        f'set kind = "{kinds[0]}", or remove it or set it to "none"'
        if kinds
        else "only a sizer of your own takes it"
    )
    return f'"{name}" is not of kind = "{kind}"; {advice}'


# A tenth of a percent is the noise of one spread: whoever writes 0.05 means 5 %.
LossPercent = Annotated[Percent, not_a_fraction("0.1")]
ExposurePercent = Annotated[Number, Field(gt=0, le=100_000), not_a_fraction("0.1")]
HaltName = Literal["no_new", "reduce_only", "cancel_all", "flatten", "halted"]


class LimitSettings(Section):
    """`[risk.limits]`: every limit is off unless set; the text "none" turns off what an earlier file set."""

    max_order_quantity: Positive | None = Field(None, description="Per order, units.")
    max_order_notional: Positive | None = Field(None, description="Per order, portfolio currency.")
    price_collar_percent: Percent | None = Field(
        None,
        description="How far a limit price, or the price a signal was decided on, may be from the latest price.",
    )
    max_position_quantity: Positive | None = Field(None, description="Per symbol, units.")
    max_position_notional: Positive | None = Field(None, description="Per symbol, portfolio currency.")
    max_gross_exposure_percent: ExposurePercent | None = Field(None, description="Longs plus shorts, of equity.")
    max_net_exposure_percent: ExposurePercent | None = Field(None, description="Longs less shorts, of equity.")
    max_leverage: Annotated[Number, Field(gt=0, le=1000)] | None = Field(
        None, description="Exposure as a multiple of equity."
    )
    max_strategy_capital: Positive | None = Field(None, description="Notional per strategy, portfolio currency.")
    max_open_orders: Count | None = Field(None, description="Working orders in all.")
    max_open_orders_per_symbol: Count | None = Field(None, description="Working orders per symbol.")
    max_orders_per_minute: Count | None = Field(None, description="New orders a minute.")
    max_repeats: Count | None = Field(
        None, description="How often an order may be repeated within `repeat_window_s`."
    )
    repeat_window_s: Annotated[Number, Field(gt=0, le=86_400)] = Field(
        Decimal(60), description="The window of `max_repeats`, in seconds."
    )
    daily_loss_percent: LossPercent | None = Field(
        None, description="Of the equity the UTC day began with; more denies entries for the day."
    )
    max_drawdown_percent: LossPercent | None = Field(
        None, description="Below the highest equity ever; more halts (`on_drawdown`)."
    )
    stale_after_s: Annotated[Number, Field(gt=0, le=2_592_000)] | None = Field(
        None, description="No order that could grow a position on a price older than this, in seconds."
    )
    prevent_self_match: bool = Field(True, description="No order that could trade with one of our own.")
    extra: list[ClassPath] = Field(default_factory=list, description="Limits of your own, package.module:Class.")
    on_drawdown: HaltName = Field("reduce_only", description="What the drawdown limit halts to.")
    on_daily_loss: HaltName | None = Field(
        None, description="What the daily loss halts to; unset, entries are denied for the day."
    )

    @model_validator(mode="after")
    def _not_in_vain(self) -> Self:
        if self.on_daily_loss is not None and self.daily_loss_percent is None:
            raise wrong("does nothing without daily_loss_percent; set that, too", "on_daily_loss")
        return self


class RiskSettings(Section):
    """`[risk]`: what may be traded, and how much of it."""

    allow_short: bool = Field(False, description="Whether a position may go below zero.")
    sizer: SizerSettings = Field(default_factory=SizerSettings, description="How much a signal trades.")
    limits: LimitSettings = Field(default_factory=LimitSettings, description="What stops an order.")
