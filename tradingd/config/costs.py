"""`[broker.fees]` and `[broker.slippage]`: what trading costs at the simulated exchange."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from tradingd.config.fields import (
    Count,
    NotNegative,
    Number,
    Percent,
    Positive,
    Section,
    Text,
    name_or_class,
    not_a_fraction,
    wrong,
)

__all__ = ["FeePercent", "FeeSettings", "SlippageSettings", "TakerPercent", "TierSettings"]

FeePercent = Annotated[Number, Field(ge=-1, le=10)]
# A tenth of a basis point is no taker fee anywhere; 0.001 is how 0.1 % is written as a fraction.
TakerPercent = Annotated[FeePercent, not_a_fraction("0.002")]
_Bps = Annotated[Number, Field(ge=0, le=1000)]

_RATES = frozenset({"maker_percent", "taker_percent"})
_FEE_FIELDS: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "maker_taker": _RATES,
    "fixed": frozenset({"per_order"}),
    "per_share": frozenset({"per_share", "minimum", "maximum_percent"}),
    "tiered": frozenset({"tiers"}),
    "third_coin": _RATES | {"coin", "coin_symbol", "discount_percent"},
}
_FEE_NEEDS = {"fixed": "per_order", "per_share": "per_share", "tiered": "tiers", "third_coin": "coin"}
_SLIPPAGE_FIELDS: Mapping[str, frozenset[str]] = {
    "none": frozenset(),
    "bps": frozenset({"bps"}),
    "half_spread": frozenset({"spread_bps"}),
    "square_root": frozenset({"coefficient", "window", "fallback_bps", "max_percent"}),
}
_SLIPPAGE_NEEDS = {"half_spread": "spread_bps", "square_root": "fallback_bps"}
_CUSTOM = frozenset({"params"})


class TierSettings(Section):
    """`[[broker.fees.tiers]]`: the rates from a trailing volume on."""

    volume: NotNegative = Field(
        description="Traded before in 30 UTC days, settlement currency, for these rates to hold."
    )
    maker_percent: FeePercent = Field(description="Negative is a rebate.")
    taker_percent: TakerPercent = Field(description="Percent of the notional.")


class FeeSettings(Section):
    """`[broker.fees]`: what fills cost. Fields of another kind than `kind` are refused."""

    kind: Annotated[str, name_or_class(*_FEE_FIELDS)] = Field(
        "maker_taker",
        description="none, maker_taker, fixed, per_share, tiered, third_coin, or your own class or function as "
        "`package.module:Name`; see docs/simulation.md.",
    )
    maker_percent: FeePercent | None = Field(
        None, description="maker_taker, third_coin: negative is a rebate; unset, `broker.maker_fee_percent`."
    )
    taker_percent: TakerPercent | None = Field(
        None, description="maker_taker, third_coin: unset, `broker.taker_fee_percent`."
    )
    per_order: NotNegative | None = Field(None, description="fixed: so much per order, settlement currency.")
    per_share: NotNegative | None = Field(None, description="per_share: so much per unit, settlement currency.")
    minimum: NotNegative = Field(Decimal(0), description="per_share: the least per order, settlement currency.")
    maximum_percent: Percent | None = Field(None, description="per_share: the most per order, of its notional.")
    tiers: list[TierSettings] = Field(
        default_factory=list, description="tiered: rates by the notional of the last 30 days."
    )
    coin: Text | None = Field(None, description="third_coin: what fees are paid in, such as BNB.")
    coin_symbol: Text | None = Field(
        None, description="third_coin: the symbol that prices it; unset, `COIN/SETTLEMENT CURRENCY`."
    )
    discount_percent: Annotated[Number, Field(ge=0, lt=100)] = Field(
        Decimal(0), description="third_coin: how much less a fee paid in the coin is."
    )
    params: dict[str, Any] = Field(default_factory=dict, description="What a fee model of your own is given.")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        _check_kind(self, self.kind, _FEE_FIELDS, _FEE_NEEDS)
        volumes = [tier.volume for tier in self.tiers]
        if volumes != sorted(set(volumes)) or (volumes and volumes[0]):
            raise wrong("volumes must begin at 0 and rise from tier to tier", "tiers")
        return self


class SlippageSettings(Section):
    """`[broker.slippage]`: how much worse fills without a limit price are. Fields of another kind are refused."""

    kind: Annotated[str, name_or_class(*_SLIPPAGE_FIELDS)] = Field(
        "bps",
        description="none, bps, half_spread, square_root, or your own class or function as `package.module:Name`; "
        "see docs/simulation.md.",
    )
    bps: _Bps | None = Field(None, description="bps: basis points of the price; unset, `broker.slippage_bps`.")
    spread_bps: _Bps | None = Field(
        None, description="half_spread: the whole spread where there is no quote, basis points of the price."
    )
    coefficient: Annotated[Positive, Field(le=100)] = Field(
        Decimal(1), description="square_root: Y, the impact in daily volatilities of trading a day's volume."
    )
    window: Annotated[Count, Field(ge=2, le=10_000)] = Field(
        20, description="square_root: over how many bars volatility and volume are taken."
    )
    fallback_bps: _Bps | None = Field(
        None, description="square_root: basis points while there are fewer bars, or bars without volume."
    )
    max_percent: Percent = Field(Decimal(50), description="square_root: no impact is greater, of the price.")
    params: dict[str, Any] = Field(default_factory=dict, description="What a slippage model of your own is given.")

    @model_validator(mode="after")
    def _fits_kind(self) -> Self:
        _check_kind(self, self.kind, _SLIPPAGE_FIELDS, _SLIPPAGE_NEEDS)
        return self


def _check_kind(given: Section, kind: str, fields: Mapping[str, frozenset[str]], needs: Mapping[str, str]) -> None:
    """Refuse what is set and is not of this kind, and a kind without what it needs."""
    needed = needs.get(kind)
    if needed is not None and getattr(given, needed) in (None, []):
        raise wrong(f'kind = "{kind}" needs "{needed}"')
    foreign = sorted(_given(given) - fields.get(kind, _CUSTOM))
    if foreign:
        raise wrong("; ".join(_misplaced(name, kind, fields) for name in foreign), foreign[0])


def _given(section: Section) -> set[str]:
    """The fields that say something; a resolved file names them all, with their defaults."""
    known = type(section).model_fields
    return {
        name
        for name in section.model_fields_set
        if name != "kind" and getattr(section, name) not in (None, {}, [], known[name].default)
    }


def _misplaced(name: str, kind: str, fields: Mapping[str, frozenset[str]]) -> str:
    kinds = [f'"{other}"' for other, own in fields.items() if name in own]
    advice = (
        f"it belongs to kind = {' or '.join(kinds)}; set that, or remove it"
        if kinds
        else "only a model of your own takes it"
    )
    return f'"{name}" is not of kind = "{kind}"; {advice}'
