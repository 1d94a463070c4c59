"""Instruments from what catalog and configuration say."""

from decimal import Decimal

import pytest

from tradingd.data.instruments import InstrumentRegistry
from tradingd.domain.enums import InstrumentKind
from tradingd.errors import ConfigError


def registry(symbol: str, recorded: dict[str, str] | None = None, **configured: object) -> InstrumentRegistry:
    """A registry that knows one symbol."""
    return InstrumentRegistry({symbol: recorded or {}}, {symbol: configured}, currency="USD", venue="SIM")


def test_a_plain_symbol_is_a_share() -> None:
    """A symbol without a slash is a share in the account's currency, in cents and whole units."""
    share = registry("AAPL")["AAPL"]
    assert (share.kind, share.base, share.quote, share.venue) == (InstrumentKind.EQUITY, "AAPL", "USD", "SIM")
    assert (share.tick, share.lot) == (Decimal("0.01"), Decimal(1))


def test_a_pair_is_spot() -> None:
    """BASE/QUOTE is spot."""
    pair = registry("BTC/EUR", tick="0.1")["BTC/EUR"]
    assert (pair.kind, pair.base, pair.quote, pair.settle) == (InstrumentKind.SPOT, "BTC", "EUR", "EUR")


@pytest.mark.parametrize(
    ("symbol", "settle", "inverse"), [("BTC/USD:USD", "USD", False), ("BTC/USD:BTC", "BTC", True)]
)
def test_a_settled_pair_is_a_swap(symbol: str, settle: str, inverse: bool) -> None:  # noqa: FBT001
    """BASE/QUOTE:SETTLE is a swap, inverse when it settles in its base."""
    swap = registry(symbol, tick="0.5")[symbol]
    assert (swap.kind, swap.settle, swap.inverse) == (InstrumentKind.SWAP, settle, inverse)


def test_configuration_overrides_the_catalog() -> None:
    """What the configuration says of a symbol is stronger than what the catalog says, field by field."""
    found = registry("BTC/USD", {"tick": "0.01", "lot": "0.001"}, tick=Decimal("0.5"))["BTC/USD"]
    assert (found.tick, found.lot) == (Decimal("0.5"), Decimal("0.001"))


def test_a_tick_is_never_guessed() -> None:
    """A pair whose tick nobody told is an error that says where to set it."""
    with pytest.raises(
        ConfigError, match=r'instrument BTC/USD: its tick .* \[\[instruments\]\] symbol = "BTC/USD"'
    ):
        _ = registry("BTC/USD")["BTC/USD"]


def test_unknown_symbols_and_fields_are_refused() -> None:
    """A symbol nobody knows is a KeyError; a field that instruments do not have is named."""
    with pytest.raises(KeyError):
        _ = registry("AAPL")["MSFT"]
    with pytest.raises(ConfigError, match="no such fields: ticksize"):
        _ = registry("AAPL", {"ticksize": "1"})["AAPL"]


def test_wrong_values_are_told_with_the_symbol() -> None:
    """A value that is no number, or not a possible one, is told with the instrument's name."""
    with pytest.raises(ConfigError, match="instrument AAPL: "):
        _ = registry("AAPL", {"tick": "a cent"})["AAPL"]
    with pytest.raises(ConfigError, match="AAPL: tick must be greater than 0"):
        _ = registry("AAPL", {"tick": "0"})["AAPL"]


def test_it_is_a_mapping_of_known_symbols() -> None:
    """It lists the symbols of catalog and configuration, once each."""
    both = InstrumentRegistry({"A": {}, "B": {}}, {"B": {}, "C": {}}, currency="USD", venue="SIM")
    assert (list(both), len(both), "C" in both, "D" in both) == (["A", "B", "C"], 3, True, False)
