"""The whole configuration."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from tradingd.config.accounts import AccountSettings, run_symbols
from tradingd.config.broker import BrokerSettings
from tradingd.config.fields import Slug, wrong
from tradingd.config.hints import nearest_hint
from tradingd.config.layers import Layer, dotted, is_table, origin
from tradingd.config.live import problem_of, with_defaults_of_mode
from tradingd.config.models import (
    CredentialSettings,
    DataSettings,
    ExecutionSettings,
    InstrumentSettings,
    LoggingSettings,
    PortfolioSettings,
    RunSettings,
    RuntimeSettings,
    StrategySettings,
)
from tradingd.config.risk import RiskSettings
from tradingd.config.section import ConfigSection
from tradingd.errors import ConfigError, UnknownKeyError

__all__ = ["Settings", "loading"]


@dataclass(frozen=True, slots=True)
class _Loading:
    """What `load_settings` has collected."""

    layers: Sequence[Layer] = ()
    """The weakest first."""
    base_dir: Path | None = None


_CURRENT: ContextVar[_Loading] = ContextVar("_CURRENT", default=_Loading())  # noqa: B039  # it is frozen


@contextmanager
def loading(layers: Sequence[Layer], base_dir: Path) -> Iterator[None]:
    """`Settings()` made in this context is made from `layers`, the weakest first."""
    token = _CURRENT.set(_Loading(layers, base_dir))
    try:
        yield
    finally:
        _CURRENT.reset(token)


class _LayerSource(PydanticBaseSettingsSource):
    """A layer as pydantic-settings takes it; it merges them, table by table."""

    def __init__(self, settings_cls: type[BaseSettings], layer: Layer) -> None:
        super().__init__(settings_cls)
        self._layer = layer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """The layer's value of a section."""
        return self._layer.tree.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return self._layer.tree


class Settings(BaseSettings):
    """The configuration of a run, checked and frozen. `load_settings` makes it from files and all else.

    Made directly, it takes what it is given as keywords and nothing from the environment.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    run: RunSettings = Field(default_factory=RunSettings)
    data: DataSettings = Field(default_factory=DataSettings)
    instruments: list[InstrumentSettings] = Field(default_factory=list)
    strategies: list[StrategySettings] = Field(default_factory=list)
    portfolio: PortfolioSettings = Field(default_factory=PortfolioSettings)
    broker: BrokerSettings = Field(default_factory=BrokerSettings)
    risk: RiskSettings = Field(default_factory=RiskSettings)
    execution: ExecutionSettings = Field(default_factory=ExecutionSettings)
    runtime: RuntimeSettings = Field(default_factory=RuntimeSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)
    accounts: dict[Slug, AccountSettings] = Field(default_factory=dict)
    credentials: dict[Slug, CredentialSettings] = Field(default_factory=dict)

    _base_dir: Path = PrivateAttr(default_factory=lambda: _CURRENT.get().base_dir or Path.cwd())
    _sources: dict[str, str] = PrivateAttr(default_factory=lambda: _origins(_CURRENT.get().layers))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The layers being loaded, the strongest first."""
        layers = reversed(_CURRENT.get().layers)
        return (init_settings, *(_LayerSource(settings_cls, layer) for layer in layers))

    @field_validator("instruments")
    @classmethod
    def _one_instrument_a_symbol(cls, value: list[InstrumentSettings]) -> list[InstrumentSettings]:
        _refuse_duplicates("symbol", (entry.symbol for entry in value))
        return value

    @field_validator("strategies")
    @classmethod
    def _one_strategy_an_id(cls, value: list[StrategySettings]) -> list[StrategySettings]:
        _refuse_duplicates("id", (entry.id for entry in value if entry.id is not None))
        return value

    @model_validator(mode="before")
    @classmethod
    def _implied(cls, values: object) -> object:
        return with_defaults_of_mode(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _fits_its_mode(self) -> Self:
        if self.run.mode != "live" and self.credentials:
            raise wrong(f"a {self.run.mode} run may not have keys; leave them out", "credentials")
        problem = problem_of(self)
        if problem is not None:
            raise problem
        return self

    @model_validator(mode="after")
    def _size_within_leverage(self) -> Self:
        percent = self.risk.sizer.percent
        broker = self.broker
        initial = broker.initial_margin_percent
        most = 100 * broker.leverage if initial is None else 10_000 / initial
        if percent is not None and broker.kind == "simulated" and percent > most:
            bound = (
                f"broker.leverage {broker.leverage}" if initial is None else f"an initial margin of {initial} %"
            )
            raise wrong(
                f"{percent} percent of equity cannot be bought with {bound}; "
                "lower it, or raise the leverage of a margin account",
                *("risk", "sizer", "percent"),
            )
        return self

    @property
    def base_dir(self) -> Path:
        """The folder of the first configuration file; the working directory where there is none."""
        return self._base_dir

    @property
    def symbols(self) -> dict[str, tuple[str, str]]:
        """What the accounts of this run trade: account and exchange's symbol by the symbol's name in the run."""
        return run_symbols({account: self.accounts[account].symbols for account in self.run.accounts})

    def refuse_foreign(self, who: str, symbols: Iterable[str]) -> None:
        """Check that the accounts of this run trade all that `who` asks for.

        Raises:
            ConfigError: they do not; the message says where to name it, or how it is told apart.

        """
        known = self.symbols
        for symbol in symbols:
            if symbol not in known:
                raise ConfigError(f"{who}: {symbol}: {_where_it_belongs(symbol, known, self.run.accounts)}")

    def get_section(self, name: str) -> ConfigSection:
        """A table by name: `portfolio`, or a table in a table: `risk.limits`, `credentials.binance`.

        Raises:
            UnknownKeyError: there is no such table.
            ConfigError: it is an array of tables.

        """
        found: Any = self
        for part in name.split("."):
            known = found if isinstance(found, Mapping) else _tables(type(found))
            if part not in known:
                raise UnknownKeyError(f"{name}: no such section; {nearest_hint(part, known)}")
            found = known[part] if isinstance(found, Mapping) else getattr(found, part)
            if isinstance(found, list):
                raise ConfigError(f"{name}: is an array of tables; use settings.{part}")
        if isinstance(found, Mapping):
            raise ConfigError(f"{name}: is a table of accounts; ask for one: {name}.<account>")
        return ConfigSection(name, found)

    def masked(self) -> dict[str, Any]:
        """Everything as plain data that JSON can say, numbers that are exact as text, without the secrets."""
        return self.model_dump(mode="json")

    def describe_sources(self) -> dict[str, str]:
        """Where each value that is not a default came from, by dotted key."""
        return dict(self._sources)


def _tables(model: type[Any]) -> dict[str, Any]:
    return {
        name: field
        for name, field in model.model_fields.items()
        if is_table(field.annotation)
        or (model is Settings and getattr(field.annotation, "__origin__", None) is list)
    }


def _where_it_belongs(symbol: str, known: Mapping[str, tuple[str, str]], accounts: Sequence[str]) -> str:
    qualified = [name for name, (_, own) in known.items() if own == symbol]
    if qualified:
        return f"several accounts trade it; write one of {', '.join(qualified)}"
    bare, at, account = symbol.partition("@")
    if at and known.get(bare, ("",))[0] == account:
        return f"only one account of this run trades it; write {bare}"
    tables = " or ".join(f"accounts.{each}.symbols" for each in accounts)
    return f"no account of this run trades it; add it to {tables}, {nearest_hint(symbol, known)}"


def _refuse_duplicates(what: str, values: Iterable[str]) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise wrong(f'the {what} "{value}" is given twice; each needs its own')
        seen.add(value)


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    else:
        yield path


def _origins(layers: Sequence[Layer]) -> dict[str, str]:
    paths = {path for layer in layers for path in _leaves(layer.tree, ()) if path}
    return {dotted(path): origin(layers, path) for path in sorted(paths)}
