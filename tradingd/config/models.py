"""The tables of the configuration; for the larger ones see `tradingd.config.risk` and `tradingd.config.broker`."""

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from tradingd.config.fields import (
    ClassPath,
    Count,
    Interval,
    Moment,
    NotNegative,
    Number,
    Positive,
    Section,
    Slug,
    Symbol,
    Text,
    first_instant,
    last_instant,
    matching,
    wrong,
)
from tradingd.config.livedata import LiveDataSettings, RecordSettings
from tradingd.domain.aggregation import parse_rule
from tradingd.domain.enums import InstrumentKind
from tradingd.errors import UsageError

__all__ = [
    "CredentialSettings",
    "DataFileSettings",
    "DataSettings",
    "ExecutionSettings",
    "InstrumentSettings",
    "LoggingSettings",
    "PortfolioSettings",
    "ReplaySettings",
    "RunSettings",
    "RuntimeSettings",
    "StrategySettings",
]


Mode = Literal["paper", "backtest", "live"]


class RunSettings(Section):
    """`[run]`: what this run is."""

    name: Slug = Field("tradingd", description="Names the run in logs, metrics and reports.")
    mode: Mode = Field(
        "paper",
        description="paper runs on a clock with simulated money, backtest at once; live trades the accounts.",
    )
    accounts: list[Slug] = Field(
        default_factory=list,
        description="Ids of the `[accounts]` that may trade; on paper, whose exchanges give live market data.",
    )


class DataFileSettings(Section):
    """`[[data.files]]`: a file of market data outside the catalog."""

    symbol: Symbol = Field(description="The symbol whose data the file has.")
    path: Text = Field(description="Relative to the file that names it, or `pkg:package/file`.")
    kind: Literal["bars", "trades", "quotes", "books"] = Field("bars", description="What a row of the file is.")
    interval: Interval | None = Field(None, description="The length of its bars, such as 1m; bars need it.")
    calendar: Literal["24/7", "weekdays"] = Field("24/7", description="When data is to be expected.")
    depth: int = Field(20, ge=1, description="How many levels a side of a book is told.")


class DataActionsSettings(Section):
    """`[[data.actions]]`: a file of splits and dividends, for runs on raw prices."""

    path: Text = Field(description="Relative to the file that names it, or `pkg:package/file`; CSV or Parquet.")


class ReplaySettings(Section):
    """`[data.replay]`: how fast history is replayed on paper; neither set is as fast as possible."""

    duration_s: Positive | None = Field(None, description="The whole replay takes about this many seconds.")
    speed: Positive | None = Field(None, description="How many times faster than it happened; 1 is real time.")

    @model_validator(mode="after")
    def _one_pace(self) -> Self:
        if self.duration_s is not None and self.speed is not None:
            raise wrong("duration_s and speed are both set; set one of them, or neither", "speed")
        return self


class DataSettings(Section):
    """`[data]`: which market data."""

    feed: Literal["replay", "live"] = Field(
        "replay", description="What is recorded, or what the exchanges stream now; live trading is always live."
    )
    catalog: Text | None = Field(None, description="Folder of the catalog, relative to the file that names it.")
    symbols: list[Symbol] = Field(default_factory=list, description="Symbols beside those of the strategies.")
    interval: Interval | None = Field(
        None,
        description="Picks among several series of a symbol: 1m, 1h, 1d; live, how long bars are, 1m unless told.",
    )
    start: Moment = Field(None, description="First date (a whole day, UTC) or moment.")
    end: Moment = Field(None, description="Last date (a whole day, UTC) or moment.")
    prices: Literal["raw", "adjusted"] = Field("raw", description="adjusted is for splits and dividends.")
    files: list[DataFileSettings] = Field(default_factory=list, description="Files outside the catalog.")
    actions: list[DataActionsSettings] = Field(default_factory=list, description="Files of splits and dividends.")
    replay: ReplaySettings = Field(default_factory=ReplaySettings, description="How fast history is replayed.")
    live: LiveDataSettings = Field(default_factory=LiveDataSettings, description="What is streamed.")
    record: RecordSettings = Field(default_factory=RecordSettings, description="What is kept of it.")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start is not None and self.end is not None and last_instant(self.end) < first_instant(self.start):
            raise wrong(f"{self.end} is before start {self.start}", "end")
        return self

    @model_validator(mode="after")
    def _not_twice(self) -> Self:
        if self.actions and self.prices == "adjusted":
            raise wrong('adjusted prices have splits and dividends already; set prices = "raw"', "actions")
        return self


class InstrumentSettings(Section):
    """`[[instruments]]`: a symbol the catalog does not know, or what is to differ; None is the catalog's."""

    symbol: Symbol = Field(description="The symbol that strategies use.")
    kind: InstrumentKind | None = Field(None, description="spot, equity, swap, future or option.")
    base: Text | None = Field(None, description="The asset that is bought and sold.")
    quote: Text | None = Field(None, description="The currency of its price.")
    settle: Text | None = Field(None, description="The currency of gains, losses and fees.")
    tick: Positive | None = Field(None, description="The step of prices.")
    lot: Positive | None = Field(None, description="The step of quantities.")
    min_quantity: NotNegative | None = Field(None, description="The least quantity of an order.")
    max_quantity: Positive | None = Field(None, description="The greatest quantity of an order.")
    min_notional: NotNegative | None = Field(None, description="The least value of an order.")
    max_notional: Positive | None = Field(None, description="The greatest value of an order.")
    multiplier: Positive | None = Field(None, description="How much of the base one unit of quantity is.")
    inverse: bool | None = Field(None, description="Whether a contract is settled in its base coin.")
    venue: Text | None = Field(None, description="Where it is traded.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("quantity", "notional"):
            least, most = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if least is not None and most is not None and least > most:
                raise wrong(f"{least} is above max_{name} {most}", f"min_{name}")
        if self.inverse and self.kind is not None and not self.kind.is_contract:
            raise wrong(f"only a swap, future or option can be inverse, not kind {self.kind}", "inverse")
        return self


StrategyName = Annotated[
    str,
    AfterValidator(
        matching(
            r"[A-Za-z_][\w-]*|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*",
            "must be the name of a strategy, such as ma_crossover, or your own as package.module:Class",
        )
    ),
]


def _bar_rule(text: str) -> str:
    try:
        parse_rule(text)
    except UsageError as error:
        raise wrong(str(error)) from None
    return text


BarRuleText = Annotated[str, AfterValidator(_bar_rule)]


class StrategySettings(Section):
    """`[[strategies]]`: one running strategy."""

    name: StrategyName = Field(description="A shipped name, or your own class as `package.module:Class`.")
    id: Slug | None = Field(None, description="Names it in orders, logs and figures; its name unless told.")
    params: dict[str, Any] = Field(default_factory=dict, description="Its parameters; it checks them itself.")
    bars: BarRuleText | None = Field(
        None, description="Its bars are built by this rule instead: 5m, tick:1000, volume:50."
    )
    bars_from: Literal["bars", "trades", "quotes"] | None = Field(
        None, description="What `bars` is built from; unless told, bars or trades, whichever there is."
    )
    enabled: bool = Field(True, description="false keeps it in the file without running it.")

    @model_validator(mode="after")
    def _from_what(self) -> Self:
        if self.bars_from is not None and self.bars is None:
            raise wrong("tells what bars are built from; set bars to a rule such as 5m, too", "bars_from")
        return self


class PortfolioSettings(Section):
    """`[portfolio]`: the books."""

    initial_cash: Positive = Field(
        Decimal(100000), description="Cash to begin with, in `currency`; live trading has what it has."
    )
    currency: Text = Field("USD", description="The currency that equity and limits are counted in.")


class ExecutionSettings(Section):
    """`[execution]`: client order ids (two daemons on one account need different ones), and how orders work."""

    instance: Annotated[
        str,
        BeforeValidator(lambda value: str(value) if type(value) is int else value),
        AfterValidator(matching(r"[A-Za-z0-9]{1,8}", "must be 1 to 8 letters and digits")),
    ] = Field("1", description="Tells daemons on one account apart.")
    order_id_prefix: Annotated[
        str,
        AfterValidator(
            matching(r"[A-Za-z]{1,8}", "must be 1 to 8 letters, so that the epoch after it can be told apart")
        ),
    ] = Field("t", description="What every client order id begins with.")
    unfilled_timeout_s: Positive | None = Field(
        None, description="Cancels limit orders that have not filled for so long, unless they say otherwise."
    )
    algorithms: dict[Slug, ClassPath] = Field(
        default_factory=dict, description="Your own algorithms by name, each as `package.module:Class`."
    )
    volume_curves: dict[Slug, list[NotNegative]] = Field(
        default_factory=dict,
        description="Curves of volume for VWAP by name: one number for each part of the time.",
    )
    seed: Annotated[int, Field(ge=0)] = Field(1, description="What the chance in algorithms begins with.")

    @model_validator(mode="after")
    def _curves_have_volume(self) -> Self:
        for name, curve in self.volume_curves.items():
            if not any(curve):
                raise wrong(f"the curve {name!r} needs a number above 0", "volume_curves")
        return self


def _switch(value: object) -> object:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


class RuntimeSettings(Section):
    """`[runtime]`: the event loop."""

    queue_capacity: Annotated[Count, Field(ge=16, le=10_000_000)] = Field(
        10_000, description="How many events a component's inbox holds."
    )
    handler_timeout_s: Annotated[Number, Field(gt=0, le=60)] = Field(
        Decimal("1.0"), description="How long a strategy's handler may block the loop, in seconds."
    )
    stop_timeout_s: Annotated[Number, Field(ge=0, le=600)] = Field(
        Decimal(2), description="How long a stop may take, in seconds; live trading 10 unless told."
    )
    on_stop: Literal["cancel", "keep_protective"] = Field(
        "cancel",
        description="What a stop does with working orders: all are canceled, or those that can only reduce a "
        "position stay at the exchange; live trading keeps them unless told.",
    )
    uvloop: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = Field(
        "auto", description="Whether the faster event loop is used; auto uses it where it is installed."
    )


class LoggingSettings(Section):
    """`[logging]`: what is logged, and how."""

    level: Literal["debug", "info", "warning", "error", "critical"] = Field(
        "info", description="The least severe that is logged."
    )
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto is console on a terminal, else JSON lines."
    )

    @field_validator("level", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class CredentialSettings(Section):
    """`[credentials.<account>]`: better kept in a secrets directory than in a file. Never printed."""

    none_unsets: ClassVar[bool] = False

    api_key: SecretStr | None = Field(None, min_length=1, description="The key's public half.")
    secret: SecretStr | None = Field(None, min_length=1, description="The key's secret half.")
    password: SecretStr | None = Field(None, min_length=1, description="The passphrase some venues ask for.")
    uid: SecretStr | None = Field(None, min_length=1, description="The user id some venues ask for.")
    wallet_address: SecretStr | None = Field(
        None, min_length=1, description="Instead of a key: the wallet, where the venue is a chain."
    )
    private_key: SecretStr | None = Field(None, min_length=1, description="The private key of that wallet.")

    @property
    def is_complete(self) -> bool:
        """Whether it has one of the pairs that venues ask for."""
        pairs = (self.api_key, self.secret), (self.wallet_address, self.private_key)
        return any(one is not None and other is not None for one, other in pairs)
