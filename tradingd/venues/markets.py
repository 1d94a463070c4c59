"""Instruments and capabilities out of ccxt's markets and features."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from tradingd.domain.enums import InstrumentKind, OrderType, TimeInForce
from tradingd.domain.instrument import Instrument
from tradingd.domain.money import ONE, ZERO
from tradingd.domain.venue import VenueCapabilities
from tradingd.errors import DataError, MoneyError, VenueUnavailableError
from tradingd.venues.convert import exact
from tradingd.venues.untyped import Untyped

__all__ = [
    "DECIMAL_PLACES",
    "SIGNIFICANT_DIGITS",
    "TICK_SIZE",
    "capabilities_of",
    "common_capabilities",
    "features_of",
    "instrument_of",
]

# ccxt.base.decimal_to_precision has the same, but importing it imports ccxt
DECIMAL_PLACES: Final = 2
SIGNIFICANT_DIGITS: Final = 3
TICK_SIZE: Final = 4

_KINDS = {
    "spot": InstrumentKind.SPOT,
    "margin": InstrumentKind.SPOT,
    "swap": InstrumentKind.SWAP,
    "future": InstrumentKind.FUTURE,
    "option": InstrumentKind.OPTION,
}
_TIMES = {"IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})
_TAKES = frozenset({OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT})


def instrument_of(
    market: Mapping[str, Untyped],
    *,
    symbol: str,
    venue: str,
    precision_mode: int,
    reference: Decimal | None = None,
) -> Instrument:
    """The instrument that a market of ccxt's is.

    `reference` is a price of it, for venues that tell price steps in significant digits: the step then is that of
    a price twice as high, which suits all below as well.

    Raises:
        DataError: the venue tells no step, or a kind that is not traded here.

    """
    kind = _KINDS.get(str(market.get("type")))
    if kind is None:
        raise DataError(
            f"{symbol}: {venue} has this market as {market.get('type')!r}, which cannot be traded here"
        )
    try:
        return _made(market, kind, symbol, venue, precision_mode, reference)
    except (MoneyError, VenueUnavailableError) as error:
        raise DataError(f"{symbol}: what {venue} tells of this market makes no instrument: {error}") from None


def _made(
    market: Mapping[str, Untyped],
    kind: InstrumentKind,
    symbol: str,
    venue: str,
    mode: int,
    reference: Decimal | None,
) -> Instrument:
    steps = market.get("precision") or {}
    limits = market.get("limits") or {}
    inverse = bool(market.get("inverse")) and kind.is_contract
    size = exact(market.get("contractSize"), symbol) if kind.is_contract else ONE
    # A notional of an inverse contract is in its base coin, while venues tell its bounds in the quote.
    cost: Mapping[str, Untyped] = {} if inverse else limits.get("cost") or {}
    amount = limits.get("amount") or {}
    return Instrument(
        symbol=symbol,
        kind=kind,
        base=str(market["base"]),
        quote=str(market["quote"]),
        settle=str(market.get("settle") or "") if kind.is_contract else "",
        tick=_step(steps.get("price"), mode, symbol, "tick", reference),
        lot=_step(
            steps.get("amount"), DECIMAL_PLACES if mode == SIGNIFICANT_DIGITS else mode, symbol, "lot", None
        ),
        min_quantity=exact(amount.get("min"), symbol) or ZERO,
        max_quantity=exact(amount.get("max"), symbol) or None,
        min_notional=exact(cost.get("min"), symbol) or ZERO,
        max_notional=exact(cost.get("max"), symbol) or None,
        multiplier=size or ONE,
        inverse=inverse,
        venue=venue,
    )


def _step(value: Untyped, mode: int, symbol: str, name: str, reference: Decimal | None) -> Decimal:
    told = exact(value, symbol)
    if told is None:
        raise DataError(f"{symbol}: the venue tells no {name}")
    if mode == TICK_SIZE:
        return told
    digits = int(told)
    if mode == DECIMAL_PLACES:
        return ONE.scaleb(-digits)
    if reference is None or reference <= 0:
        raise DataError(f"{symbol}: the venue tells prices in {digits} significant digits, and no price is known")
    return ONE.scaleb((reference + reference).adjusted() + 1 - digits)


def features_of(exchange: Untyped, market: Mapping[str, Untyped]) -> Mapping[str, Untyped]:
    """What ccxt knows of a market's kind, by method; empty where it knows nothing."""
    features = exchange.features or {}
    found = features.get(market.get("type"))
    if isinstance(found, Mapping) and not market.get("spot"):
        found = found.get("inverse" if market.get("inverse") else "linear") or found
    return found if isinstance(found, Mapping) else {}


def common_capabilities(exchange: Untyped, market_types: Sequence[str], *, amends: bool) -> VenueCapabilities:
    """What may be sent to every kind of market of an account as it is; known before any market is."""
    features = exchange.features or {}
    kinds = [features.get(name) or {} for name in market_types]
    known = [each for kind in kinds for each in ([kind] if "createOrder" in kind else kind.values() or [{}])]
    all_of_them = [capabilities_of(each or {}, amends=amends) for each in known]
    return VenueCapabilities(
        order_types=frozenset.intersection(*(each.order_types for each in all_of_them)),
        times_in_force=frozenset.intersection(*(each.times_in_force for each in all_of_them)),
        post_only=all(each.post_only for each in all_of_them),
        oco=False,
        modify=amends,
    )


def capabilities_of(features: Mapping[str, Untyped], *, amends: bool) -> VenueCapabilities:
    """What may be sent to the venue as it is. Less is safe: execution emulates the rest.

    Conditional orders that a venue keeps in a list of their own, under ids of their own, are left to execution:
    reads of orders would not see them.
    """
    create = features.get("createOrder") or {}
    times = create.get("timeInForce") or {}
    kinds = {OrderType.MARKET, OrderType.LIMIT}
    if not any((features.get(name) or {}).get("trigger") for name in ("fetchOpenOrders", "fetchOrder")):
        kinds |= _STOPS if create.get("stopLossPrice") else set()
        kinds |= _TAKES if create.get("takeProfitPrice") else set()
    return VenueCapabilities(
        order_types=frozenset(kinds),
        times_in_force=frozenset({TimeInForce.GTC} | {ours for name, ours in _TIMES.items() if times.get(name)}),
        post_only=bool(times.get("PO")),
        oco=False,
        modify=amends,
    )
