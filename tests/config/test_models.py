"""The models, the section facade and the masked view."""

import json
from decimal import Decimal
from enum import StrEnum

import pytest
from pydantic import BaseModel, ValidationError

import tradingd.config
from tradingd.config import ConfigSection, PortfolioSettings, Settings, load_settings
from tradingd.domain.enums import InstrumentKind
from tradingd.errors import ConfigError, UnknownKeyError


@pytest.fixture(scope="module")
def settings() -> Settings:
    """The defaults."""
    return load_settings([], environ={})


def test_the_public_names_are_sorted_and_exist() -> None:
    """A small surface, in order."""
    names = tradingd.config.__all__
    assert names == sorted(names)
    assert all(hasattr(tradingd.config, name) for name in names)


def test_settings_are_frozen(settings: Settings) -> None:
    """Nothing changes them while a run lasts."""
    with pytest.raises(ValidationError, match="frozen"):
        settings.portfolio.currency = "EUR"  # type: ignore[misc]


def test_a_binary_float_is_refused_by_the_models() -> None:
    """Also where a program makes them."""
    with pytest.raises(ValidationError, match="never a binary float"):
        PortfolioSettings(initial_cash=0.1)  # type: ignore[arg-type]


def test_every_field_is_described() -> None:
    """The descriptions are the reference of the configuration."""

    def undescribed(model: type[BaseModel]) -> list[str]:
        return [f"{model.__name__}.{name}" for name, field in model.model_fields.items() if not field.description]

    models = [
        getattr(tradingd.config, name)
        for name in tradingd.config.__all__
        if name.endswith("Settings") and name != "Settings"
    ]
    assert [name for model in models for name in undescribed(model)] == []


def test_decimals_of_files_suit_the_parameters_of_strategies() -> None:
    """TOML's numbers arrive as Decimals, which pydantic turns into whatever a parameter is."""

    class Params(BaseModel):
        ratio: float
        period: int
        amount: Decimal
        either: int | float

    table = "{ratio = 0.1, period = 10.0, amount = 0.1, either = 0.5}"
    given = load_settings([], environ={}, overrides=[f"strategies=[{{name = 'x', params = {table}}}]"])
    params = Params(**given.strategies[0].params)
    assert params == Params(ratio=0.1, period=10, amount=Decimal("0.1"), either=0.5)


def test_an_instrument_kind_is_the_domain_s(settings: Settings) -> None:
    """So that nobody has to translate it."""
    assert settings.instruments == []
    given = load_settings([], environ={}, overrides=["instruments=[{symbol = 'A', kind = 'swap', tick = 0.10}]"])
    assert given.instruments[0].kind is InstrumentKind.SWAP
    assert str(given.instruments[0].tick) == "0.10"


def test_levels_are_taken_in_any_case() -> None:
    """INFO is info."""
    assert load_settings([], environ={"TRADINGD__LOGGING__LEVEL": "DEBUG"}).logging.level == "debug"


def test_the_masked_view_is_plain_and_exact() -> None:
    """JSON-able, with Decimals as their text."""
    overrides = [
        "portfolio.initial_cash=0.10",
        "data.start=2020-01-02",
        "risk.sizer={kind='a:B', params={x=0.10}}",
    ]
    masked = json.loads(json.dumps(load_settings([], environ={}, overrides=overrides).masked()))
    assert masked["portfolio"]["initial_cash"] == "0.10"
    assert masked["data"]["start"] == "2020-01-02"
    assert masked["risk"]["sizer"]["params"] == {"x": "0.10"}


def test_a_section_gives_its_values_by_name_and_type(settings: Settings) -> None:
    """The interface that the project was specified with."""
    section = settings.get_section("portfolio")
    assert isinstance(section, ConfigSection)
    assert section.get("currency") == section.get_str("currency") == "USD"
    assert section.get_float("initial_cash") == 100000.0
    assert type(section.get_float("initial_cash")) is float
    assert section.get_decimal("initial_cash") == Decimal(100000)
    assert section.get_int("initial_cash") == 100000
    assert settings.get_section("risk").get_bool("allow_short") is False


def test_a_section_as_a_dict(settings: Settings) -> None:
    """Plain, with what is nested."""
    assert settings.get_section("portfolio").as_dict() == {"initial_cash": Decimal(100000), "currency": "USD"}
    assert settings.get_section("risk").as_dict()["sizer"]["percent"] == 10


def test_a_section_knows_its_keys(settings: Settings) -> None:
    """By `in`."""
    section = settings.get_section("portfolio")
    assert "currency" in section
    assert "curency" not in section


def test_nested_sections_are_dotted(settings: Settings) -> None:
    """`risk.limits` is a section, too."""
    assert settings.get_section("risk.limits").get_float("repeat_window_s") == 60.0


def test_a_key_that_is_not_set_gives_the_default(settings: Settings) -> None:
    """None is not set."""
    limits = settings.get_section("risk.limits")
    assert limits.get("max_leverage", 3) == 3
    assert limits.get_float("max_leverage", 3.0) == 3.0


def test_a_key_that_is_not_set_is_an_error_without_a_default(settings: Settings) -> None:
    """A typed getter never gives None."""
    with pytest.raises(ConfigError, match=r"risk\.limits\.max_leverage: is not set"):
        settings.get_section("risk.limits").get_float("max_leverage")


@pytest.mark.parametrize("name", ["portfolo", "risk.limit", "", "risk.allow_short", "portfolio.currency"])
def test_an_unknown_section_is_refused(settings: Settings, name: str) -> None:
    """With a suggestion."""
    with pytest.raises(UnknownKeyError, match="no such section; "):
        settings.get_section(name)


@pytest.mark.parametrize("name", ["strategies", "instruments", "credentials"])
def test_what_is_not_one_table_is_no_section(settings: Settings, name: str) -> None:
    """The message says what to use instead."""
    with pytest.raises(ConfigError, match=f"{name}: is a"):
        settings.get_section(name)


def test_an_unknown_key_of_a_section_is_refused(settings: Settings) -> None:
    """Even where a default is given: it is a typing error."""
    with pytest.raises(
        UnknownKeyError, match=r'portfolio\.initial_csh: no such key; did you mean "initial_cash"\?'
    ):
        settings.get_section("portfolio").get("initial_csh", 1)


class _Word(StrEnum):
    WORD = "word"


class _Odd(BaseModel):
    text: str = "5"
    number: Decimal = Decimal("1.5")
    flag: bool = True
    binary: float = 0.5
    word: _Word = _Word.WORD


@pytest.mark.parametrize(
    ("getter", "name"),
    [
        ("get_float", "text"),
        ("get_float", "flag"),
        ("get_int", "number"),
        ("get_int", "flag"),
        ("get_int", "binary"),
        ("get_bool", "text"),
        ("get_str", "number"),
        ("get_decimal", "binary"),
        ("get_decimal", "flag"),
    ],
)
def test_a_value_of_another_type_is_refused(getter: str, name: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigError, match=f"odd.{name}: is not "):
        getattr(ConfigSection("odd", _Odd()), getter)(name)


def test_an_enumeration_is_text() -> None:
    """And comes as plain text."""
    assert type(ConfigSection("odd", _Odd()).get_str("word")) is str
