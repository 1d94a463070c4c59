"""`[broker]`: who fills the orders."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tradingd.config.costs import FeePercent, FeeSettings, SlippageSettings, TakerPercent
from tradingd.config.fields import Number, Percent, Section, Text, name_or_class, wrong

__all__ = ["BrokerSettings", "Lackable", "LatencySettings"]


Milliseconds = Annotated[Number, Field(ge=0, le=600_000)]


class LatencySettings(Section):
    """`[broker.latency]`: how long orders and reports travel; without it they take no time."""

    submit_ms: Milliseconds = Field(Decimal(0), description="From an order, cancel or change to the exchange.")
    ack_ms: Milliseconds = Field(Decimal(0), description="From what happens there to our hearing of it.")
    spread_ms: Milliseconds = Field(Decimal(0), description="A random extra on top, each way.")
    distribution: Literal["uniform", "exponential"] = Field(
        "uniform", description="The extra: evenly from 0 to spread_ms, or exponential with that mean."
    )
    seed: Annotated[int, Field(ge=0)] = Field(1, description="Of the random extra; runs with one seed are alike.")


Lackable = Literal[
    "stop",
    "stop_limit",
    "take_profit",
    "take_profit_limit",
    "trailing_stop",
    "day",
    "gtd",
    "ioc",
    "fok",
    "post_only",
    "oco",
    "modify",
]


class BrokerSettings(Section):
    """`[broker]`: who fills the orders."""

    kind: Annotated[str, name_or_class("simulated", "ccxt")] = Field(
        "simulated",
        description="simulated, or your own class as `package.module:Class`; live trading implies ccxt.",
    )
    venue: Text = Field("SIM", description="The name of the venue in instruments, orders and fills.")
    account: Literal["cash", "margin"] = Field("cash", description="cash cannot owe; margin may borrow.")
    leverage: Annotated[Number, Field(ge=1, le=1000)] = Field(
        Decimal(1), description="How many times its equity a margin account may hold."
    )
    initial_margin_percent: Percent | None = Field(
        None, description="Instead of `leverage`: the equity that an order has to leave, of the exposure after it."
    )
    maintenance_margin_percent: Annotated[Number, Field(ge=0, lt=100)] | None = Field(
        None,
        description="The equity that a margin account must keep, of its exposure, or the venue liquidates; unset, "
        "half of the initial margin; 0 for never.",
    )
    margin_call_percent: Annotated[Number, Field(ge=100, le=1000)] = Field(
        Decimal(100), description="Below so much of the maintenance margin, entries stop."
    )
    liquidation_fee_percent: Annotated[Number, Field(ge=0, le=10)] = Field(
        Decimal("0.5"), description="Of the notional that the venue closes, instead of the fee of an order."
    )
    maker_fee_percent: FeePercent = Field(Decimal(0), description="Negative is a rebate.")
    taker_fee_percent: TakerPercent = Field(Decimal("0.1"), description="Percent of the notional.")
    slippage_bps: Annotated[Number, Field(ge=0, le=1000)] = Field(
        Decimal(0), description="How much worse than the price market orders fill, in basis points."
    )
    limit_fill: Literal["through", "touch"] = Field(
        "through", description="Whether the price must trade through a limit, or only touch it, to fill it."
    )
    participation_percent: Annotated[Number, Field(gt=0, le=100)] | None = Field(
        None, description="How much of an event's volume or sizes our orders may have; all they want unless told."
    )
    queue: Literal["risk_averse", "proportional"] = Field(
        "risk_averse", description="Where books are known: how cancels move a resting limit order in its queue."
    )
    latency: LatencySettings = Field(default_factory=LatencySettings, description="How long messages travel.")
    lacks: list[Lackable] = Field(default_factory=list, description="What the simulated venue does not offer.")
    fees: FeeSettings = Field(default_factory=FeeSettings, description="What fills cost, in more detail.")
    slippage: SlippageSettings = Field(default_factory=SlippageSettings, description="How market orders slip.")

    @property
    def initial_margin(self) -> Decimal:
        """The equity that a position needs when it is opened, in percent of the exposure; rounded for telling."""
        own = self.initial_margin_percent
        return own if own is not None else round(100 / self.leverage, 6)

    @property
    def maintenance_margin(self) -> Decimal:
        """The equity that it needs later, in percent of the exposure: half of the initial margin unless set."""
        own = self.maintenance_margin_percent
        return own if own is not None else self.initial_margin / 2

    @model_validator(mode="after")
    def _leverage_needs_margin(self) -> Self:
        if self.leverage != 1 and self.account != "margin":
            raise wrong(f'{self.leverage} needs account = "margin"; a cash account has leverage 1', "leverage")
        for name in ("initial_margin_percent", "maintenance_margin_percent"):
            value = getattr(self, name)
            if value is not None and self.account != "margin":
                raise wrong(f'{value} needs account = "margin"; a cash account pays in full', name)
        return self

    @model_validator(mode="after")
    def _one_initial_margin(self) -> Self:
        if self.initial_margin_percent is not None and self.leverage != 1:
            raise wrong(
                f"and broker.leverage are both set; set one of them (leverage {self.leverage} is an "
                f"initial margin of {round(100 / self.leverage, 2)} percent)",
                "initial_margin_percent",
            )
        kept = self.maintenance_margin_percent
        if kept is not None and kept >= self.initial_margin:
            raise wrong(
                f"must be less than the initial margin of {self.initial_margin} percent, or a new position is "
                "liquidated at once",
                "maintenance_margin_percent",
            )
        return self

    @model_validator(mode="after")
    def _one_fee(self) -> Self:
        """Flat keys are for the kinds that have such rates, where the table does not name its own."""
        rates = self.fees.kind in {"maker_taker", "third_coin"}
        for flat, own in (("maker_fee_percent", "maker_percent"), ("taker_fee_percent", "taker_percent")):
            if getattr(self, flat) == type(self).model_fields[flat].default:
                continue
            if not rates:
                raise wrong(f'does nothing with broker.fees.kind = "{self.fees.kind}"; remove it', flat)
            if getattr(self.fees, own) is not None:
                raise wrong(f"and broker.fees.{own} are both set; set one of them", flat)
        if self.slippage_bps and self.slippage.kind != "bps":
            raise wrong(
                f'does nothing with broker.slippage.kind = "{self.slippage.kind}"; remove it', "slippage_bps"
            )
        if self.slippage_bps and self.slippage.bps is not None:
            raise wrong("and broker.slippage.bps are both set; set one of them", "slippage_bps")
        return self
