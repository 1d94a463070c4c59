"""The simulated exchange, made from its settings: a part of the composition root (`tradingd.app`)."""

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

from tradingd.broker.account import AccountType
from tradingd.broker.base import Broker
from tradingd.broker.capabilities import lacking
from tradingd.broker.latency import Delay, DelayedBroker, MakeExchange, exponential, fixed, uniform
from tradingd.broker.margin import MarginRules
from tradingd.broker.models import (
    DetailedFee,
    DetailedSlippage,
    FeeModel,
    SlippageModel,
    Tier,
    fixed_bps_slippage,
    fixed_fee,
    half_spread_slippage,
    maker_taker_fee,
    no_fee,
    no_slippage,
    per_share_fee,
    square_root_impact,
    third_coin_fee,
    tiered_fee,
)
from tradingd.broker.queue import QUEUE_MODELS
from tradingd.broker.simulated import SimulatedBroker
from tradingd.config import BrokerSettings, LatencySettings
from tradingd.domain.loading import construct, load_object
from tradingd.domain.money import ONE, ZERO, divide, mul
from tradingd.errors import ConfigError

__all__ = ["fee_model", "margin_rules", "simulated_broker", "slippage_model"]

_PERCENT = Decimal("0.01")
_NS_PER_MS = Decimal(1_000_000)
_HALF = Decimal("0.5")


def simulated_broker(broker: BrokerSettings, common: Mapping[str, Any], balances: dict[str, Decimal]) -> Broker:
    """The simulated exchange, behind a connection where that takes time; `common` is what every broker is given.

    Raises:
        ConfigError: a model of the user's own cannot be made, or the coin of the fees has no such symbol.

    """
    coin_symbol = broker.fees.coin_symbol
    if coin_symbol is not None and coin_symbol not in common["instruments"]:
        raise ConfigError(
            f"broker.fees.coin_symbol: there is no {coin_symbol!r}; add it to [[instruments]] or "
            "[[data.files]], and to data.symbols so that it has prices"
        )
    make = _exchange(broker, common, balances)
    latency = broker.latency
    emit, clock, prices = common["emit"], common["clock"], common["prices"]
    if not (latency.submit_ms or latency.ack_ms or latency.spread_ms):
        return make(emit, clock, prices)
    submit, ack = _delays(latency)
    return DelayedBroker(make, venue=broker.venue, emit=emit, clock=clock, prices=prices, submit=submit, ack=ack)


def _exchange(broker: BrokerSettings, common: Mapping[str, Any], balances: dict[str, Decimal]) -> MakeExchange:
    """How to make the simulated exchange, once it is known whom it talks to."""
    share = _fraction(broker.participation_percent)
    fees, slippage = fee_model(broker), slippage_model(broker)
    return lambda emit, clock, prices: SimulatedBroker(
        **{**common, "emit": emit, "clock": clock, "prices": prices},
        balances=balances,
        account_type=AccountType(broker.account),
        leverage=broker.leverage,
        margin=margin_rules(broker),
        fee_model=fees,
        slippage=slippage,
        limit_fill=broker.limit_fill,
        participation=share,
        queue_model=QUEUE_MODELS[broker.queue],
        capabilities=lacking(broker.lacks),
    )


def _delays(latency: LatencySettings) -> tuple[Delay, Delay]:
    """The delays there and back. Each way has a generator of its own, so that one way does not shift the other."""
    spread, base = _ns(latency.spread_ms), (_ns(latency.submit_ms), _ns(latency.ack_ms))
    if not spread:
        return fixed(base[0]), fixed(base[1])
    there, back = (Random(f"{latency.seed} {way}").random for way in ("submit", "ack"))  # noqa: S311 - a simulation
    if latency.distribution == "uniform":
        return uniform(base[0], base[0] + spread, there), uniform(base[1], base[1] + spread, back)
    return exponential(base[0], spread, there), exponential(base[1], spread, back)


def _ns(milliseconds: Decimal) -> int:
    return int(mul(milliseconds, _NS_PER_MS))


def margin_rules(broker: BrokerSettings) -> MarginRules | None:
    """What a margin account has to keep; None of a cash account."""
    if broker.account != "margin":
        return None
    initial = _fraction(broker.initial_margin_percent)
    maintenance = _fraction(broker.maintenance_margin_percent)
    if maintenance is None:
        maintenance = mul(initial if initial is not None else divide(ONE, broker.leverage), _HALF)
    return MarginRules(
        maintenance=maintenance,
        call=mul(broker.margin_call_percent, _PERCENT),
        liquidation_fee=mul(broker.liquidation_fee_percent, _PERCENT),
        initial=initial,
    )


def fee_model(broker: BrokerSettings) -> FeeModel:
    """The fee model that the settings name.

    Raises:
        ConfigError: it is the user's own, and cannot be made.

    """
    fees = broker.fees
    maker = mul(broker.maker_fee_percent if fees.maker_percent is None else fees.maker_percent, _PERCENT)
    taker = mul(broker.taker_fee_percent if fees.taker_percent is None else fees.taker_percent, _PERCENT)
    match fees.kind:
        case "none":
            model: FeeModel = no_fee
        case "maker_taker":
            model = maker_taker_fee(maker, taker)
        case "fixed":
            model = fixed_fee(fees.per_order or ZERO)
        case "per_share":
            model = per_share_fee(fees.per_share or ZERO, fees.minimum, _fraction(fees.maximum_percent))
        case "tiered":
            model = tiered_fee(
                [
                    Tier(tier.volume, mul(tier.maker_percent, _PERCENT), mul(tier.taker_percent, _PERCENT))
                    for tier in fees.tiers
                ]
            )
        case "third_coin":
            discount = mul(fees.discount_percent, _PERCENT)
            model = third_coin_fee(
                maker, taker, fees.coin or "", discount=discount, coin_symbol=fees.coin_symbol or ""
            )
        case path:
            model = _own(path, "fee model", DetailedFee, fees.params)
    return model


def slippage_model(broker: BrokerSettings) -> SlippageModel:
    """The slippage model that the settings name.

    Raises:
        ConfigError: it is the user's own, and cannot be made.

    """
    slippage = broker.slippage
    match slippage.kind:
        case "none":
            return no_slippage
        case "bps":
            return fixed_bps_slippage(broker.slippage_bps if slippage.bps is None else slippage.bps)
        case "half_spread":
            return half_spread_slippage(slippage.spread_bps or ZERO)
        case "square_root":
            return square_root_impact(
                slippage.coefficient,
                window=slippage.window,
                fallback_bps=slippage.fallback_bps or ZERO,
                max_fraction=mul(slippage.max_percent, _PERCENT),
            )
        case path:
            own: SlippageModel = _own(path, "slippage model", DetailedSlippage, slippage.params)
            return own


def _fraction(percent: Decimal | None) -> Decimal | None:
    return None if percent is None else mul(percent, _PERCENT)


def _own(path: str, what: str, detailed: type[Any], params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a user's model
    """A user's model: a function as it is, an object of a class made with `params`."""
    found = load_object(path, what)
    name = f"{what} {path!r}"
    if isinstance(found, type):
        found = construct(found, name, params)
    elif params:
        raise ConfigError(f"{name} is no class, so it takes no params; remove them")
    if not callable(found) and not isinstance(found, detailed):
        raise ConfigError(f"{name} is neither callable nor has the members of {detailed.__name__}")
    return found
