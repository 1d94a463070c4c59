"""`[broker.fees]`, `[broker.slippage]` and margin: what fits together, and what the models get."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tradingd.broker.margin import MarginRules
from tradingd.broker.models import (
    DetailedFee,
    DetailedSlippage,
    FeeBasis,
    MarketContext,
    MarketNeeds,
    Taking,
    no_fee,
    no_slippage,
)
from tradingd.config import BrokerSettings, load_settings
from tradingd.domain.enums import Liquidity, Side
from tradingd.domain.events import Fee
from tradingd.domain.instrument import Instrument
from tradingd.errors import ConfigError
from tradingd.testing import make_bar, make_instrument
from tradingd.wiring.simulation import fee_model, margin_rules, slippage_model

AAPL = make_instrument()
TIERS = (
    "broker.fees.tiers=[{volume = 0, maker_percent = 0.1, taker_percent = 0.2}, "
    "{volume = 1000, maker_percent = -0.01, taker_percent = 0.05}]"
)


def broker(*overrides: str) -> BrokerSettings:
    """`[broker]`, with what is set."""
    return load_settings([], environ={}, overrides=[f"broker.{each}" for each in overrides]).broker


def fee(settings: BrokerSettings, liquidity: Liquidity = Liquidity.TAKER, **basis: Any) -> str:
    """What 10 AAPL at 100 cost, in USD."""
    model = fee_model(settings)
    known = FeeBasis(**{name: Decimal(given) for name, given in basis.items()})
    if isinstance(model, DetailedFee):
        fees = model.charge(AAPL, Decimal(10), Decimal(100), liquidity, known)
    else:
        fees = model(AAPL, Decimal(10), Decimal(100), liquidity)
    return " ".join(f"{each.amount.normalize():f} {each.asset}" for each in fees)


def price(settings: BrokerSettings, context: MarketContext | None = None) -> Decimal:
    """What buying at 100 costs."""
    model = slippage_model(settings)
    if isinstance(model, DetailedSlippage):
        known = context or MarketContext()
        return model.slip(Taking(AAPL, Side.BUY, Decimal(100), Decimal(100), make_bar(100), known))
    return model(AAPL, Side.BUY, Decimal(100))


# --- fees --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "taker", "maker"),
    [
        ([], "1 USD", ""),
        (["taker_fee_percent=0.05", "maker_fee_percent=-0.01"], "0.5 USD", "-0.1 USD"),
        (["fees.taker_percent=0.05", "fees.maker_percent=-0.01"], "0.5 USD", "-0.1 USD"),
        (["fees.taker_percent=0.05", "maker_fee_percent=-0.01"], "0.5 USD", "-0.1 USD"),
        (["fees.taker_percent=0"], "", ""),
        (["fees.kind=none"], "", ""),
        (["fees.kind=fixed", "fees.per_order=2"], "2 USD", "2 USD"),
        (["fees.kind=per_share", "fees.per_share=0.005", "fees.minimum=1"], "1 USD", "1 USD"),
        (["fees.kind=per_share", "fees.per_share=5", "fees.maximum_percent=1"], "10 USD", "10 USD"),
        (["fees.kind=third_coin", "fees.coin=BNB"], "1 USD", ""),
    ],
)
def test_kinds_of_fees(overrides: list[str], taker: str, maker: str) -> None:
    """Each kind makes its model; rates that the table does not name are the flat keys'."""
    settings = broker(*overrides)
    assert (fee(settings), fee(settings, Liquidity.MAKER)) == (taker, maker)


def test_tiers() -> None:
    """The rates are percent, the volumes money."""
    settings = load_settings([], environ={}, overrides=["broker.fees.kind=tiered", TIERS]).broker
    assert (fee(settings), fee(settings, volume="1000")) == ("2 USD", "0.5 USD")


def test_a_third_coin() -> None:
    """Discount and symbol are handed on."""
    overrides = ["fees.kind=third_coin", "fees.coin=BNB", "fees.discount_percent=25", "fees.coin_symbol=BNBUSD"]
    settings = broker(*overrides)
    assert fee(settings, coin_price="300", coin_free="1") == "0.0025 BNB"
    assert getattr(fee_model(settings), "coin_symbol", "") == "BNBUSD"


@pytest.mark.parametrize(
    ("overrides", "key", "message"),
    [
        (["fees.kind=per_shar"], "broker.fees.kind", 'did you mean "per_share"?'),
        (["fees.kind=per_share"], "broker.fees", 'kind = "per_share" needs "per_share"'),
        (["fees.kind=fixed"], "broker.fees", 'needs "per_order"'),
        (["fees.kind=tiered"], "broker.fees", 'needs "tiers"'),
        (["fees.kind=third_coin"], "broker.fees", 'needs "coin"'),
        (
            ["fees.per_share=1"],
            "broker.fees.per_share",
            'not of kind = "maker_taker"; it belongs to kind = "per_share"',
        ),
        (["fees.kind=none", "fees.maker_percent=1"], "broker.fees.maker_percent", '"maker_taker" or "third_coin"'),
        (["fees.params={x=1}"], "broker.fees.params", "only a model of your own takes it"),
        (["fees.kind=a:B", "fees.minimum=1"], "broker.fees.minimum", 'not of kind = "a:B"'),
        (["maker_fee_percent=1", "fees.maker_percent=1"], "broker.maker_fee_percent", "are both set"),
        (["taker_fee_percent=1", "fees.kind=none"], "broker.taker_fee_percent", "does nothing with"),
        (["taker_fee_percent=1", "fees.kind=x:Y"], "broker.taker_fee_percent", "does nothing with"),
        (["slippage_bps=1", "slippage.kind=none"], "broker.slippage_bps", "does nothing with"),
        (["slippage_bps=1", "slippage.bps=1"], "broker.slippage_bps", "are both set"),
        (["slippage.kind=half_spread"], "broker.slippage", 'needs "spread_bps"'),
        (["slippage.kind=square_root"], "broker.slippage", 'needs "fallback_bps"'),
        (["slippage.window=5"], "broker.slippage.window", 'it belongs to kind = "square_root"'),
        (["fees.taker_percent=0.001"], "broker.fees.taker_percent", "write 0.1 if you mean 0.1 %"),
        (["initial_margin_percent=50"], "broker.initial_margin_percent", 'needs account = "margin"'),
        (["maintenance_margin_percent=5"], "broker.maintenance_margin_percent", 'needs account = "margin"'),
        (
            ["initial_margin_percent=50", "leverage=4", "account=margin"],
            "broker.initial_margin_percent",
            "leverage 4 is an initial margin of 25",
        ),
        (
            ["maintenance_margin_percent=25", "leverage=4", "account=margin"],
            "broker.maintenance_margin_percent",
            "must be less than the initial margin of 25",
        ),
        (["margin_call_percent=99"], "broker.margin_call_percent", "must be at least 100"),
    ],
)
def test_what_does_not_fit_is_refused(overrides: list[str], key: str, message: str) -> None:
    """With the key, and what to write instead."""
    with pytest.raises(ConfigError) as caught:
        broker(*overrides)
    assert key in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("volumes", ["100, 200", "0, 200, 100", "0, 100, 100"])
def test_tiers_begin_at_nothing_and_rise(volumes: str) -> None:
    """Otherwise nobody can tell which holds."""
    tiers = ", ".join(f"{{volume = {each}, maker_percent = 0, taker_percent = 1}}" for each in volumes.split(", "))
    with pytest.raises(ConfigError, match="volumes must begin at 0 and rise"):
        broker("fees.kind=tiered", f"fees.tiers=[{tiers}]")


def test_a_resolved_file_says_the_same(tmp_path: Path) -> None:
    """What `tradingd check` prints, defaults and all, is read back as it was."""
    overrides = [
        "fees.kind=per_share",
        "fees.per_share=0.005",
        "slippage.kind=half_spread",
        "slippage.spread_bps=2",
    ]
    settings = load_settings([], environ={}, overrides=[f"broker.{each}" for each in overrides])
    resolved = tmp_path / "resolved.yaml"
    resolved.write_text(json.dumps({"broker": settings.masked()["broker"]}))
    assert load_settings([resolved], environ={}).broker == settings.broker


# --- slippage ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "paid"),
    [
        ([], "100"),
        (["slippage_bps=5"], "100.05"),
        (["slippage.bps=5"], "100.05"),
        (["slippage.kind=none"], "100"),
        (["slippage.kind=half_spread", "slippage.spread_bps=10"], "100.05"),
        (["slippage.kind=square_root", "slippage.fallback_bps=7"], "100.07"),
    ],
)
def test_kinds_of_slippage(overrides: list[str], paid: str) -> None:
    """Each kind makes its model."""
    assert price(broker(*overrides)) == Decimal(paid)


def test_the_square_root_takes_its_figures() -> None:
    """2 x 0.01 x sqrt(100 / 10,000) of 100, at most 0.1 %."""
    settings = [
        "slippage.kind=square_root",
        "slippage.fallback_bps=7",
        "slippage.coefficient=2",
        "slippage.window=9",
    ]
    known = MarketContext(bars=9, volatility=0.01, volume=10_000.0)
    assert price(broker(*settings), known) == Decimal("100.20")
    assert price(broker(*settings, "slippage.max_percent=0.1"), known) == Decimal("100.10")
    assert getattr(slippage_model(broker(*settings)), "window", 0) == 9


# --- margin ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "rules"),
    [
        ([], None),
        (["account=margin"], ("0.5", "1", "0.005", None)),
        (["account=margin", "leverage=4"], ("0.125", "1", "0.005", None)),
        (["account=margin", "initial_margin_percent=50"], ("0.25", "1", "0.005", "0.5")),
        (["account=margin", "leverage=2", "maintenance_margin_percent=0"], ("0", "1", "0.005", None)),
        (
            [
                "account=margin",
                "maintenance_margin_percent=30",
                "margin_call_percent=120",
                "liquidation_fee_percent=1",
            ],
            ("0.3", "1.2", "0.01", None),
        ),
    ],
)
def test_margin_rules(overrides: list[str], rules: tuple[Any, ...] | None) -> None:
    """Maintenance is half of the initial margin unless set; a cash account has none."""
    wanted = None if rules is None else MarginRules(*(None if each is None else Decimal(each) for each in rules))  # type: ignore[arg-type]
    assert margin_rules(broker(*overrides)) == wanted


def test_the_initial_margin_bounds_the_size() -> None:
    """200 percent of equity fit an initial margin of 50 percent, and no more."""
    common = ["broker.account=margin", "broker.initial_margin_percent=50"]
    load_settings([], environ={}, overrides=[*common, "risk.sizer.percent=200"])
    with pytest.raises(ConfigError, match="cannot be bought with an initial margin of 50 %"):
        load_settings([], environ={}, overrides=[*common, "risk.sizer.percent=201"])


# --- models of one's own -----------------------------------------------------------------------------------------


def flat_fee(instrument: Instrument, *_: object) -> tuple[Fee, ...]:
    """Seven."""
    return (Fee(instrument.settle, Decimal(7)),)


class OwnFee:
    """So much, by its parameter."""

    def __init__(self, amount: int) -> None:
        self.amount = Decimal(amount)

    def __call__(self, instrument: Instrument, *_: object) -> tuple[Fee, ...]:
        return (Fee(instrument.settle, self.amount),)


class OwnSlippage:
    """A detailed one."""

    needs = MarketNeeds(0)
    window = 0

    def slip(self, taking: Taking) -> Decimal:
        return taking.price + taking.quantity


class Useless:
    """No model."""


HERE = "tests.config.test_costs"


def test_fee_models_of_ones_own() -> None:
    """A function as it is, a class with its parameters."""
    assert fee(broker(f"fees.kind={HERE}:flat_fee")) == "7 USD"
    assert fee(broker(f"fees.kind={HERE}:OwnFee", "fees.params={amount=3}")) == "3 USD"
    assert price(broker(f"slippage.kind={HERE}:OwnSlippage")) == 200


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["fees.kind=nowhere:flat_fee"], "cannot import 'nowhere'"),
        ([f"fees.kind={HERE}:nothing"], "has no 'nothing'"),
        ([f"fees.kind={HERE}:flat_fee", "fees.params={x=1}"], "is no class, so it takes no params"),
        ([f"fees.kind={HERE}:OwnFee"], "cannot be made: TypeError"),
        ([f"fees.kind={HERE}:Useless"], "is neither callable nor has the members of DetailedFee"),
    ],
)
def test_what_is_no_model_is_told(overrides: list[str], message: str) -> None:
    """Before the run, and with its name."""
    with pytest.raises(ConfigError, match="fee model") as caught:
        fee_model(broker(*overrides))
    assert message in str(caught.value)


def test_nothing_is_the_plain_function() -> None:
    """Off costs nothing."""
    assert fee_model(broker("fees.kind=none")) is no_fee
    assert slippage_model(broker()) is no_slippage
